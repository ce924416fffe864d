"""Graphs as text."""

import io

import numpy as np
import pytest

from bpcore import graph
from bpcore.graph import Variable
from helpers.graphs import example


def shown(J):
    file = io.StringIO()
    J.show(file)
    return file.getvalue()


def operations(J):
    """The operation in each row of the table, by the name in it."""
    head, *lines = shown(J).splitlines()
    at = head.index("operation")
    return {line.split()[0]: line[at:].partition("  ")[0] for line in lines}


SHOWN = """\
name  value  operation  local derivatives        dJ/d(name)
a     2                                          3
b     3                                          12
c     4                                          9
v1    12     b * c      dv1/db = 4, dv1/dc = 3   3
v2    14     a + v1     dv2/da = 1, dv2/dv1 = 1  3
J     42     3 * v2     dJ/dv2 = 3               1
"""
BEFORE = """\
name  value  operation  local derivatives
a     2
b     3
c     4
v1    12     b * c      dv1/db = 4, dv1/dc = 3
v2    14     a + v1     dv2/da = 1, dv2/dv1 = 1
J     42     3 * v2     dJ/dv2 = 3
"""


def test_show_the_example(capsys):
    J = example()
    assert shown(J) == BEFORE
    J.backward()
    assert shown(J) == SHOWN
    J.show()
    assert capsys.readouterr().out == SHOWN
    (2 * J).backward()
    assert shown(J) == BEFORE  # what is known now is no derivative of J


WRITTEN = {
    "x + 1": lambda x: x + 1,
    "(-1) * x": lambda x: -1 * x,
    "-x": lambda x: -x,
    "x ** 2": lambda x: x**2,
    "x * [1, 2, 3]": lambda x: x * [1, 2, 3],
    "x * ((3, 3) norm 3)": lambda x: Variable(np.ones((3, 3)), "x") * np.ones((3, 3)),
    "x @ [1, 2, 3]": lambda x: x @ [1, 2, 3],
    "exp(x)": lambda x: x.exp(),
    "maximum(0, x)": lambda x: graph.maximum(0, x),
    "sum(x)": lambda x: x.sum(),
    "sum(x, axis=0)": lambda x: x.sum(axis=0),
    "mean(x, axis=(0, 1), keepdims=True)": lambda x: x.mean((0, 1), keepdims=True),
    "x[0]": lambda x: x[0],
    "x[-1, 1:]": lambda x: x[-1, 1:],
    "x[..., ::2]": lambda x: x[..., ::2],
    "x[None, :2]": lambda x: x[None, :2],
    "x[[0, 1], [2, 0]]": lambda x: x[[0, 1], np.array([2, 0])],
    "x.T": lambda x: x.T,
    "reshape(x, (3, 2))": lambda x: x.reshape(3, 2),
    "reshape(x, -1)": lambda x: x.reshape(-1),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_operations_are_written(text):
    J = WRITTEN[text](Variable(np.arange(6.0).reshape(2, 3) + 1, "x"))
    assert operations(J)["J"] == text


def test_names_are_unique():
    x, again, v1 = Variable(1.0, "x"), Variable(2.0, "x"), Variable(3.0, "v1")
    J = x * again + v1 * Variable(4.0) + 5.0
    assert list(operations(J)) == ["x", "x_2", "v2", "v1", "v3", "v4", "v5", "J"]
    inner = Variable(1.0, "J")
    assert list(operations(-inner)) == ["J", "v1"]
    J.name = "loss"
    assert list(operations(J))[-1] == "loss"
    J.backward()
    assert "dloss/d(name)" in shown(J)


def test_large_arrays_are_shown_short():
    x, W = Variable(np.ones((100, 30)), "x"), Variable(np.ones((30, 20)), "W")
    z = (x @ W).relu()
    J = z.mean()
    J.backward()
    text = shown(J)
    assert "(100, 30) norm 54.7723" in text
    assert "dv1/dx = (100, 20, 100, 30) Jacobian" in text  # 6 million, not computed
    assert "dv2/dv1 = (100, 20) norm 44.7214" in text
    assert "(30, 20)" in text and max(map(len, text.splitlines())) < 200


def test_repr():
    assert repr(Variable(2.0)) == "Variable(2)"
    assert repr(Variable([1.5, 2.0], "x")) == "Variable([1.5, 2], name='x')"
    assert repr(Variable(np.float32(1.0))) == "Variable(1, float32)"
    assert repr(Variable(np.ones((10, 10)))) == "Variable((10, 10) norm 10)"
