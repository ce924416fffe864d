"""Backward through whole graphs, their dtypes, and the derivatives along edges."""

import copy
import gc

import numpy as np
import pytest

from bpcore import graph
from bpcore.graph import Edge, Variable
from helpers.graph import BINARY, UNARY, apart, assert_right, differences, normal

# --- graphs ---------------------------------------------------------------------------


def test_the_example():
    a, b, c = Variable(2.0, "a"), Variable(3.0, "b"), Variable(4.0, "c")
    J = 3 * (a + b * c)
    assert J.value == 42 and J.grad is None
    J.backward()
    assert (a.grad, b.grad, c.grad) == (3, 3 * 4, 3 * 3)
    assert J.grad == 1


def test_a_node_used_again():
    assert_right(lambda x: x * x + x, normal(3), reference=lambda x: x * x + x)
    assert_right(lambda x: x @ x, normal(3, 3), reference=lambda x: x @ x)

    def diamonds(x):
        for _ in range(30):  # 2^30 paths
            x = 0.5 * x + 0.5 * x.tanh()
        return x

    def reference(x):
        for _ in range(30):
            x = 0.5 * x + 0.5 * np.tanh(x)
        return x

    assert_right(diamonds, normal(2), reference=reference)


@pytest.mark.parametrize("seed", range(20))
def test_random_expressions(seed):
    """Every value is used, some several times; all against differences."""
    rng = np.random.default_rng(seed)
    unary = [np.tanh, lambda x: x / (1 + x * x), lambda x: (x - 0.3) * 0.5]
    own = [graph.tanh, unary[1], unary[2]]
    plan = [(rng.integers(3), rng.integers(0, 3 + k, 2)) for k in range(12)]
    product = rng.integers(2, size=12)

    def build(functions, *arrays):
        made = [*arrays]
        for (k, (i, j)), times in zip(plan, product, strict=True):
            x, y = made[i], made[j]
            made.append(functions[k](x * y if times else x + y))
        total = made[-1]
        for x in made[:-1]:
            total = total + x
        return total

    shapes = [(2, 3), (3,), (2, 1)]
    assert_right(
        lambda *x: build(own, *x),
        *(rng.normal(size=shape) for shape in shapes),
        reference=lambda *x: build(unary, *x),
    )


def test_every_call_begins_anew():
    x = Variable([1.0, 2.0])
    y = x * x
    J, K = y.sum(), (3 * y).sum()
    J.backward()
    J.backward()
    assert x.grad.tolist() == [2, 4]
    K.backward()
    assert x.grad.tolist() == [6, 12] and y.grad.tolist() == [3, 3]
    assert J.grad == 1  # not in the graph of K


def test_gradients_are_arrays_of_their_own():
    x, y = Variable(np.ones((2, 3))), Variable(np.ones((2, 3)))
    z = x + y
    J = z.reshape(3, 2).T.sum()
    seed = np.ones(())
    J.backward(seed)
    for v in (x, y, z, J):
        v.grad[...] = 7
        assert v.grad.flags.owndata
    assert seed == 1 and (x.value == 1).all()
    x.grad[...] = 5
    assert (y.grad == 7).all()


def test_a_gradient_given():
    x = Variable([1.0, 2.0])
    y = x * x
    y.backward([1, 10])
    assert x.grad.tolist() == [2, 40] and y.grad.tolist() == [1, 10]
    one = Variable([[3.0]])
    (one * 2).backward()
    assert one.grad.tolist() == [[2]]


def test_deep_chains():
    """Without recursion and in linear time, also when the graph is freed."""
    x = v = Variable(1.0)
    for _ in range(100_000):
        v = v + 1e-5 * x
    assert v.value == pytest.approx(2)
    v.backward()
    assert x.grad == pytest.approx(2)
    assert len(graph.backward.in_order(v)) == 200_001
    del v
    gc.collect()
    x = v = Variable(np.ones(3))
    for _ in range(100_000):
        v = -v
    v.backward(np.ones(3))
    assert x.grad.tolist() == [1, 1, 1]
    v = None


def test_many_uses_of_one_variable():
    x = Variable(2.0)
    total = x
    for _ in range(2000):
        total = total + x * x
    total.backward()
    assert x.grad == 1 + 2000 * 4


def test_copies():
    x = Variable([1.0, 2.0], "x")
    J = copy.deepcopy((x * x).sum())
    J.backward()
    square = J.edges[0].source
    assert square.edges[0].source.grad.tolist() == [2, 4]
    assert x.grad is None
    K = J * 2
    K.backward()
    assert square.edges[0].source.grad.tolist() == [4, 8]


def test_assigned_values():
    x = Variable([1.0, 2.0])
    square = x * x
    x.value = [5, 6]
    assert x.value.dtype == np.float64
    square.backward(np.ones(2))
    assert x.grad.tolist() == [2, 4]  # of what it was computed from
    x.value -= 0.5 * x.grad
    assert x.value.tolist() == [4, 4]


# --- dtypes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    (1, [1, 2], np.arange(3), True, np.float16(1), 2.5),
    ids=["int", "list", "int array", "bool", "float16", "float"],
)
def test_values_that_are_converted_to_float64(value):
    assert Variable(value).dtype == np.float64


def test_values():
    single, double = np.ones(3, "float32"), np.ones(3)
    assert Variable(single).value is single and Variable(double).value is double
    x = Variable([[1, 2, 3]], name="x")
    assert (x.shape, x.ndim, x.size, len(x), x.name) == ((1, 3), 2, 3, 1, "x")
    assert [row.value.tolist() for row in x] == [[1, 2, 3]]


SINGLE = {
    "number": lambda x: 2 * x + 1 - x / 3,
    "scalar": lambda x: np.float64(2) * x + np.sqrt(2.0),
    "integers": lambda x: x * np.arange(3) + [1, 2, 3],
    "bools": lambda x: x * np.array([True, False, True]),
    "array": lambda x: x * np.ones(3, "float32"),
    "power": lambda x: x**2 + x**-0.5 + 2**x,
    "reductions": lambda x: x.sum() + x.mean() + x.max() + x.min(),
    "functions": lambda x: x.exp() + x.log() + x.tanh() + x.sigmoid() + x.sqrt(),
    "kinks": lambda x: x.relu() + abs(x) + graph.maximum(0, x) + x.minimum(1),
    "products": lambda x: x @ x + x[[0, 0]] @ np.ones(2, "float32"),
    "shapes": lambda x: x.reshape(3, 1).T[:, ::2],
}


@pytest.mark.parametrize("name", SINGLE)
def test_float32_is_kept(name):
    x = Variable(np.array([1.0, 2.0, 3.0], "float32"))
    J = SINGLE[name](x)
    total = J.sum()
    total.backward()
    assert {v.dtype for v in graph.backward.in_order(total)} == {np.dtype("float32")}
    assert x.grad.dtype == np.float32
    assert all(edge.derivative.dtype == np.float32 for edge in J.edges)
    double = Variable([1.0, 2.0, 3.0])
    SINGLE[name](double).sum().backward()
    np.testing.assert_allclose(x.grad, double.grad, rtol=1e-5)


def test_mixed_dtypes():
    x, y = Variable(np.ones(2, "float32")), Variable(np.ones(2))
    J = (x * y * np.ones(2)).sum()
    assert J.dtype == np.float64
    J.backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64


# --- edges ----------------------------------------------------------------------------


def jacobian(f, x):
    """By central differences, value.shape + x.shape."""
    rows = [
        differences(lambda x, k=k: f(x).reshape(-1)[k], [x], 1.0)[0]
        for k in range(f(x).size)
    ]
    return np.reshape(rows, f(x).shape + x.shape)


WHOLE = {
    "sum": (lambda x: x.sum(axis=0), lambda x: x.sum(axis=0)),
    "mean": (lambda x: x.mean(axis=1), lambda x: x.mean(axis=1)),
    "max": (lambda x: x.max(axis=1), lambda x: x.max(axis=1)),
    "min": (lambda x: x.min(), lambda x: x.min()),
    "matmul": (lambda x: x @ np.eye(4)[:, :3], lambda x: x @ np.eye(4)[:, :3]),
    "left": (lambda x: np.ones(3) @ x, lambda x: np.ones(3) @ x),
    "index": (lambda x: x[[0, 0, 2]], lambda x: x[[0, 0, 2]]),
    "reshape": (lambda x: x.reshape(2, 6), lambda x: x.reshape(2, 6)),
    "transpose": (lambda x: x.T, lambda x: x.T),
}


@pytest.mark.parametrize("name", WHOLE)
def test_jacobians(name):
    f, reference = WHOLE[name]
    x = apart(3, 4)
    (edge,) = f(Variable(x)).edges
    expected = jacobian(lambda x: np.asarray(reference(x)), x.copy())
    assert edge.derivative.shape == edge.shape == expected.shape
    np.testing.assert_allclose(edge.derivative, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", UNARY)
def test_local_derivatives(name):
    reference, numbers = UNARY[name]
    x = numbers(2, 3)
    (edge,) = getattr(graph, name)(Variable(x)).edges
    expected = differences(reference, [x.copy()], 1.0)[0]
    np.testing.assert_allclose(edge.derivative, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", BINARY)
def test_local_derivatives_by_both(name):
    f, numbers = BINARY[name]
    a, b = numbers(2, 3), numbers(3)
    J = f(Variable(a, "a"), Variable(b, "b"))
    assert [edge.source.name for edge in J.edges] == ["a", "b"]
    wide = [a.copy(), np.broadcast_to(b, (2, 3)).copy()]
    for edge, expected in zip(J.edges, differences(f, wide, 1.0), strict=True):
        assert edge.target is J and edge.derivative.shape == edge.shape == (2, 3)
        np.testing.assert_allclose(edge.derivative, expected, rtol=1e-6, atol=1e-8)


def test_edges():
    x = Variable(2.0, "x")
    assert x.edges == ()
    assert [edge.derivative.item() for edge in (x * x).edges] == [2, 2]
    assert len((3 - x).edges) == 1  # nothing leads from a constant
    edge = (3 - x).edges[0]
    assert isinstance(edge, Edge) and edge.derivative == -1
    edge.derivative[...] = 9  # a new array each time
    assert edge.derivative == -1
    assert "x" in repr(edge) and len(repr(edge)) < 100
