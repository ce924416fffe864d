"""Operations of the graph: values as in NumPy, derivatives as central differences."""

import numpy as np
import pytest

from bpcore import graph
from bpcore.graph import Variable
from bpcore.graph.operations import OPERATIONS
from helpers.graph import BINARY, RNG, UNARY, apart, assert_right, normal

# --- every operation ------------------------------------------------------------------

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
    functions = {*graph.__all__} - {"Edge", "Path", "PathSum", "Variable"}
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
    f, a, b = getattr(graph, name), apart(*shapes[0]), apart(*shapes[1]) + 0.07
    assert_right(f, a, b, reference=EXTREMES[name])


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("constant", ["method's", "first", "number"])
def test_extremes_of_a_variable_and_a_constant(name, shapes, constant):
    reference, f = EXTREMES[name], getattr(graph, name)
    a, b = apart(*shapes[0]), apart(*shapes[1]) + 0.07
    g, x, h = {
        "method's": (lambda a: getattr(a, name)(b), a, lambda a: reference(a, b)),
        "first": (lambda b: f(a, b), b, lambda b: reference(a, b)),
        "number": (lambda b: f(0.1, b), b, lambda b: reference(0.1, b)),
    }[constant]
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


REDUCED = {
    "sum": (lambda x: x.sum(), ()),
    "sum of columns": (lambda x: x.sum(axis=0), (3,)),
    "max of rows": (lambda x: x.max(axis=1), (0,)),
    "mean of rows": (lambda x: x.mean(axis=1), (0,)),
}


@pytest.mark.parametrize("f, shape", REDUCED.values(), ids=REDUCED)
def test_reductions_of_nothing(f, shape):
    x = Variable(np.zeros((0, 3)))
    J = f(x)
    assert J.shape == shape
    J.backward(np.ones(shape))
    assert x.grad.shape == (0, 3)


def test_nothing_has_no_maximum():
    with pytest.raises(ValueError, match="no identity"):
        Variable(np.zeros((0, 3))).max()


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
@pytest.mark.parametrize(
    "f",
    [
        lambda x, shape: x.reshape(shape),
        lambda x, shape: x.reshape(*shape),
        graph.reshape,
    ],
    ids=["tuple", "numbers", "function"],
)
def test_reshape(f, shape):
    x = normal(2, 3, 4)
    assert_right(lambda x: f(x, shape), x, reference=lambda x: np.reshape(x, shape))


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
