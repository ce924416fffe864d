"""Layers from the elements of another library's network."""

import numpy as np
import pytest

from bpcore.model.assembly import assemble
from bpcore.model.elements import (
    Activation,
    Affine,
    BatchNorm,
    BothClasses,
    Dropout,
    Element,
    LayerNorm,
    Linear,
)
from bpcore.network import network_of
from bpcore.reference.activations import FUNCTIONS

RANDOM = np.random.default_rng(0)
normal = RANDOM.normal
X = normal(size=(7, 4))


def linear(n_in, n_out, bias=True):
    b = normal(size=n_out) if bias else None
    return Linear(normal(size=(n_in, n_out)), b, at="linear")


def batch(n, eps=1e-5):
    vectors = (normal(size=n) for _ in range(3))
    return BatchNorm(*vectors, RANDOM.uniform(0.01, 2, n), eps, at="batch")


def layer(n, eps=1e-5):
    return LayerNorm(normal(size=n), normal(size=n), eps, at="layer")


def affine(n=1):
    return Affine(normal(size=n), normal(size=n), at="affine")


def f(name):
    return Activation(name, at=name)


def applied(element, a):
    """The element's own formula."""
    if isinstance(element, Linear):
        return a @ element.W + (0 if element.b is None else element.b)
    if isinstance(element, Affine):
        return a * element.scale + element.shift
    if isinstance(element, BatchNorm):
        normal = (a - element.mean) / np.sqrt(element.variance + element.eps)
        return element.gain * normal + element.shift
    if isinstance(element, LayerNorm):
        mean, variance = a.mean(1, keepdims=True), a.var(1, keepdims=True)
        return (
            element.gain * (a - mean) / np.sqrt(variance + element.eps) + element.shift
        )
    if isinstance(element, Activation):
        return FUNCTIONS[element.name](a)
    if isinstance(element, BothClasses):
        return np.hstack([1 - a, a])
    assert isinstance(element, Dropout)
    return a


LINES = {
    # elements, sizes, norms
    "one layer": ([linear(4, 2)], (4, 2), (None,)),
    "no bias": ([linear(4, 2, bias=False)], (4, 2), (None,)),
    "two products": ([linear(4, 3), linear(3, 2)], (4, 3, 2), (None, None)),
    "batch norm": (
        [linear(4, 5), batch(5), f("relu"), linear(5, 2)],
        (4, 5, 2), ("batch", None),
    ),
    "batch norm of larger eps": (
        [linear(4, 5), batch(5, 1e-3), f("tanh"), linear(5, 2)],
        (4, 5, 2), ("batch", None),
    ),
    "batch norm of smaller eps": (
        [
            linear(4, 2),
            BatchNorm(np.ones(2), np.zeros(2), np.zeros(2), np.array([0, 3.0]), 1e-9),
            f("tanh"),
            linear(2, 2),
        ],
        (4, 2, 2), ("batch", None),
    ),
    "batch norm of the outputs": ([linear(4, 3), batch(3)], (4, 3), (None,)),
    "two batch norms": (
        [linear(4, 3), batch(3), batch(3, 1e-3), f("elu"), linear(3, 1)],
        (4, 3, 1), ("batch", None),
    ),
    "batch norm of the inputs": (
        [batch(4), affine(), affine(4), linear(4, 3), f("silu")], (4, 3), (None,),
    ),
    "batch norm after the activation": (
        [linear(4, 3), f("gelu"), batch(3), affine(3), linear(3, 2)],
        (4, 3, 2), (None, None),
    ),
    "layer norm": (
        [linear(4, 5, bias=False), layer(5), affine(5), f("tanh"), linear(5, 2)],
        (4, 5, 2), ("layer", None),
    ),
    "layer norm of another eps": (
        [
            linear(4, 5, bias=False),
            Affine(normal(size=5), np.zeros(1)),
            layer(5, 1e-2),
            f("tanh"),
            linear(5, 2),
        ],
        (4, 5, 2), ("layer", None),
    ),
    "layer norm after equal biases": (
        [Linear(normal(size=(4, 5)), np.ones(5)), layer(5), f("relu"), linear(5, 2)],
        (4, 5, 2), ("layer", None),
    ),
    "dropout": (
        [linear(4, 5), f("relu"), Dropout(0.5), Dropout(0.2), affine(5), linear(5, 2)],
        (4, 5, 2), (None, None),
    ),
    "scaled outputs": (
        [linear(4, 3), f("tanh"), affine(3)], (4, 3, 3), (None, None),
    ),
    "two classes": (
        [linear(4, 1), batch(1), f("sigmoid"), BothClasses()], (4, 2), (None,),
    ),
    "identity anywhere": (
        [f("identity"), linear(4, 3), f("identity"), f("relu"), f("identity")],
        (4, 3), (None,),
    ),
    "softmax of one unit": ([linear(4, 1), f("softmax")], (4, 1), (None,)),
}  # fmt: skip


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("elements, sizes, norms", LINES.values(), ids=LINES)
def test_predictions_are_the_elements_formulas(
    elements, sizes, norms, dtype, tolerance
):
    design, state = assemble(elements, np.dtype(dtype))
    assert (design.sizes, design.norms) == (sizes, norms)
    net = network_of(design, state)
    expected = X
    for element in elements:
        expected = applied(element, expected)
    found = net.predict(X)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * 10)


def test_dropouts_in_a_row_are_one():
    elements, *_ = LINES["dropout"]
    assert assemble(elements, np.dtype("float32"))[0].dropout == (1 - 0.5 * 0.8, 0.0)


def test_the_network_trains():
    elements = [linear(4, 5), batch(5), f("relu"), linear(5, 2), f("softmax")]
    net = network_of(*assemble(elements, np.dtype("float32")))
    y = np.arange(7) % 2
    before = net.evaluate(X, y)
    net.fit(X, y, epochs=20, progress=False)
    assert net.loss == "cross_entropy"
    assert net.evaluate(X, y) < before


def nan(n):
    return np.full(n, np.nan)


BAD = {
    "nothing": ([], "no product with weights"),
    "no weights": ([affine(4)], "no product with weights"),
    "activation first": ([f("relu"), linear(4, 2)], "^relu: .* must follow a product"),
    "two activations": ([linear(4, 2), f("relu"), f("tanh")], "^tanh: .* another f"),
    "activation of factors": (
        [linear(4, 2), f("relu"), affine(2), f("tanh")], "^tanh: .* another f",
    ),
    "unknown activation": ([linear(4, 2), f("sine")], "no activation 'sine'"),
    "layer norm of the inputs": ([layer(4), linear(4, 2)], "^layer: .* directly after"),
    "layer norm after activation": (
        [linear(4, 2), f("relu"), layer(2), linear(2, 1)], "^layer: .* directly after",
    ),
    "layer norm after biases": (
        [linear(4, 2), layer(2), linear(2, 1)], "^layer: .* must have no bias",
    ),
    "layer norm of the outputs": (
        [linear(4, 2, bias=False), layer(2)], "^layer: the last layer",
    ),
    "layer norm of eps 0": (
        [linear(4, 2, bias=False), layer(2, 0.0), linear(2, 1)], "eps must be above 0",
    ),
    "dropout of the inputs": ([Dropout(0.5, at="drop"), linear(4, 2)], "^drop: "),
    "dropout of the outputs": ([linear(4, 2), Dropout(0.5, at="drop")], "^drop: "),
    "dropout before tanh": (
        [linear(4, 2), Dropout(0.5), f("tanh"), linear(2, 1)], "must come after tanh",
    ),
    "dropout of all": ([linear(4, 2), Dropout(1.0)], "below 1"),
    "units that do not fit": ([linear(4, 2), linear(3, 2)], r"2 rows; got .*\(3, 2\)"),
    "norm that does not fit": ([linear(4, 2), batch(3)], r"gain must be \(2,\)"),
    "factors that do not fit": ([linear(4, 2), affine(3)], "for 2 units; got 3"),
    "inputs that do not fit": ([affine(3), linear(4, 2)], "3 units; then come 4"),
    "factors of other sizes": ([affine(3), affine(4)], "has 4 units"),
    "many scaled outputs": (
        [linear(4, 300), f("relu"), affine(1)], "at most 256 outputs; got 300",
    ),
    "W of one axis": ([Linear(np.ones(3))], r"got shape \(3,\)"),
    "W of no rows": ([Linear(np.ones((0, 3)))], r"got shape \(0, 3\)"),
    "b of two axes": ([Linear(np.ones((2, 3)), np.ones((1, 3)))], "one axis"),
    "NaN in W": ([Linear(np.full((2, 2), np.nan))], "W must be finite"),
    "NaN in b": ([Linear(np.ones((2, 2)), nan(2))], "b must be finite"),
    "NaN in a norm": (
        [linear(4, 2), LayerNorm(nan(2), nan(2), 1e-5)], "must have no bias|finite",
    ),
    "negative variance": (
        [linear(4, 1), BatchNorm(*[np.ones(1)] * 3, -np.ones(1), 1e-5)],
        "variance . eps must be above 0",
    ),
    "beyond float32": ([Linear(np.full((1, 1), 1e300))], "not finite in float32"),
    "classes of nothing": ([linear(4, 1), BothClasses()], "sigmoid of one unit"),
    "classes of two units": (
        [linear(4, 2), f("sigmoid"), BothClasses()], "sigmoid of one unit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("elements, message", BAD.values(), ids=BAD)
def test_what_has_no_place_raises(elements, message):
    with pytest.raises(ValueError, match=message):
        assemble(elements, np.dtype("float32"))


def test_unknown_elements_raise():
    with pytest.raises(TypeError, match="unknown element"):
        assemble([Element()], np.dtype("float32"))
