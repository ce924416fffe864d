"""Graphs of any depth are copied, pickled, shown and freed without recursion."""

import copy
import gc
import io
import itertools
import pickle

import numpy as np
import pytest

from bpcore import graph
from bpcore.graph import Variable
from helpers import each_library

DEEP = 6_000


def chain(length):
    """Two leaves, and everything computed from them one after the other."""
    x, y = Variable(1.5, "x"), Variable(1e-5, "y")
    found = [x]
    for i in range(length):
        found.append(found[-1] * (1 + y) if i % 2 else found[-1] + y)
    return x, y, found


PICKLES = {
    f"protocol {protocol}": lambda x, protocol=protocol: pickle.loads(
        pickle.dumps(x, protocol)
    )
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
}
COPIES = {
    "deepcopy": copy.deepcopy,
    **PICKLES,
    "Python's pickler": lambda x: pickle._loads(pickle._dumps(x)),  # noqa: SLF001
}


@pytest.fixture(scope="module")
def deep():
    x, y, found = chain(DEEP)
    found[-1].backward()
    return x, y, found


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("first", ["J", "leaves"])
def test_deep_graphs(deep, duplicate, first):
    x, y, found = deep
    J = found[-1]
    given = (J, x, y) if first == "J" else (y, x, J)
    by_name = {v.name: v for v in duplicate(given)}
    other, x2, y2 = by_name[None], by_name["x"], by_name["y"]
    assert x2 is not x and other.value == J.value
    assert (x2.grad, y2.grad) == (x.grad, y.grad)
    x2.node.grad = y2.node.grad = None
    other.backward()
    assert (x2.grad, y2.grad) == (x.grad, y.grad)


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("order", [1, -1])
def test_all_variables_of_a_graph_at_once(duplicate, order):
    x, y, found = chain(3000)
    others = duplicate({"y": y, "all": found[::order]})
    copied = others["all"][::order]
    copied[-1].backward()
    found[-1].backward()
    assert copied[0].grad == x.grad and others["y"].grad == y.grad
    assert all(b.node.operands[0] is a for a, b in itertools.pairwise(copied))
    assert copied[1].node.operands[1] is others["y"]


def graphs():
    """Every operation once, in two results that share a part."""
    a = Variable(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), "a")
    b = Variable([0.5, 0.25])
    shared = graph.tanh(a @ a.T) * b + [1.0, 2.0]
    first = (shared[[0, 0, 1], 1:] ** 2).sum() + shared[..., None][0].mean()
    second = graph.maximum(graph.log(graph.exp(shared)), graph.relu(-b)).reshape(-1)
    second = graph.sqrt(graph.abs(second / 3 - graph.sigmoid(b).max()))
    return a, b, first, second


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_every_operation_and_what_is_shared(duplicate):
    a, b, first, second = graphs()
    second.backward(np.arange(4.0))
    given = {"second": second, "a": a, "first": first, "b": b}
    copied = duplicate(given)
    assert np.array_equal(copied["a"].grad, a.grad)
    shown = [io.StringIO(), io.StringIO()]
    for file, names in zip(shown, (given, copied), strict=True):
        names["second"].show(file)  # with the derivatives that it had
    assert shown[0].getvalue() == shown[1].getvalue()
    assert "dJ/d(name)" in shown[0].getvalue()
    for names in (given, copied):
        names["first"].backward()
    for name in ("a", "b"):
        assert copied[name].grad.tobytes() == given[name].grad.tobytes()
    assert copied["first"].to_dot() == first.to_dot()
    copied["a"].value = np.zeros((2, 2))
    assert a.value[0, 0] == 1


def test_part_of_a_graph_in_one_pickler_after_another():
    a, b, first, second = graphs()
    for _ in range(2):
        file = io.BytesIO()
        pickler = pickle.Pickler(file)
        pickler.dump(second)
        pickler.dump([first, a])
        file.seek(0)
        unpickler = pickle.Unpickler(file)
        unpickler.load()
        other, a2 = unpickler.load()
        other.backward()
        first.backward()
        assert np.array_equal(a2.grad, a.grad)
        assert not np.shares_memory(pickle.loads(pickle.dumps(b)).value, b.value)


def test_a_pickle_has_what_there_is_when_it_is_written():
    x = Variable(2.0, "x")
    J = x * x
    before = pickle.dumps(J)
    J.backward()
    after = pickle.loads(pickle.dumps(J))
    assert pickle.loads(before).edges[0].source.grad is None
    assert after.edges[0].source.grad == 4


def test_shallow_copies_share_their_operands():
    x, _, found = chain(3)
    other = copy.copy(found[-1])
    assert (
        other is not found[-1] and other.edges[0].source is found[-1].node.operands[0]
    )
    other.backward()
    assert x.grad is not None
    leaf = copy.copy(x)
    leaf.name = "another"
    assert x.name == "x" and leaf.value is x.value


class Named(Variable):
    """A class of the user, with an attribute."""


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_subclasses_keep_their_class_and_attributes(duplicate):
    x = Named([1.0, 2.0])
    x.unit = {"of": "length"}
    J = (x * 2).sum()
    x2, J2 = duplicate([x, J])
    assert type(x2) is Named and x2.unit == {"of": "length"} and x2.unit is not x.unit
    J2.backward()
    assert x2.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@each_library
def test_networks_in_graphs(Network, duplicate):
    net = Network([2, 4, 1], norm="batch", dropout=0.25, rng=0)
    X, t = np.arange(8.0).reshape(4, 2), [[1.0], [0.0], [1.0], [0.0]]
    J = ((net.node(X) - t) ** 2).mean()
    J2, net2 = duplicate((J, net))
    for each in (J, J2):
        each.backward()
    assert net2 is not net and J2.value == J.value
    flat = net.stored_gradients.flat
    assert net2.stored_gradients.flat.tobytes() == flat.tobytes()
    net.apply()
    net2.apply()
    assert net2.parameters.tobytes() == net.parameters.tobytes()
    assert net2.running_moments[0].tobytes() == net.running_moments[0].tobytes()


def test_nothing_of_a_pickle_stays_behind():
    found = chain(10)[2]
    pickle.dumps(found[-1])
    assert all(v.node.record is None or v.node.record() is None for v in found)


def test_deep_graphs_are_forgotten_without_recursion():
    gc.disable()
    try:
        x, _, found = chain(100_000)
        J = found[-1]
        del found
        value = x.value
        del x, _, J
    finally:
        gc.enable()
    assert value == 1.5


def test_deep_graphs_are_shown(deep):
    J = deep[2][-1]
    file = io.StringIO()
    J.show(file, all=True)
    assert file.getvalue().count("\n") >= DEEP
    assert J.to_dot(all=True).count("->") >= DEEP
    assert J._repr_html_() and repr(J) and J.edges


@pytest.mark.parametrize("name", ["deepcopy", f"protocol {pickle.DEFAULT_PROTOCOL}"])
def test_edges_can_be_copied(deep, name):
    edge = deep[2][-1].edges[0]
    assert COPIES[name](edge).derivative == edge.derivative
