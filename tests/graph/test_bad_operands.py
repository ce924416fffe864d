"""Values, operands, names and arguments that graphs refuse."""

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph
from bpcore.graph import Variable

NO_NUMBERS = {
    "text": "1.0",
    "None": None,
    "complex": 1j,
    "complex array": np.ones(2) * 1j,
    "objects": np.array([1, "a"], object),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "set": {1.0},
    "variable": Variable(1.0),
    "variables": [Variable(1.0)],
}


@pytest.mark.parametrize("bad", NO_NUMBERS.values(), ids=list(NO_NUMBERS))
def test_bad_value(bad):
    with pytest.raises(TypeError, match=r"^(value must|a Variable is not an array)"):
        Variable(bad)
    x = Variable([1.0, 2.0])
    with pytest.raises(TypeError, match=r"^(value must|a Variable is not an array)"):
        x.value = bad
    assert x.value.tolist() == [1, 2]


OPERATIONS = {
    "x + bad": lambda x, bad: x + bad,
    "bad * x": lambda x, bad: bad * x,
    "x @ bad": lambda x, bad: x @ bad,
    "maximum(bad, x)": lambda x, bad: graph.maximum(bad, x),
    "exp(bad)": lambda x, bad: graph.exp(bad),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    "bad", [bad for key, bad in NO_NUMBERS.items() if key != "variable"], ids=str
)
def test_bad_operand(bad, operation):
    x = Variable([1.0, 2.0])
    with pytest.raises(TypeError, match=r"^(operand must|a Variable is not an arr)"):
        OPERATIONS[operation](x, bad)


def test_ragged_values():
    with pytest.raises(ValueError, match=r"^value must be a regular array .* ragged"):
        Variable([[1, 2], [3]])


@pytest.mark.parametrize("bad", [1, b"x", ["x"]])
def test_bad_name(bad):
    x = Variable(1.0, "x")
    with pytest.raises(TypeError, match=r"^name must be a string; got "):
        Variable(1.0, bad)
    with pytest.raises(TypeError, match=r"^name must be a string; got "):
        x.name = bad
    assert x.name == "x"


BAD_SHAPES = {
    "x + (2,)": lambda x: x + np.ones(2),
    "x @ x": lambda x: x @ x,
    "sum(axis=2)": lambda x: x.sum(axis=2),
    "reshape(4)": lambda x: x.reshape(4),
    "x @ 2": lambda x: x @ 2,
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_bad_shapes(name):
    with pytest.raises(ValueError):
        BAD_SHAPES[name](Variable(np.ones((2, 3))))


def test_bad_index_and_bad_shapes_of_values():
    x = Variable(np.ones((2, 3)))
    with pytest.raises(IndexError):
        x[2]
    with pytest.raises(
        ValueError, match=r"^value must have shape \(2, 3\); got \(3,\)"
    ):
        x.value = np.ones(3)
    with pytest.raises(ValueError, match=r"^value must not be assigned to a computed"):
        (x + 1).value = np.ones((2, 3))


def test_bad_beginning():
    x = Variable([1.0, 2.0])
    y = x * 2
    one = r"^backward\(\) must begin at one element, .* shape \(2,\); got none$"
    with pytest.raises(ValueError, match=one):
        y.backward()
    with pytest.raises(
        ValueError, match=r"^gradient must have shape \(2,\); got \(\)$"
    ):
        y.backward(1.0)
    with pytest.raises(ValueError, match=r"must have shape \(\); got \(1,\)$"):
        y.sum().backward([1.0])
    with pytest.raises(TypeError, match=r"^gradient must hold real numbers"):
        y.backward(["a", "b"])
    with pytest.raises(ValueError, match=r"shape \(0,\); got none$"):
        Variable(np.zeros(0)).backward()
    assert x.grad is None and y.grad is None


@pytest.mark.parametrize(
    "of_numpy, own",
    [
        (np.exp, graph.exp),
        (np.log, graph.log),
        (np.abs, graph.abs),
        (np.sqrt, graph.sqrt),
        (np.tanh, graph.tanh),
        (lambda x: np.maximum(1.5, x), lambda x: graph.maximum(1.5, x)),
        (lambda x: np.add(np.ones(2), x), lambda x: 1 + x),
        (lambda x: np.power(x, 2), lambda x: x**2),
        (np.sum, graph.sum),
        (lambda x: np.sum(x, axis=0, keepdims=True), lambda x: x.sum(0, True)),
        (np.mean, graph.mean),
        (np.max, graph.max),
        (np.min, graph.min),
        (lambda x: np.reshape(x, (2, 1)), lambda x: x.reshape(2, 1)),
    ],
    ids=[
        *("exp", "log", "abs", "sqrt", "tanh", "maximum", "add", "power"),
        *("sum", "sum(axis=0)", "mean", "max", "min", "reshape"),
    ],
)
def test_functions_of_numpy_are_those_of_the_graph(of_numpy, own):
    x = Variable([1.0, 2.0])
    found = []
    for f in (of_numpy, own):
        J = f(x)
        assert isinstance(J, Variable)
        J.backward(np.ones(J.shape))
        found.append((J.value.tolist(), x.grad.tolist()))
    assert found[0] == found[1]


@pytest.mark.parametrize("f", [np.asarray, np.array], ids=["asarray", "array"])
def test_a_variable_is_no_array(f):
    x = Variable([1.0, 2.0])
    with pytest.raises(TypeError, match="Variable"):
        f(x)


@pytest.mark.parametrize(
    "f",
    [np.sin, np.argmax, np.add.reduce, lambda x: np.exp(x, out=np.ones(2))],
    ids=["sin", "argmax", "add.reduce", "exp(out=)"],
)
def test_functions_of_numpy_that_are_no_operations(f):
    x = Variable([1.0, 2.0])
    with pytest.raises(TypeError, match=r"no operation of bpcore.graph, .* exp, "):
        f(x)


def test_messages_distinguish_arrays():
    x = Variable([1.0, 2.0])
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(x)
    assert float(x[1]) == x[1].item() == 2.0
    with pytest.raises(AttributeError):
        x.grad = 0
    with pytest.raises(AttributeError):
        x.velocity = 0  # a slip of the pen
    assert isinstance(np.ones(2) + x, Variable)
    assert isinstance(np.float64(2) * x, Variable)
    assert isinstance(np.ones((2, 2)) @ x, Variable)


def test_exported():
    assert bp.graph is graph


COMPARISONS = {
    "x == y": lambda x, y: x == y,
    "x != y": lambda x, y: x != y,
    "x < 2": lambda x, y: x < 2,
    "x <= y": lambda x, y: x <= y,
    "x > y": lambda x, y: x > y,
    "x <= 2": lambda x, y: x <= 2,
    "y > x": lambda x, y: y > x,
    "greater(y, x)": lambda x, y: np.greater(y, x),
}


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_of_values(name):
    """They give arrays, for losses that compare."""
    x, y = Variable([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    found = COMPARISONS[name](x, y)
    assert isinstance(found, np.ndarray)
    assert found.tolist() == COMPARISONS[name](x.value, y).tolist()


def test_variables_are_multiplied_by_comparisons_hashed_and_searched():
    x = Variable([1.0, 2.0, 3.0])
    (x * (x > 1)).sum().backward()
    assert x.grad.tolist() == [0, 1, 1]
    assert len({x, x, Variable(1.0)}) == 2
    assert 3.0 in x and 4.0 not in x


def test_iteration():
    x = Variable([1.0, 2.0])
    sum(x, Variable(0.0)).backward()
    assert x.grad.tolist() == [1, 1]
    with pytest.raises(TypeError):
        iter(Variable(3.0))


def test_many_of_one_name():
    """In linear time, and with different names."""
    J = sum((Variable(1.0, "w") for _ in range(3000)), Variable(0.0))
    names = set(graph.show.names(graph.backward.in_order(J)).values())
    assert len(names) == 6001 and {"w", "w_2", "w_3000"} <= names


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize(
    "value, axis", [(3.0, 0), (3.0, -1), (3.0, (0,)), ([1.0], 1), ([[1.0]], (0, 0))]
)
def test_axes_that_are_not_there(name, value, axis):
    with pytest.raises(ValueError, match="axis"):
        getattr(Variable(value), name)(axis=axis)
    with pytest.raises(ValueError, match="axis"):
        getattr(graph, name)(value, axis=axis)
