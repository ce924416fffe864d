"""The computation graph: values as NumPy's, derivatives as central differences."""

import copy
import gc
import io
import re

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph
from bpcore.graph import Edge, Variable
from bpcore.graph.operations import OPERATIONS

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape)


def positive(*shape):
    return RNG.uniform(0.5, 2.0, shape)


def apart(*shape):
    """Distinct numbers, none near another or near 0."""
    size = int(np.prod(shape))
    return (RNG.permutation(size) - size // 2 + 0.5).reshape(shape) * 0.3


def differences(f, arrays, weight, step=1e-6):
    """d sum(weight f) by each element of each array."""
    found = []
    for x in arrays:
        d = np.empty(x.shape)
        for at in np.ndindex(x.shape):
            kept = x[at]
            x[at] = kept + step
            above = np.asarray(f(*arrays)).copy()
            x[at] = kept - step
            below = np.asarray(f(*arrays)).copy()
            x[at] = kept
            d[at] = (weight * (above - below)).sum() / (2 * step)
        found.append(d)
    return found


def assert_right(f, *arrays, reference=None, moves=True):
    """Value and derivatives of f, of variables, against `reference`, of arrays.

    If it `moves` not all derivatives may be zero, which would prove nothing.
    """
    arrays = [np.array(x, dtype=np.float64) for x in arrays]
    variables = [Variable(x.copy()) for x in arrays]
    J = f(*variables)
    value = reference or (lambda *x: f(*map(Variable, x)).value)
    np.testing.assert_allclose(J.value, value(*arrays), rtol=1e-14, atol=1e-15)
    assert J.shape == np.shape(value(*arrays))
    weight = RNG.normal(size=J.shape)
    J.backward(weight)
    for x, expected in zip(variables, differences(value, arrays, weight), strict=True):
        assert x.grad.shape == x.shape and x.grad.dtype == x.dtype
        np.testing.assert_allclose(x.grad, expected, rtol=1e-6, atol=1e-8)
    if J.size and moves:
        assert any(np.any(x.grad) for x in variables)
    return variables, J


# --- every operation ------------------------------------------------------------------

UNARY = {
    "exp": (np.exp, normal),
    "log": (np.log, positive),
    "tanh": (np.tanh, normal),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), normal),
    "relu": (lambda x: np.maximum(x, 0), apart),
    "sqrt": (np.sqrt, positive),
    "abs": (np.abs, apart),
}
BINARY = {
    "add": (lambda a, b: a + b, normal),
    "subtract": (lambda a, b: a - b, normal),
    "multiply": (lambda a, b: a * b, normal),
    "divide": (lambda a, b: a / b, positive),
    "power": (lambda a, b: a**b, positive),
}
EXTREMES = {"maximum": np.maximum, "minimum": np.minimum}
SHAPES = [
    ((), ()),
    ((3,), (3,)),
    ((3,), ()),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((2, 3), (2, 1)),
    ((4, 2, 3), (2, 3)),
    ((4, 1, 3), (2, 1)),
    ((1,), (2, 2)),
    ((1, 1), ()),
    ((0, 3), (3,)),
    ((0,), (1,)),
]
REDUCTIONS = ["sum", "mean", "max", "min"]
AXES = [None, 0, 1, -1, (0, 2), (-1, 0, 1), ()]


def test_the_tables_have_every_operation():
    whole = {"negative", "matmul", "take", "reshape", "transpose"}
    tables = {*UNARY, *BINARY, *EXTREMES, *REDUCTIONS, *whole}
    assert tables == {*OPERATIONS}
    functions = {*graph.__all__} - {"Edge", "Variable"}
    assert functions == {*UNARY, *EXTREMES, *REDUCTIONS, "reshape"}
    assert all(hasattr(Variable, name) for name in functions)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (0,), (2, 0, 3), (2, 1, 3)])
@pytest.mark.parametrize("name", UNARY)
def test_functions(name, shape):
    reference, numbers = UNARY[name]
    x = numbers(*shape)
    assert_right(getattr(graph, name), x, reference=reference)
    assert_right(lambda x: getattr(x, name)(), x, reference=reference)
    assert np.array_equal(
        getattr(graph, name)(x).value, getattr(Variable(x), name)().value
    )


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_operators(name, shapes):
    f, numbers = BINARY[name]
    a, b = (numbers(*shape) for shape in shapes)
    assert_right(f, a, b, reference=f)
    # Arrays and numbers on either side.
    assert_right(lambda a: f(a, b), a, reference=lambda a: f(a, b))
    assert_right(lambda b: f(a, b), b, reference=lambda b: f(a, b))
    assert_right(lambda a: f(a, 1.5), a, reference=lambda a: f(a, 1.5))
    assert_right(lambda b: f(1.5, b), b, reference=lambda b: f(1.5, b))
    if a.size:
        assert_right(lambda b: f(a.tolist(), b), b, reference=lambda b: f(a, b))


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", EXTREMES)
def test_extremes(name, shapes):
    reference, f = EXTREMES[name], getattr(graph, name)
    a, b = apart(*shapes[0]), apart(*shapes[1]) + 0.07
    assert_right(f, a, b, reference=reference)
    for g, x, h in (
        (lambda a: getattr(a, name)(b), a, lambda a: reference(a, b)),
        (lambda b: f(a, b), b, lambda b: reference(a, b)),
        (lambda b: f(0.1, b), b, lambda b: reference(0.1, b)),
    ):
        assert_right(g, x, reference=h, moves=False)  # it may be the other throughout


def test_negative():
    assert_right(lambda x: -x, normal(2, 3), reference=np.negative)
    assert abs(Variable(-2.0)).value == 2


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, axis, keepdims):
    x = apart(2, 3, 4)
    options = {"axis": axis, "keepdims": keepdims}
    f, reference = getattr(graph, name), getattr(np, name)
    assert_right(
        lambda x: f(x, **options), x, reference=lambda x: reference(x, **options)
    )
    assert np.array_equal(
        getattr(Variable(x), name)(axis, keepdims).value, reference(x, **options)
    )


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_a_number(name):
    assert_right(lambda x: getattr(x, name)(), normal(), reference=lambda x: x)


def test_reductions_of_nothing():
    x = Variable(np.zeros((0, 3)))
    for J, shape in ((x.sum(), ()), (x.sum(axis=0), (3,)), (x.max(axis=1), (0,))):
        assert J.shape == shape
        J.backward(np.ones(shape))
        assert x.grad.shape == (0, 3)
    y = Variable(np.zeros((0, 3)))
    y.mean(axis=1).backward(np.zeros(0))
    assert y.grad.shape == (0, 3)
    with pytest.raises(ValueError, match="no identity"):
        x.max()


MATMULS = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((4, 1, 2, 3), (5, 3, 2)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((4, 5, 2, 3), (3,)),
    ((2, 0), (0, 3)),
    ((0, 2), (2, 3)),
]


@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul(shapes):
    a, b = (normal(*shape) for shape in shapes)

    def product(a, b):
        return a @ b

    if a.size:
        assert_right(product, a, b, reference=product)
        assert_right(lambda a: a @ b, a, reference=lambda a: a @ b)
        assert_right(lambda b: a @ b, b, reference=lambda b: a @ b)
    else:
        A, B = Variable(a), Variable(b)
        J = A @ B
        assert np.array_equal(J.value, a @ b)
        J.backward(np.ones(J.shape))
        assert A.grad.shape == a.shape and not B.grad.any()


INDICES = {
    "number": 1,
    "last": -1,
    "slice": slice(1, 3),
    "step": slice(None, None, -2),
    "pair": (1, 2),
    "row": (2, slice(1, None)),
    "column": (slice(None), 0),
    "ellipsis": (..., 1),
    "new axis": (None, slice(None), 1),
    "list": [0, 2],
    "repeats": np.array([0, 2, 0, 0]),
    "rows": (np.arange(4), np.array([2, 0, 1, 1])),
    "repeated pairs": (np.array([1, 1, 1]), np.array([2, 2, 0])),
    "matrix": np.array([[0, 1], [1, 3]]),
    "mask": RNG.random((4, 3)) < 0.5,
    "row mask": np.array([True, False, True, True]),
    "nothing": slice(2, 2),
    "numpy number": np.int64(2),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=list(INDICES))
def test_indexing(index):
    assert_right(lambda x: x[index], normal(4, 3), reference=lambda x: x[index])


@pytest.mark.parametrize("shape", [(6, 4), (-1,), (4, 3, 2), (2, 3, 4)], ids=str)
def test_reshape(shape):
    x = normal(2, 3, 4)
    for f in (
        lambda x: x.reshape(shape),
        lambda x: x.reshape(*shape),
        lambda x: graph.reshape(x, shape),
    ):
        assert_right(f, x, reference=lambda x: np.reshape(x, shape))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)], ids=str)
def test_transpose(shape):
    assert_right(lambda x: x.T, normal(*shape), reference=np.transpose)


# --- places where care is needed ------------------------------------------------------


def gradient(f, x):
    x = Variable(x)
    f(x).sum().backward()
    return x.grad.tolist()


def test_ties_share():
    assert gradient(lambda x: x.max(), [1.0, 3.0, 3.0, 2.0]) == [0, 0.5, 0.5, 0]
    assert gradient(lambda x: x.min(), [1.0, 1.0, 1.0, 1.0]) == [0.25] * 4
    assert gradient(lambda x: x.max(axis=1), [[2.0, 2.0], [1.0, 2.0]]) == [
        [0.5, 0.5],
        [0, 1],
    ]
    assert gradient(lambda x: graph.maximum(x, 0), [-1.0, 0.0, 1.0]) == [0, 0.5, 1]
    assert gradient(lambda x: graph.minimum(x, x), [2.0]) == [1]


def test_kinks():
    assert gradient(lambda x: x.relu(), [-1.0, 0.0, 1.0]) == [0, 0, 1]
    assert gradient(graph.abs, [-1.0, 0.0, 1.0]) == [-1, 0, 1]


@pytest.mark.parametrize(
    "exponent, expected", [(0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0), (1.5, 0.0)]
)
def test_powers_of_zero(exponent, expected):
    assert gradient(lambda x: x**exponent, [0.0]) == [expected]
    assert gradient(lambda x: x ** np.array([exponent, 2.0]), 0.0) == expected


def test_powers():
    assert gradient(lambda x: x**3, [-2.0]) == [12.0]
    assert gradient(lambda x: x**-1, [-2.0]) == [-0.25]
    assert gradient(lambda x: x**0, [-2.0, np.inf]) == [0, 0]
    assert gradient(lambda b: 0.0**b, [1.0, 2.0]) == [0, 0]
    # Nothing is said of an exponent that is no variable: the log of -2 is not needed.
    assert gradient(lambda x: x**2.0, [-2.0]) == [-4.0]


def test_sigmoid_does_not_overflow():
    x = Variable([-1e4, -800.0, 0.0, 800.0, 1e4])
    s = x.sigmoid()
    assert s.value.tolist() == [0, 0, 0.5, 1, 1]
    s.backward(np.ones(5))
    assert x.grad.tolist() == [0, 0, 0.25, 0, 0]


def test_infinite_derivatives_do_not_warn():
    assert gradient(lambda x: x.sqrt(), [0.0]) == [np.inf]


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


def test_gradients_are_nobody_elses():
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
    """Neither recursion nor more than linear time, also when it is let go."""
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


def test_values():
    single, double = np.ones(3, "float32"), np.ones(3)
    assert Variable(single).value is single and Variable(double).value is double
    for value in (1, [1, 2], np.arange(3), True, np.float16(1), 2.5):
        assert Variable(value).dtype == np.float64
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


# --- show and to_dot ------------------------------------------------------------------


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


def test_operations_are_written():
    x = Variable(np.arange(6.0).reshape(2, 3) + 1, "x")
    written = {
        "x + 1": x + 1,
        "(-1) * x": -1 * x,
        "-x": -x,
        "x ** 2": x**2,
        "x * [1, 2, 3]": x * [1, 2, 3],
        "x * ((3, 3) norm 3)": Variable(np.ones((3, 3)), "x") * np.ones((3, 3)),
        "x @ [1, 2, 3]": x @ [1, 2, 3],
        "exp(x)": x.exp(),
        "maximum(0, x)": graph.maximum(0, x),
        "sum(x)": x.sum(),
        "sum(x, axis=0)": x.sum(axis=0),
        "mean(x, axis=(0, 1), keepdims=True)": x.mean((0, 1), keepdims=True),
        "x[0]": x[0],
        "x[-1, 1:]": x[-1, 1:],
        "x[..., ::2]": x[..., ::2],
        "x[None, :2]": x[None, :2],
        "x[[0, 1], [2, 0]]": x[[0, 1], np.array([2, 0])],
        "x.T": x.T,
        "reshape(x, (3, 2))": x.reshape(3, 2),
        "reshape(x, -1)": x.reshape(-1),
    }
    for text, J in written.items():
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


# --- bad input ------------------------------------------------------------------------

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


@pytest.mark.parametrize(
    "bad", [bad for key, bad in NO_NUMBERS.items() if key != "variable"], ids=str
)
def test_bad_operand(bad):
    x = Variable([1.0, 2.0])
    for f in (
        lambda: x + bad,
        lambda: bad * x,
        lambda: x @ bad,
        lambda: graph.maximum(bad, x),
        lambda: graph.exp(bad),
    ):
        with pytest.raises(
            TypeError, match=r"^(operand must|a Variable is not an arr)"
        ):
            f()


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


def test_bad_shapes():
    x = Variable(np.ones((2, 3)))
    for f in (
        lambda: x + np.ones(2),
        lambda: x @ x,
        lambda: x.sum(axis=2),
        lambda: x.reshape(4),
        lambda: x @ 2,
    ):
        with pytest.raises(ValueError):
            f()
    with pytest.raises(IndexError):
        x[2]
    with pytest.raises(
        ValueError, match=r"^value must have shape \(2, 3\); got \(3,\)"
    ):
        x.value = np.ones(3)
    with pytest.raises(ValueError, match=r"^value must stay what it was computed"):
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


def test_arrays_are_told_apart():
    x = Variable([1.0, 2.0])
    for f in (np.asarray, np.array):
        with pytest.raises(TypeError, match="Variable"):
            f(x)
    for f in (np.sin, np.argmax, np.add.reduce, lambda x: np.exp(x, out=np.ones(2))):
        with pytest.raises(TypeError, match=r"no operation of bpcore.graph, .* exp, "):
            f(x)
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


def test_comparisons_are_of_values():
    """Arrays, as in a loss that is asked with arrays first."""
    x = Variable([1.0, 2.0, 3.0])
    y = np.array([1.0, 3.0, 2.0])
    for f in (
        lambda x: x == y,
        lambda x: x != y,
        lambda x: x < 2,
        lambda x: x <= y,
        lambda x: x > y,
        lambda x: x <= 2,
        lambda x: y > x,
        lambda x: np.greater(y, x),
    ):
        assert isinstance(f(x), np.ndarray)
        assert f(x).tolist() == f(x.value).tolist()
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
    """In linear time, and none of them twice."""
    J = sum((Variable(1.0, "w") for _ in range(3000)), Variable(0.0))
    names = set(graph.show.names(graph.backward.in_order(J)).values())
    assert len(names) == 6001 and {"w", "w_2", "w_3000"} <= names
