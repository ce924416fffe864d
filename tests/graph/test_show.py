"""Graphs as text, HTML and Graphviz dot."""

import io
import re

import numpy as np
import pytest

from bpcore import graph
from bpcore.graph import Variable
from helpers.graph import normal


def example():
    a, b, c = Variable(2.0, "a"), Variable(3.0, "b"), Variable(4.0, "c")
    return 3 * (a + b * c)


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
DOT = r"""digraph {
  rankdir=LR;
  node [shape=box];
  n0 [label="a\n2\ndJ/da = 3"];
  n1 [label="b\n3\ndJ/db = 12"];
  n2 [label="c\n4\ndJ/dc = 9"];
  n3 [label="v1 = b * c\n12\ndJ/dv1 = 3"];
  n4 [label="v2 = a + v1\n14\ndJ/dv2 = 3"];
  n5 [label="J = 3 * v2\n42\ndJ/dJ = 1"];
  n1 -> n3 [label="4"];
  n2 -> n3 [label="3"];
  n0 -> n4 [label="1"];
  n3 -> n4 [label="1"];
  n4 -> n5 [label="3"];
}"""


def test_show_the_example(capsys):
    J = example()
    assert shown(J) == BEFORE
    J.backward()
    assert shown(J) == SHOWN
    J.show()
    assert capsys.readouterr().out == SHOWN
    assert J._repr_html_() == f"<pre>{SHOWN.rstrip()}</pre>"
    (2 * J).backward()
    assert shown(J) == BEFORE  # what is known now is no derivative of J


def test_dot_of_the_example():
    J = example()
    assert "dJ" not in J.to_dot()
    J.backward()
    assert J.to_dot() == DOT


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


TOKEN = re.compile(r'\s*("(?:[^"\\\n]|\\.)*"|->|[A-Za-z0-9_]+|[\[\]{}=;])')


def parsed(text):
    """Nodes with their labels, and edges, of a graph in a part of the language."""
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, text[at : at + 40]
        tokens.append(match[1])
        at = match.end()
    assert tokens[:2] == ["digraph", "{"] and tokens[-1] == "}"
    statements, statement = [], []
    for token in tokens[2:-1]:
        if token == ";":
            statements.append(statement)
            statement = []
        else:
            statement.append(token)
    assert not statement
    assert statements[:2] == [
        ["rankdir", "=", "LR"],
        ["node", "[", "shape", "=", "box", "]"],
    ]
    nodes, edges = {}, []
    for statement in statements[2:]:
        *ends, left, label, equals, value, right = statement
        assert [left, label, equals, right] == ["[", "label", "=", "]"]
        plain = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value[1:-1])
        lines = plain.split("\n")
        if len(ends) == 1:
            assert ends[0] not in nodes
            nodes[ends[0]] = lines
        else:
            source, arrow, target = ends
            assert arrow == "->" and {source, target} <= set(nodes)
            edges.append((source, target, lines))
    return nodes, edges


def test_dot_is_well_formed():
    x, W = Variable(normal(4, 3), "x"), Variable(normal(3, 2), "W")
    z = graph.tanh(x @ W - [1, 2])
    J = (z[[0, 0], 1] * z.max(axis=0)).sum() / 3
    J.backward()
    nodes, edges = parsed(J.to_dot())
    order = graph.backward.in_order(J)
    assert len(nodes) == len(order)
    assert len(edges) == sum(len(v.edges) for v in order)
    assert nodes["n0"][0] == "x"


@pytest.mark.parametrize(
    "name",
    ['say "a"', "back\\slash", "end\\", '\\"', "<b>", "a;b", "] -> {", "é", "\\N"],
)
def test_names_are_escaped(name):
    J = 2 * Variable(3.0, name)
    J.backward()
    nodes, edges = parsed(J.to_dot())
    assert nodes["n0"][0] == name and nodes["n1"][0] == f"J = 2 * {name}"
    assert edges == [("n0", "n1", ["2"])]


def test_html_is_escaped():
    html = Variable(1.0, "<script>")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html
