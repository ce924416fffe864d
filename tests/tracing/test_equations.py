"""Every number of a traced step obeys its equation."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.reference.activations import activate
from helpers import LIBRARIES, each_library, fourth_powers
from helpers.trace import (
    TRAINABLE,
    each_option,
    each_pair,
    jacobian,
    problem,
    value,
)

#: Both dtypes, and NumPy's twin in one of them.
STEPS = [(bp.Network, "float32"), (bp.Network, "float64"), (LIBRARIES[1], "float32")]
EQUATIONS = [*STEPS[:2], (LIBRARIES[1], "float64")]
KINDS = ["float32", "float64", "reference"]
each_kind_of_equation = pytest.mark.parametrize("Network, dtype", EQUATIONS, ids=KINDS)


def slopes(f, x, step):
    """df_i / dx_ij of a function of rows, by central differences."""
    found = np.empty_like(x)
    for j in range(x.shape[1]):
        here = np.zeros_like(x)
        here[:, j] = step[:, j] if np.ndim(step) else step
        found[:, j] = (f(x + here) - f(x - here)) / (2 * here[:, j])
    return found


def assert_equations(t):
    """Every array from those it is computed of, in float64."""
    double = t.X.dtype == np.float64

    def close(found, expected, by_differences=False):
        tolerance = (1e-7 if by_differences else 1e-12) if double else 2e-5
        expected = np.asarray(expected)
        assert found.shape == expected.shape
        assert found.dtype == t.X.dtype or found is t.losses
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, tolerance, tolerance * scale)

    def wide(array):
        return array.astype(np.float64)

    design, L = t.design, t.n_layers
    y = t.targets if t.targets.ndim == 2 else np.eye(t.sizes[-1])[t.targets]
    w = np.ones(len(t.X)) if t.weights is None else t.weights
    assert t.dX is t.gradients.input
    if design.input_scale:
        X, scale = wide(t.X), wide(t.before.scale)
        close(t.a[0], X * scale)
        close(t.dscale, (wide(t.da[0]) * X).sum(axis=0))
        close(t.dX, wide(t.da[0]) * scale)
    else:
        assert t.a[0] is t.X and t.da[0] is t.dX and t.dscale is None
    for l in range(L):
        norm, f, a, z = design.norms[l], design.activations[l], wide(t.a[l]), t.z[l]
        W, b = (wide(part[l]) for part in (t.before.weights, t.before.biases))
        if norm:
            axis = 0 if norm == "batch" else 1
            close(t.u[l], a @ W)
            u = wide(t.u[l])
            mean, variance = (g(u, axis=axis, keepdims=True) for g in (np.mean, np.var))
            close(t.inverse[l], 1 / np.sqrt(variance + 1e-5))
            close(t.hat[l], (u - mean) * t.inverse[l])
            close(z, t.before.gains[l] * wide(t.hat[l]) + b)
        else:
            assert t.u[l] is t.hat[l] is t.inverse[l] is t.du[l] is t.dgain[l] is None
            close(z, a @ W + b)
        if norm == "batch":
            close(t.moments[l], np.concatenate([mean, variance]))
        else:
            assert t.moments[l] is None
        out, kept = activate(wide(z), f), 1.0
        if p := design.dropout[l]:
            kept = wide(t.kept[l])
            close(np.unique(t.kept[l]), [0, 1 / (1 - p)])
        else:
            assert t.kept[l] is None
        close(t.f[l], out)
        close(t.a[l + 1], out * kept)
        if f == "softmax":
            close(t.derivatives[l], jacobian(wide(z), f), True)
            delta = np.einsum("sjk,sj->sk", t.derivatives[l], t.da[l + 1] * kept)
        else:
            close(t.derivatives[l], slopes_of(f, wide(z)), True)
            delta = t.da[l + 1] * wide(t.derivatives[l]) * kept
        close(t.delta[l], delta)
        back = delta = wide(t.delta[l])
        if norm:
            d, hat = delta * t.before.gains[l], wide(t.hat[l])
            mean = d.mean(axis=axis, keepdims=True)
            share = (d * hat).mean(axis=axis, keepdims=True)
            close(t.du[l], (d - mean - hat * share) * t.inverse[l])
            close(t.dgain[l], (delta * hat).sum(axis=0))
            back = wide(t.du[l])
        close(t.da[l], back @ W.T)
        close(t.dW[l], a.T @ back)
        close(t.db[l], delta.sum(axis=0))
    a, output, loss = wide(t.a[L]), design.activations[-1], design.loss
    if loss.name == "cross_entropy" and w.ndim == 2:  # of targets that are smoothed
        loss, w = bp.CrossEntropy(), w[:, 0]

    def weighted(a):
        if w.ndim == 1:
            return w * value(loss, a, y, output)
        # Each output's part of the loss has a weight of its own.
        parts = [
            w[:, j] * value(loss, a[:, [j]], y[:, [j]], output)
            for j in range(a.shape[1])
        ]
        return np.mean(parts, axis=0) if loss.name == "hinge" else np.sum(parts, axis=0)

    close(t.losses, weighted(a))
    rel = 1e-12 if double else 1e-5
    assert t.loss == pytest.approx(weighted(a).mean(), rel=rel)
    by_a = slopes(weighted, a, 1e-5 * a if design.loss_takes_z else 1e-6)
    close(t.da[L], by_a / len(w), True)


def slopes_of(f, z):
    """f'(z) by central differences."""
    return (activate(z + 1e-6, f) - activate(z - 1e-6, f)) / 2e-6


def assert_input_gradient(net, X, y, *weights):
    """dE/dX is the slope of the loss of training, with what is random in it."""
    found, step = bp.trace(net, X, y, *weights).dX, 1e-6
    expected = np.empty_like(X)
    for at in np.ndindex(X.shape):
        sides = []
        for moved in (X.copy(), X.copy()):
            moved[at] += step if not sides else -step
            sides.append(net.gradients(moved, y, *weights).loss)
        expected[at] = (sides[0] - sides[1]) / (2 * step)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found, expected, atol=1e-7 * scale)


@each_kind_of_equation
@each_pair
def test_equations_of_every_loss(Network, output, loss, dtype):
    net, X, y = problem(output, loss, Network=Network, dtype=dtype)
    weight = [2.0, 0.0, 1.0, 0.5, 3.0]
    assert_equations(bp.trace(net, X, y))
    assert_equations(bp.trace(net, X, y, weight))
    if loss.labels:
        assert_equations(bp.trace(net, X, np.arange(5) % 4, weight))
    if loss.classes:
        t = bp.trace(net, X, y, class_weight=[1.0, 2.0, 0.5, 0.1])
        assert t.weights is not None
        assert_equations(t)
    if dtype == "float64":
        assert_input_gradient(net, X, y, weight)


@each_kind_of_equation
@each_option
@pytest.mark.parametrize("hidden", TRAINABLE)
def test_equations_of_every_activation(Network, hidden, options, dtype):
    net, X, y = problem(
        Network=Network, activation=[hidden, "gelu"], dtype=dtype, **options
    )
    net.train_step(X, y)  # not only the first mini-batch drops the right units
    assert_equations(bp.trace(net, X, y))
    if dtype == "float64":
        assert_input_gradient(net, X, y)


@pytest.mark.parametrize("hidden", ["softmax", "gelu", "relu"])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_equations_where_units_drop_out(hidden, norm, dtype):
    """Also of softmax, in whose sums dropped units count."""
    net, X, y = problem(
        activation=hidden, dropout=[0.5, 0.3], norm=norm, n=20, dtype=dtype
    )
    t = bp.trace(net, X, y)
    assert_equations(t)
    for a, kept in zip(t.a[1:-1], t.kept, strict=False):
        assert not a[kept == 0].any() and (kept == 0).any()
        assert hidden == "relu" or a[kept > 0].all()


def test_equations_of_a_custom_loss(dtype):
    net, X, y = problem("tanh", fourth_powers, dtype=dtype)
    assert_equations(bp.trace(net, X, y, [1.0, 0.0, 2.0, 0.5, 1.0]))


@each_option
def test_equations_of_the_reference_in_float32(options):
    """No array becomes float64."""
    net, X, y = problem(
        Network=bp.reference.Network, dtype="float32", activation="gelu", **options
    )
    assert_equations(bp.trace(net, X, y))


@pytest.mark.parametrize(
    "pair", (("identity", "squared_error"), ("softmax", "cross_entropy")), ids=str
)
def test_equations_of_networks_of_one_layer(dtype, pair):
    net, X, y = problem(*pair, sizes=(3, 4), n=1, dtype=dtype)
    assert_equations(bp.trace(net, X, y))


@each_library
@pytest.mark.parametrize(
    "output, loss, y, expected",
    [
        ("sigmoid", "binary_cross_entropy", [[1.0]], -1.0),  # 0 / 0 as it is written
        ("sigmoid", "binary_cross_entropy", [[0.0]], np.inf),
        ("exp", "poisson", [[0.0]], 1.0),
    ],
)
def test_outputs_at_the_end_of_their_range(Network, output, loss, y, expected):
    """An output that is 0 or 1 to the last bit has the derivative of the limit."""
    net = Network([1, 1], output=output, loss=loss, init="zeros")
    net.biases[0][...] = 30 if output == "sigmoid" else -110
    t = bp.trace(net, [[0.0]], y)
    assert t.a[1].item() == (1 if output == "sigmoid" else 0)
    assert t.da[1].item() == expected
    assert np.isfinite(t.delta[0]).all()


def test_a_row_that_does_not_count_has_no_derivative():
    net = bp.Network([1, 2], output="softmax", init="zeros")
    net.weights[0][0] = 200, -200
    t = bp.trace(net, [[1.0], [0.0]], [1, 0], [0.0, 1.0])
    assert t.a[1][0].tolist() == [1, 0] and t.losses[0] == 0
    assert t.da[1].tolist() == [[0, 0], [-1, 0]]  # weight / (n a)
