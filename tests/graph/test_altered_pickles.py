"""Altered pickles of graphs are refused."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore.graph import Variable, exp
from bpcore.graph.copies import Record, recorded

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def parts():
    """Classes and contents of the record of an expression."""
    a, b = Variable([1.0, 2.0], "a"), Variable(3.0, "b")
    J = (exp(a * b) + a).sum()
    record, _ = J.__reduce__()[1]
    _, (classes,), contents = record.__reduce__()
    return classes, contents


def refused(classes, contents, match):
    with pytest.raises((ValueError, TypeError), match=match):
        Record(classes).__setstate__(contents)


def altered(i, name, value):
    classes, contents = parts()
    contents[i][0][name] = value
    return classes, contents


@pytest.mark.parametrize(
    ("i", "name", "value", "match"),
    [
        (2, "operands", (0, 2), "operands of variable 2 must come before it"),
        (2, "operands", (0, 4), "operands of variable 2 must come before it"),
        (2, "operands", (0, -1), "operands of variable 2 must come before it"),
        (2, "operands", (0, 2**64), "operands of variable 2 must come before it"),
        (2, "operands", (0,), "with a value each"),
        (2, "operands", [0, 1], "operands must be a tuple"),
        (2, "operands", (0, "b"), r"operands\[1\] must be"),
        (2, "values", (np.zeros(2),), "with a value each"),
        (2, "values", (np.zeros(2), 3.0), r"values\[1\] must be"),
        (2, "operation", None, "operands must be those of an operation"),
        (2, "operation", "add", "operation must be a Operation"),
        (0, "value", 1.0, "value must be a ndarray"),
        (0, "name", 3, "name must be a str"),
        (0, "grad", 3, "grad must be a ndarray"),
        (0, "options", None, "options must be a dict"),
        (0, "record", 3, "record must be a NoneType"),
        (0, "more", 3, "a node must have its fields"),
    ],
)
def test_an_altered_node_is_refused(i, name, value, match):
    refused(*altered(i, name, value), match)


def test_a_variable_that_depends_on_itself_is_refused():
    """Walking through such a graph would never end."""
    classes, contents = parts()
    record = Record(classes)
    contents[2][0]["operands"] = (0, record.variables[3])
    with pytest.raises(ValueError, match="must come before it"):
        record.__setstate__(contents)


def test_other_contents_are_refused():
    classes, contents = parts()
    refused(classes, contents[:-1], "as many")
    refused(classes, tuple(contents), "must be a list")
    refused(classes, [*contents[:-1], 3], "two contents")
    refused(classes, [*contents[:-1], ({}, [])], "content of a variable")
    refused(classes, [*contents[:-1], (contents[-1][0], {"more": 1})], "must not have")
    refused(classes, [*contents[:-1], (contents[-1][0], {3: 1})], "attribute")
    for wrong in (dict, 3):
        with pytest.raises(TypeError, match="must be of variables"):
            Record([*classes[:-1], wrong])
    record = Record(classes)
    with pytest.raises(IndexError, match="position"):
        recorded(record, len(classes))
    with pytest.raises(TypeError, match="record"):
        recorded(3, 0)


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("network", 3, "network must be a Network"),
        ("tape", (X,), "tape must be a Tape"),
        ("epochs", "1", "epochs must be"),
        ("written", None, "written must be"),
        ("gradients", X, "gradients must be"),
        ("more", 1, "unknown"),
    ],
)
def test_an_altered_operation_of_a_network_is_refused(name, value, match):
    net = bp.Network([3, 2], rng=0)
    operation = net.node(X).node.operation
    state = vars(operation) | {name: value}
    with pytest.raises((ValueError, TypeError), match=match):
        object.__new__(type(operation)).__setstate__(state)


def test_a_graph_with_a_network_is_read():
    J = (bp.Network([3, 2], rng=0).node(X) ** 2).mean()
    J.backward()
    same = pickle.loads(pickle.dumps(J))
    same.backward()
    assert same.item() == J.item()
