"""A traced step is the step itself, and each of its numbers obeys its equation."""

import copy
import html.parser
import io
import itertools
import json
import math
import pickle
import re
import sys
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.activations import ACTIVATIONS
from bpcore.losses import LOSSES
from bpcore.reference.activations import activate
from bpcore.tracing import memory, path_sum, record
from helpers import everything

TRAINABLE = [name for name, f in ACTIVATIONS.items() if f.trains]
#: Outputs that stay positive, as a Poisson rate must.
POSITIVE = ["exp", "softplus", "sigmoid", "softmax"]
PAIRS = [
    (output, loss)
    for loss in LOSSES.values()
    for output in loss.outputs or (POSITIVE if loss.name == "poisson" else TRAINABLE)
]
SETTINGS = [
    ("softmax", bp.CrossEntropy(label_smoothing=0.2)),
    ("identity", bp.Huber(delta=0.1)),
    ("tanh", bp.Quantile(q=0.9)),
]

OPTIMIZERS = [
    bp.SGD(0.05),
    bp.SGD(0.05, l1=1e-3, weight_decay=1e-3),
    bp.SGD(0.05, momentum=0.9, dampening=0.5),
    bp.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-2, decoupled=True),
    bp.SGD(0.05, momentum=0.9, clip_value=1e-3),
    bp.SGD(0.05, momentum=0.9, clip_norm=1e-2),
    bp.SGD(0.05, max_norm=0.8),
    bp.SGD(0.05, biases={"momentum": 0.5, "lr_factor": 2.0}),
    bp.Momentum(0.05),
    bp.RMSprop(1e-3, momentum=0.5, centered=True),
    bp.RMSprop(1e-3),
    bp.Adagrad(1e-2, lr_decay=1e-3, initial_accumulator=0.1),
    bp.Adam(1e-2, weight_decay=1e-2, biases={"weight_decay": 0.0}),
    bp.AdamW(1e-2, l1=1e-3),
    bp.AMSGrad(1e-2),
    bp.Nadam(1e-2),
    bp.Adamax(1e-2),
    bp.RAdam(1e-2, decoupled=True, weight_decay=0.1),
    bp.Lion(1e-3, weight_decay=0.1),
    bp.Rprop(1e-2),
]

#: What a network may be made of, beside sizes and activations.
OPTIONS = [
    {},
    {"dropout": 0.4},
    {"norm": "batch"},
    {"norm": "layer"},
    {"input_noise": 0.2},
    {"norm": ["layer", "batch"], "dropout": [0.2, 0.4], "input_noise": 0.1},
]

RATES = [
    schedules.OneCycle(0.05, 40),
    schedules.CosineRestarts(0.05, 3),
    schedules.Exponential(0.5, 0.7, per="step"),
    schedules.ReduceOnPlateau(0.05, patience=0),
    schedules.Custom(lambda epoch: 0.05 / (1 + epoch)),
]

SIZES = (3, 7, 6, 4)
LIBRARIES = [bp.Network, bp.reference.Network]

#: Both dtypes, and NumPy's twin in one of them.
STEPS = [(bp.Network, "float32"), (bp.Network, "float64"), (LIBRARIES[1], "float32")]
EQUATIONS = [*STEPS[:2], (LIBRARIES[1], "float64")]
KINDS = ["float32", "float64", "reference"]

each_kind = pytest.mark.parametrize("Network, dtype", STEPS, ids=KINDS)
each_kind_of_equation = pytest.mark.parametrize("Network, dtype", EQUATIONS, ids=KINDS)
each_library = pytest.mark.parametrize(
    "Network", LIBRARIES, ids=["compiled", "reference"]
)
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)
each_pair = pytest.mark.parametrize("output, loss", PAIRS + SETTINGS, ids=str)


def fourth_powers(a, y):
    """A loss of the user's."""
    return ((a - y) ** 4).sum(axis=1), 4 * (a - y) ** 3


#: The same, with a name that is none, and a tag if it is not escaped.
nameless = lambda a, y: fourth_powers(a, y)  # noqa: E731, PLW0108


def targets(rng, loss, shape):
    """Targets that the loss takes, none of them on a kink."""
    name = getattr(loss, "name", loss)
    if name == "hinge":
        return rng.choice([-1.0, 1.0], shape)
    if name == "poisson":
        return rng.poisson(2.0, shape).astype(float)
    y = rng.uniform(0.05, 0.95, size=shape)
    return y / y.sum(axis=1, keepdims=True) if name == "kl_divergence" else y


def problem(
    output="softmax",
    loss="cross_entropy",
    sizes=SIZES,
    n=5,
    Network=bp.Network,
    dtype="float64",
    seed=0,
    **options,
):
    """A network with biases and gains that are not the ones it begins with, X and y."""
    rng = np.random.default_rng(seed)
    options = {"activation": "tanh", "optimizer": bp.Adam(0.01), **options}
    net = Network(sizes, output=output, loss=loss, dtype=dtype, rng=seed, **options)
    for b, gain in zip(net.biases, net.gains, strict=True):
        b[...] = rng.normal(0, 0.3, b.shape)
        if gain is not None:
            gain[...] = rng.uniform(0.5, 1.5, gain.shape)
    for W, f in zip(net.weights, net.activations, strict=True):
        W *= 0.3 if f == "exp" else 1  # or it explodes
    if (output, net.loss) == ("hard_tanh", "hinge"):
        net.weights[-1][...] *= 0.3  # outputs of 1 are on the kink of hinge
    X = rng.normal(size=(n, sizes[0])).astype(dtype)
    return net, X, targets(rng, loss, (n, sizes[-1]))


# --- what there is before and after ---------------------------------------------------


def as_bytes(arrays):
    return [None if array is None else array.tobytes() for array in arrays]


def now(net):
    """What `Parameters` has, of a network as it is."""
    rows = (
        []
        if net.learner.state.optimizer_arrays is None
        else net.learner.state.optimizer_arrays[:, : net.parameters.size]
    )
    state = [net.learner.design.layout.views(row) for row in rows]
    found = [net.weights, net.biases, net.gains, net.running_moments]
    for of in state:
        found += [of.weights, of.biases, of.gains]
    return [as_bytes(arrays) for arrays in found]


def held(parameters):
    """The same of a `Parameters`."""
    p = parameters
    found = [p.weights, p.biases, p.gains, p.running_moments]
    for of in p.state.values():
        found += [of.weights, of.biases, of.gains]
    return [as_bytes(arrays) for arrays in found]


def assert_is_the_step(net, X, y, *weights, steps=2):
    """Traced, applied and made by `train_step`: the same bits, step after step."""
    twin, first = copy.deepcopy(net), net.learner.state.steps + 1
    for number in range(first, first + steps):
        before, arrays, lr = everything(net), now(net), net.lr
        t = bp.trace(net, X, y, *weights)
        assert everything(net) == before
        stored = net.gradients(X, y, *weights)
        loss = twin.train_step(X, y, *weights)
        assert held(t.before) == arrays
        assert held(t.after) == now(twin)
        assert (t.loss, t.lr, t.step) == (loss, lr, number)
        assert t.loss == stored.loss == t.gradients.loss
        assert t.gradients.flat.tobytes() == stored.flat.tobytes()
        assert t.gradients.input.tobytes() == stored.input.tobytes()
        assert as_bytes([t.gradients.moments]) == as_bytes([stored.moments])
        made = bp.trace(net, X, y, *weights, apply=True)
        assert held(made.before) == arrays and held(made.after) == now(twin)
        assert everything(net) == everything(twin) != before
    # Also where one goes on by itself.
    assert net.train_step(X, y, *weights) == twin.train_step(X, y, *weights)
    assert everything(net) == everything(twin)
    return t


# --- the step, bit for bit ------------------------------------------------------------


@each_kind
@each_option
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_it_is_the_step_of_every_optimizer(Network, optimizer, options, dtype):
    net, X, y = problem(
        Network=Network, optimizer=optimizer, dtype=dtype, n=4, **options
    )
    t = assert_is_the_step(net, X, y)
    assert tuple(t.after.state) == optimizer.states


@each_kind
@each_pair
def test_it_is_the_step_of_every_loss(Network, output, loss, dtype):
    weight = [2.0, 0.0, 1.0, 0.5, 3.0]
    net, X, y = problem(output, loss, Network=Network, dtype=dtype)
    assert_is_the_step(net, X, y, weight, steps=1)
    if loss.labels:
        assert_is_the_step(net, X, np.arange(5) % 4, steps=1)
    if loss.classes:
        assert_is_the_step(net, X, y, weight, [1.0, 2.0, 0.5, 0.1], steps=1)


@each_library
@each_option
@pytest.mark.parametrize("hidden", TRAINABLE)
def test_it_is_the_step_of_every_activation(Network, hidden, options):
    net, X, y = problem(
        "identity", "squared_error", Network=Network, activation=hidden, **options
    )
    assert_is_the_step(net, X, y)


@each_library
@pytest.mark.parametrize("weights", [(), ([1.0, 0.0, 2.0, 0.5, 1.0],)], ids=str)
def test_it_is_the_step_of_a_custom_loss(Network, weights):
    assert_is_the_step(*problem("tanh", fourth_powers, Network=Network), *weights)


@each_library
@pytest.mark.parametrize("clip_norm", [None, 1e-2])
@pytest.mark.parametrize("options", [{}, {"norm": "batch"}], ids=str)
def test_it_is_the_step_where_layers_differ(Network, clip_norm, options):
    optimizer = bp.Adam(0.01, weight_decay=0.1, clip_norm=clip_norm, max_norm=0.5)
    net, X, y = problem(Network=Network, optimizer=optimizer, **options)
    net.lr_factors = [0.5, 1.0, 0.0]
    assert_is_the_step(net, X, y)
    net, X, y = problem(Network=Network, optimizer=optimizer, **options)
    net.frozen = [False, True, False]
    t = assert_is_the_step(net, X, y)
    assert t.frozen == net.frozen
    assert np.array_equal(t.before.weights[1], t.after.weights[1])
    assert t.dW[1].any()  # it is still told


@each_library
@pytest.mark.parametrize("lr", RATES, ids=str)
def test_it_is_the_step_at_every_rate(Network, lr):
    net, X, y = problem(Network=Network, optimizer=bp.SGD(lr, momentum=0.9))
    assert_is_the_step(net, X, y, steps=4)


@each_kind
@pytest.mark.parametrize("n", [1, 2, 300])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 4), (2, 5, 1), (4, 1, 1, 3)], ids=str)
def test_it_is_the_step_of_every_shape(Network, sizes, n, dtype):
    net, X, y = problem(
        "tanh", "squared_error", sizes, n, Network, dtype, optimizer=bp.SGD(0.1)
    )
    t = assert_is_the_step(net, X, y)
    assert t.sizes == sizes and t.n_layers == len(sizes) - 1
    assert [a.shape for a in t.a] == [a.shape for a in t.da] == [
        (n, width) for width in sizes
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3, "norm": "batch"}], ids=str)
def test_it_is_the_step_of_several_threads(options):
    """A net with work for them, and every number of threads gives the same trace."""
    flats = set()
    for n_threads in (1, 2, 3):
        net, X, y = problem(
            sizes=(64, 96, 80, 10), n=64, n_threads=n_threads, dtype="float32",
            **options,
        )  # fmt: skip
        net.learner.engine.use_threads(n_threads, 1)  # however little there is to do
        t = assert_is_the_step(net, X, y)
        flats.add(pickle.dumps([array.tobytes() for array in (*t.a, *t.delta, *t.dW)]))
    assert len(flats) == 1


def test_it_is_the_step_in_the_middle_of_a_fit():
    """After epochs of training, and between two of them."""
    net, X, y = problem(dropout=0.3, optimizer=bp.Adam(schedules.OneCycle(0.1, 60)))
    twin, traced = copy.deepcopy(net), []

    def look(network, history):
        traced.append(bp.trace(network, X, y))

    for each, callbacks in ((net, [look]), (twin, [])):
        each.fit(X, y, epochs=4, batch_size=2, callbacks=callbacks, progress=False)
    assert everything(net) == everything(twin)
    assert [t.step for t in traced] == [4, 7, 10, 13]
    assert len({t.lr for t in traced}) == 4


def test_nothing_that_is_traced_changes_later():
    """X, y, weights and everything of the network are copies."""
    weight = np.ones(5)
    net, X, y = problem(dropout=0.3, norm="layer")
    for apply in (False, True):
        t = bp.trace(net, X, y, weight, apply=apply)
        kept = json.dumps(t.to_dict(lists=True))
        later = bp.trace(net, X, y, weight)  # its lazy numbers are read at the end
        expected = json.dumps(copy.deepcopy(later).to_dict(lists=True))
        for _ in range(3):
            net.train_step(X, y)
        net.parameters[...] = X[...] = y[...] = weight[...] = 7
        assert json.dumps(later.to_dict(lists=True)) == expected
        assert json.dumps(t.to_dict(lists=True)) == kept
        net, X, y = problem(dropout=0.3, norm="layer")
        weight = np.ones(5)


# --- every number by its equation -----------------------------------------------------


def value(loss, a, y, output):
    """E of every sample, written out once more."""
    name, d = loss.name, a - y
    if name == "squared_error":
        return 0.5 * (d**2).sum(axis=1)
    if name == "mean_squared_error":
        return (d**2).mean(axis=1)
    if name == "cross_entropy":
        smooth = loss.label_smoothing
        y = (1 - smooth) * y + smooth / y.shape[1]
        return -(y * np.log(a)).sum(axis=1)
    if name == "binary_cross_entropy":
        return -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1)
    if name == "mean_absolute_error":
        return np.abs(d).mean(axis=1)
    if name == "huber":
        c, size = loss.delta, np.abs(d)
        return np.where(size <= c, d**2 / 2, c * (size - c / 2)).mean(axis=1)
    if name == "quantile":
        return np.maximum(-loss.q * d, (1 - loss.q) * d).mean(axis=1)
    if name == "log_cosh":
        return np.log(np.cosh(d)).mean(axis=1)
    if name == "hinge":
        return np.maximum(0, 1 - y * a).mean(axis=1)
    if name == "poisson":
        return (a - y * np.log(a + (0 if output == "exp" else 1e-8))).mean(axis=1)
    if name == "kl_divergence":
        return (y * (np.log(y) - np.log(a))).sum(axis=1)
    assert name == "custom"
    return loss.function(a, y)[0]


def slopes(f, x, step):
    """df_i / dx_ij of a function of rows, by central differences."""
    found = np.empty_like(x)
    for j in range(x.shape[1]):
        here = np.zeros_like(x)
        here[:, j] = step[:, j] if np.ndim(step) else step
        found[:, j] = (f(x + here) - f(x - here)) / (2 * here[:, j])
    return found


def jacobian(z, f):
    """da_j/dz_k of each row, by central differences."""
    found = np.zeros((*z.shape, z.shape[1]))
    for k in range(z.shape[1]):
        here = np.zeros_like(z)
        here[:, k] = 1e-6
        found[:, :, k] = (activate(z + here, f) - activate(z - here, f)) / 2e-6
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
    assert t.a[0] is t.X and t.da[0] is t.gradients.input
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
    found, step = bp.trace(net, X, y, *weights).da[0], 1e-6
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
    """Also of softmax, where what is dropped is in the sums of all."""
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


def test_equations_of_the_reference_in_float32():
    """Nothing of it has become float64 on the way."""
    for options in OPTIONS:
        net, X, y = problem(
            Network=bp.reference.Network, dtype="float32", activation="gelu", **options
        )
        assert_equations(bp.trace(net, X, y))


def test_equations_of_networks_of_one_layer(dtype):
    for pair in (("identity", "squared_error"), ("softmax", "cross_entropy")):
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


# --- as text, HTML and for other tools ------------------------------------------------


def small_problem():
    """Everything that a derivation may have to show."""
    return problem(
        "softmax",
        bp.CrossEntropy(label_smoothing=0.1),
        activation=["relu", "softmax", "gelu"],
        sizes=(2, 5, 3, 4, 3),
        n=3,
        norm=["batch", None, "layer"],
        dropout=[0.4, 0.3, 0.0],
        input_noise=0.1,
        optimizer=bp.SGD(0.1, momentum=0.9, clip_norm=1.0, weight_decay=0.01),
    )


#: What an optimizer keeps, in words, of a gradient and its parameter.
MEANINGS = {
    (bp.SGD, "velocity"): "velocity of {1}",
    (bp.Momentum, "change"): "velocity of {1}",
    (bp.RMSprop, "square"): "mean square of {0}",
    (bp.RMSprop, "velocity"): "velocity of {1}",
    (bp.RMSprop, "mean"): "mean of {0}",
    (bp.Adagrad, "sum"): "sum of the squares of {0}",
    (bp.AMSGrad, "largest"): "largest mean square of {0}",
    (bp.Adamax, "mean"): "mean of {0}",
    (bp.Adamax, "largest"): "decaying largest size of {0}",
    (bp.Lion, "mean"): "mean of {0}",
    (bp.Rprop, "previous"): "previous {0}",
    (bp.Rprop, "step"): "size of the step of {1}",
}
for adam in (bp.Adam, bp.AdamW, bp.AMSGrad, bp.Nadam, bp.RAdam):
    MEANINGS[adam, "mean"] = "mean of {0}"
    MEANINGS[adam, "square"] = "mean square of {0}"


def numbers_of(t):
    """What stands beside the left side of every equation."""
    found = {"a[0]": t.X, "y": t.y, "E": t.loss, "dE/dX": t.da[0]}
    if t.weight is not None:
        found["weight, of every sample"] = t.weight
    found[f"{'weight * ' * (t.weight is not None)}E_i, of every sample"] = t.losses
    for l in range(t.n_layers):
        found |= {
            f"W[{l}]": t.before.weights[l],
            f"b[{l}]": t.before.biases[l],
            f"z[{l}]": t.z[l],
            f"a[{l + 1}]": t.a[l + 1],
            f"dE/da[{l + 1}]": t.da[l + 1],
            f"delta[{l}]": t.delta[l],
            f"dW[{l}]": t.dW[l],
            f"db[{l}]": t.db[l],
        }
        small = max(*t.sizes, len(t.X)) <= 8
        if small or t.design.activations[l] != "softmax":
            f = t.design.activations[l]
            output = f"f[{l}]" if t.design.dropout[l] else f"a[{l + 1}]"
            jacobian = f"d{output}_j/dz[{l}]_k"
            key = jacobian if f == "softmax" else f"{f}'(z[{l}])"
            found[key] = t.derivatives[l]
        if t.design.dropout[l]:
            found[f"f[{l}]"] = t.f[l]
            found[f"kept[{l}]: 0 or 1 / (1 - dropout)"] = t.kept[l]
        parts = [("W", "weights"), ("b", "biases")]
        if t.design.norms[l]:
            parts.append(("gain", "gains"))
            batch = t.design.norms[l] == "batch"
            axis, over = (0, "mini-batch") if batch else (1, "units")
            found |= {
                f"gain[{l}]": t.before.gains[l],
                f"u[{l}]": t.u[l],
                f"mean of u over the {over}": t.u[l].mean(axis, keepdims=True),
                f"1 / sqrt(variance + 1e-5) of {l}": t.inverse[l],
                f"hat[{l}]": t.hat[l],
                f"dgain[{l}]": t.dgain[l],
                f"du[{l}]": t.du[l],
            }
        if t.frozen[l]:
            continue
        for symbol, name in parts:
            old, new = (getattr(p, name)[l] for p in (t.before, t.after))
            found |= {
                f"{symbol}[{l}], before": old,
                f"{symbol}[{l}], after": new,
                f"{symbol}[{l}], after - before": new - old,
            }
            weights, biases = t.optimizer.both()
            optimizer = weights if symbol == "W" else biases
            penalty = not optimizer.decoupled and (
                optimizer.weight_decay or optimizer.l1
            )
            plain = not (penalty or optimizer.clip_norm or optimizer.clip_value)
            g = f"d{symbol}[{l}]" if plain else f"g of {symbol}[{l}]"
            for state in t.before.state:
                meaning = MEANINGS[type(optimizer), state].format(g, f"{symbol}[{l}]")
                for when, p in (("before", t.before), ("after", t.after)):
                    of = getattr(p.state[state], name)[l]
                    found[f"{meaning}, {when}"] = of
        if t.before.running_moments[l] is not None:
            for when, p in (("before", t.before), ("after", t.after)):
                key = f"running mean and variance, {when} of {l}"
                found[key] = p.running_moments[l]
    return found


def read(text):
    """The rows of words to the right of every equation of a text, by its left side."""
    found, layer, rows = {}, "", []
    rules = re.search("update\n------\n(  .*\n)*", text)  # of the optimizer: words
    for line in text.replace(rules[0], "").splitlines():
        if not line.startswith("  "):  # a title, its line, or nothing
            layer = (re.findall("layer ([0-9]+)", line) or [layer])[0]
            continue
        equation, value = line[:48].strip(), line[48:].split()
        if line[2] != " ":
            if line[46:48].strip():  # too long to have anything beside it
                equation, value = line.strip(), []
            rows = []
            key = equation.split(" = ")[0]
            if key.startswith(("1 / sqrt", "running")):
                key += f" of {layer}"
            found.setdefault(key, rows)
        if value and value[0] != "row":
            rows.append(value)
    return found


def assert_shows(shown, t):
    """Every number to 6 digits of its array's largest, in its place, and no others."""
    expected = numbers_of(t)
    words = {"network", "activations", "optimizer", "learning rate of this step"}
    words |= {"learning rates of W and b"}
    given = {key for key, rows in shown.items() if rows}
    assert given - words == set(expected)
    for key, array in expected.items():
        array = np.asarray(array)
        rows = np.array(shown[key], float).reshape(array.shape)
        most = 5.1e-6 * np.abs(array[np.isfinite(array)]).max(initial=0)
        np.testing.assert_allclose(rows, array, rtol=6e-6, atol=most, err_msg=key)


class Tables(html.parser.HTMLParser):
    """The rows of all tables; raises where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.captions = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.captions.append(data)
        else:
            assert not data.strip()


@each_library
def test_a_small_step_is_printed_whole(Network, dtype):
    net, X, y = small_problem()
    net = pickle.loads(pickle.dumps(net)).astype(dtype)
    if Network is not bp.Network:
        net = problem("softmax", "cross_entropy", Network=Network, dtype=dtype)[0]
        X, y = np.ones((1, 3)), [[0.0, 1.0, 0.0, 0.0]]
    net.train_step(X, y)
    for weight in (None, np.arange(1.0, len(X) + 1)):
        t = bp.trace(net, X, y, weight)
        assert_shows(read(str(t)), t)
    net.frozen = [True] + [False] * (len(net.weights) - 1)
    t = bp.trace(net, X, y)
    assert_shows(read(str(t)), t)
    assert "frozen: nothing changes" in str(t)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_the_equations_of_every_optimizer_are_printed(optimizer):
    net, X, y = problem(optimizer=optimizer)
    t = bp.trace(net, X, y)
    assert_shows(read(str(t)), t)
    update = str(t).split("update\n------\n")[1].split("\n\n")[0]
    assert repr(optimizer) in str(t) and "    w = w " in update
    for name, equation in {
        "weight_decay": "weight_decay w",
        "l1": "l1 sign(w)",
        "clip_norm": "g = g min(1, clip_norm / (||g",
        "clip_value": "g = min(max(g, -clip_value), clip_value)",
        "max_norm": "W[:, j] = W[:, j] min(1, max_norm / ||W",
    }.items():
        assert (equation in update) == bool(getattr(optimizer, name))
        if getattr(optimizer, name):
            assert f"{name} = {getattr(optimizer, name):g}" in update
    weights, biases = optimizer.both()
    for group in (weights, biases):
        for line in (*group.equations_before, *group.equations):
            assert f"      {line}\n" in f"{update}\n"
    for name in optimizer.kept:
        array = optimizer.arrays[name]
        assert f"{array.symbol}: {array.meaning.format(w='w', g='g')}" in update
    for name in ("beta1", "beta2", "alpha", "eps", "momentum_decay", "grow"):
        if hasattr(optimizer, name) and f"{name} " in update:
            assert f"{name} = {getattr(optimizer, name):g}" in update
    own = {name for name in dict(optimizer.biases) if name != "lr_factor"}
    assert ("for each w = b[l][j]" in update) == bool(own)
    for name, value in dict(optimizer.biases).items():
        if value and name in own:
            assert f"{name} = {value:g}" in update


@pytest.mark.parametrize("output, loss", PAIRS + SETTINGS, ids=str)
def test_the_equations_of_every_loss_are_printed(output, loss):
    net, X, y = problem(output, loss)
    text = str(bp.trace(net, X, y))
    assert f"loss: {loss.name}" in text
    lines = [line.strip() for line in text.splitlines()]
    by_a = next(line for line in lines if line.startswith("dE/da[3] = "))
    assert " / n" in by_a and "function" not in by_a
    delta = next(line for line in lines if line.startswith("delta[2] = "))
    assert ("dE/da[3]" in delta) != net.learner.design.loss_takes_z
    smoothed = getattr(loss, "label_smoothing", 0) > 0
    assert ("y'" in by_a) == ("- y'" in delta) == smoothed


def test_a_custom_loss_is_told_to_be_one():
    net, X, y = problem("tanh", fourth_powers)
    t = bp.trace(net, X, y)
    assert "E_i = the user's function" in str(t)
    assert "dE/da[3] = (dE_i/da by the user's function) / n" in str(t)
    assert_shows(read(str(t)), t)


@pytest.mark.parametrize("sizes, n", [((9, 4, 2), 3), ((3, 4, 2), 9)], ids=str)
def test_a_large_step_is_printed_in_short(sizes, n):
    net, X, y = problem(sizes=sizes, n=n)
    t = bp.trace(net, X, y)
    shown, expected = read(str(t)), numbers_of(t)
    for key, array in expected.items():
        (words,) = shown[key]
        if np.ndim(array) == 0:
            continue
        line = " ".join(words)
        pattern = r"shape \((.*)\), norm (\S+), from (\S+) to (\S+)"
        shape, *rest = re.fullmatch(pattern, line).groups()
        assert tuple(map(int, shape.strip(",").split(", "))) == array.shape
        about = np.linalg.norm(array), array.min(), array.max()
        np.testing.assert_allclose([float(x) for x in rest], about, rtol=6e-5)


def test_a_wide_softmax_is_printed_without_its_matrices():
    """A matrix of all outputs for each row: more than all else together."""
    net = bp.Network([4, 3, 500], output="softmax", dtype="float32", rng=0)
    t = bp.trace(net, np.ones((100, 4)), np.arange(100))
    most, text = traced_memory(lambda: str(t))
    assert most < 10 * t.a[-1].nbytes < np.empty((100, 500, 500), "float32").nbytes / 40
    assert "da_j/dz_k of softmax = a_j ([j = k] - a_k)\n" in text
    assert "relu'(z[0])" in text and "da[2]_j/dz[1]_k" not in text


def test_the_rates_of_layers_are_printed():
    net, X, y = problem(optimizer=bp.SGD(0.5))
    assert "learning rates of W and b" not in str(bp.trace(net, X, y))
    net.lr_factors = [0.25, 1.0, 2.0]
    t = bp.trace(net, X, y)
    assert t.lr_factors == (0.25, 1.0, 2.0)
    shown = read(str(t))["learning rates of W and b"]
    assert shown == [["1", "and", "1"]]  # the last layer is the first that is updated
    assert "learning rates of W and b                     0.125 and 0.125\n" in str(t)
    assert_shows(read(str(t)), t)
    net.optimizer = bp.SGD(0.5, biases={"lr_factor": 0.0})
    shown = read(str(bp.trace(net, X, y)))["learning rates of W and b"]
    assert shown == [["1", "and", "0"]]


def test_a_very_large_step_is_printed_as_short():
    net, X, y = problem(sizes=(200, 100, 50, 10), n=64, dtype="float32")
    text = str(bp.trace(net, X, y))
    assert len(text.splitlines()) < 150
    assert max(len(line) for line in text.splitlines()) < 200
    assert "shape (200, 100), norm " in text
    labels = str(bp.trace(net, X, np.arange(64) % 10))
    assert "shape (64,), from 0 to 9\n" in labels


def test_what_it_is_in_a_line():
    net, X, y = problem(n=1)
    assert repr(bp.trace(net, X, y)) == f"<Trace of step 1 of {net!r} on 1 row>"
    net, X, y = problem(Network=bp.reference.Network, n=2)
    net.train_step(X, y)
    assert repr(bp.trace(net, X, y)) == f"<Trace of step 2 of {net!r} on 2 rows>"


@pytest.mark.parametrize("n", [3, 50])
def test_the_derivation_as_html(n):
    """The same equations and numbers as in the text, nothing in them a tag."""
    net, X, y = problem("tanh", nameless, n=n, dropout=0.3, norm="layer")
    t = bp.trace(net, X, y)
    markup = t._repr_html_()
    tables, text = Tables(markup), str(t)
    assert "<lambda>" not in markup and "&lt;lambda&gt;" in markup
    assert any("<lambda>" in equation for equation, _ in tables.rows)
    for caption in tables.captions:
        assert f"\n{caption}\n---" in f"\n{text}"
    flat = " ".join(text.split())
    for equation, rows in tables.rows:
        assert " ".join(f"{equation} {rows}".split()) in flat
    assert sum(len(rows) for _, rows in tables.rows) > 100


@each_library
def test_a_network_as_html(Network):
    net = Network(
        [3, 5, 4, 2],
        loss=nameless,
        output="tanh",
        norm=["batch", None],
        dropout=[0.0, 0.25],
    )
    net.frozen = [True, False, False]
    markup = net._repr_html_()
    tables = Tables(markup)
    assert "<lambda>" not in markup and "loss <lambda>" in tables.captions[0]
    assert f"{net.parameters.size} parameters" in tables.captions[0]
    first, *layers = tables.rows[1:]
    assert len({len(row) for row in tables.rows}) == 1
    assert first[2] == "3" and [row[2] for row in layers] == ["5", "4", "2"]
    assert [row[3].split(" ", 1)[1] for row in layers] == ["3 x 5", "5 x 4", "4 x 2"]
    assert [row[5] for row in layers] == ["batch norm, frozen", "dropout 0.25", ""]
    for row, W in zip(layers, net.weights, strict=True):
        assert float(row[4]) == pytest.approx(np.linalg.norm(W), rel=1e-3)


@each_option
def test_to_dict(options, dtype):
    net, X, y = problem(dtype=dtype, **options)
    t = bp.trace(net, X, y, np.arange(1.0, 6.0))
    found = t.to_dict()
    for name in ("a", "u", "hat", "inverse", "moments", "z", "f", "kept"):
        assert as_bytes(found[name]) == as_bytes(getattr(t, name))
    for name in ("derivatives", "da", "delta", "du", "dW", "db", "dgain"):
        assert as_bytes(found[name]) == as_bytes(getattr(t, name))
    assert found["weight"] is t.weight and found["y"] is t.y
    for moment, p in (("before", t.before), ("after", t.after)):
        assert as_bytes(found[moment]["W"]) == as_bytes(p.weights)
        assert as_bytes(found[moment]["b"]) == as_bytes(p.biases)
        assert as_bytes(found[moment]["gain"]) == as_bytes(p.gains)
        moments = found[moment]["running_moments"]
        assert as_bytes(moments) == as_bytes(p.running_moments)
        state = found[moment]["state"]
        assert list(state) == ["mean", "square"]
        for name, of in state.items():
            assert as_bytes(of["W"]) == as_bytes(p.state[name].weights)
            assert as_bytes(of["b"]) == as_bytes(p.state[name].biases)
            if any(net.norms):
                assert as_bytes(of["gain"]) == as_bytes(p.state[name].gains)
    plain = t.to_dict(lists=True)
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again == plain
    assert_same_numbers(again, found)
    assert again["sizes"] == list(SIZES) and again["activations"][-1] == "softmax"
    assert (again["loss"], again["lr"], again["step"]) == (t.loss, 0.01, 1)
    assert again["optimizer"] == repr(net.optimizer)
    assert again["network"] == repr(net)


def assert_same_numbers(plain, arrays):
    """Lists and arrays of the same numbers, in the same places."""
    if isinstance(arrays, dict):
        assert list(plain) == list(arrays)
        for name, part in arrays.items():
            assert_same_numbers(plain[name], part)
    elif isinstance(arrays, list) and not isinstance(arrays[0], str | int):
        for one, other in zip(plain, arrays, strict=True):
            assert_same_numbers(one, other)
    elif isinstance(arrays, np.ndarray):
        assert np.array_equal(np.array(plain, arrays.dtype), arrays)
    else:
        assert plain == arrays


def test_a_trace_can_be_kept():
    """Pickled and copied it is the same."""
    net, X, y = small_problem()
    t = bp.trace(net, X, y)
    for other in (pickle.loads(pickle.dumps(t)), copy.deepcopy(t)):
        assert str(other) == str(t)
        assert other.to_dict(lists=True) == t.to_dict(lists=True)


# --- pictures -------------------------------------------------------------------------


def texts(figure):
    """All that is written in a figure."""
    from matplotlib.text import Text

    return [found.get_text() for found in figure.findobj(Text) if found.get_text()]


def saved(figure):
    """How many bytes its PNG has."""
    pytest.importorskip("matplotlib")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    assert buffer.getvalue().startswith(b"\x89PNG")
    return len(buffer.getvalue())


@pytest.mark.parametrize("row", [None, 0, np.int64(2)])
def test_a_small_network_is_drawn_as_nodes_and_edges(row):
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(3, 4, 2), n=3, optimizer=bp.SGD(0.5))
    t = bp.trace(net, X, y)
    figure = t.plot(row=row)
    words = texts(figure)
    title = next(word for word in words if word.startswith("Step 1: "))
    assert f"E = {t.loss:.4g} " in title
    assert "of 3 rows; " in title
    assert ("mean a" if row is None else f"of row {row}") in title
    nodes = [word for word in words if word.startswith("a ")]
    assert len(nodes) == 3 + 4 + 2
    for m, a in enumerate(t.a):
        for j in range(a.shape[1]):
            shown = nodes.pop(0).split()
            expected = a[:, j].mean() if row is None else a[row, j]
            assert float(shown[1]) == pytest.approx(expected, rel=1e-2)
            if m:
                delta = t.delta[m - 1][:, j]
                expected = delta.sum() if row is None else delta[row]
                assert float(shown[3]) == pytest.approx(expected, rel=0.1)
    for W, after in zip(t.before.weights, t.after.weights, strict=True):
        for old, new in zip(W.ravel(), after.ravel(), strict=True):
            assert f"{old:.3g}\n{new - old:+.2g}" in words
    assert [word for word in words if word in ("input", "tanh", "softmax")]
    assert len(figure.axes[0].lines) == 3 * 4 + 4 * 2
    assert saved(figure) > 1000


def test_a_picture_shows_itself_in_a_notebook():
    pytest.importorskip("matplotlib")
    net, X, y = problem()
    assert bp.trace(net, X, y).plot()._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib_it_is_told_what_to_install(monkeypatch):
    net, X, y = problem()
    t, flow = bp.trace(net, X, y), bp.GradientFlow(X, y)
    flow.record(net, 1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "bpcore.show.figure", raising=False)
    monkeypatch.delattr(bp, "_figure", raising=False)
    for plot in (t.plot, flow.plot):
        with pytest.raises(ImportError, match="pip install matplotlib"):
            plot()


@pytest.mark.parametrize("row", [None, 4])
def test_a_large_network_is_drawn_as_maps(row):
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(9, 12, 3), n=5)
    t = bp.trace(net, X, y)
    figure = t.plot(row)
    maps = [image.get_array() for axes in figure.axes for image in axes.images]
    rows = slice(None) if row is None else slice(row, row + 1)
    expected = []
    for l in range(2):
        W, after = t.before.weights[l], t.after.weights[l]
        expected += [t.a[l + 1][rows], t.delta[l][rows], W, after - W]
    assert len(maps) == len(expected)
    for found, array in zip(maps, expected, strict=True):
        assert np.array_equal(found, array)
    titles = {"a[1] = tanh(z[0])", "delta[1]", "W[0]", "W[1], after - before"}
    assert titles <= set(texts(figure))
    assert saved(figure) > 1000


def test_a_step_of_nothing_is_drawn():
    """Where nothing changes, and all is 0."""
    pytest.importorskip("matplotlib")
    for sizes in ((2, 2), (2, 9)):
        net = bp.Network(sizes, init="zeros")
        saved(bp.trace(net, [[0.0, 0.0]], [[0.0] * sizes[1]]).plot())


@pytest.mark.parametrize("sizes", [(3, 2), (9, 2)])
@pytest.mark.parametrize(
    "row, error",
    [(5, IndexError), (-1, IndexError), (1.0, TypeError), ("1", TypeError),
     (True, TypeError)],
)  # fmt: skip
def test_rows_that_are_not_there_are_not_drawn(sizes, row, error):
    pytest.importorskip("matplotlib")
    t = bp.trace(*problem(sizes=sizes))
    with pytest.raises(error, match=f"row must be .*got {row!r}"):
        t.plot(row=row)


@pytest.mark.parametrize("sizes", [(3, 2), (9, 2)])
def test_no_picture_without_matplotlib(monkeypatch, sizes):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    t = bp.trace(*problem(sizes=sizes))
    with pytest.raises(ImportError, match="matplotlib"):
        t.plot()
    assert str(t) and t._repr_html_()


# --- one derivative along all paths ---------------------------------------------------


class Counted:
    """A product that counts its multiplications."""

    def __init__(self):
        self.count = 0

    def __call__(self, *factors):
        result = float(factors[0])
        for factor in factors[1:]:
            result *= float(factor)
            self.count += 1
        return result


def slope(t, m, s, k):
    """f' of unit k, with whether it was kept."""
    kept = 1.0 if t.kept[m] is None else float(t.kept[m][s, k])
    return float(t.derivatives[m][s, k]) * kept


def slope_between(t, m, s, above, k):
    """da_above/dz_k of softmax, with whether it was kept."""
    kept = 1.0 if t.kept[m] is None else float(t.kept[m][s, above])
    return float(t.derivatives[m][s, above, k]) * kept


def ways(t, m, s, k, factors):
    """The factors of every way from z[m] of unit k to the loss."""
    last = t.n_layers - 1
    if m == last and t.design.loss_takes_z:
        yield [*factors, t.delta[m][s, k]]
        return
    if t.design.activations[m] == "softmax":
        steps = [
            (above, slope_between(t, m, s, above, k)) for above in range(t.sizes[m + 1])
        ]
    else:
        steps = [(k, slope(t, m, s, k))]
    for unit, derivative in steps:
        if m == last:
            yield [*factors, derivative, t.da[-1][s, unit]]
        else:
            W = t.before.weights[m + 1]
            for above in range(t.sizes[m + 2]):
                beyond = [*factors, derivative, W[unit, above]]
                yield from ways(t, m + 1, s, above, beyond)


def along_all_ways(t, l, i, j, times):
    """The terms of dE/dW[l][i, j]; those of a bias where i is None."""
    return [
        times(*factors)
        for s in range(len(t.X))
        for factors in ways(t, l, s, j, [] if i is None else [t.a[l][s, i]])
    ]


def backwards(t, s, lowest, units, times):
    """delta of those units of the lowest layer, in scalars from the last on."""
    last = t.n_layers - 1
    by_a, delta = dict(enumerate(t.da[-1][s])), {}
    for m in range(last, lowest - 1, -1):
        wanted = units if m == lowest else range(t.sizes[m + 1])
        softmax = t.design.activations[m] == "softmax"
        if m < last:
            W = t.before.weights[m + 1]
            by_a = {
                k: sum(times(delta[a], W[k, a]) for a in range(t.sizes[m + 2]))
                for k in (range(t.sizes[m + 1]) if softmax else wanted)
            }
        if m == last and t.design.loss_takes_z:
            delta = {k: t.delta[m][s, k] for k in wanted}
        elif softmax:
            delta = {
                k: sum(
                    times(by_a[a], slope_between(t, m, s, a, k))
                    for a in range(t.sizes[m + 1])
                )
                for k in wanted
            }
        else:
            delta = {k: times(by_a[k], slope(t, m, s, k)) for k in wanted}
        yield m, delta


def layer_by_layer(t, l, i, j, times):
    total = 0.0
    for s in range(len(t.X)):
        *_, (_, delta) = backwards(t, s, l, [j], times)
        total += times(t.a[l][s, i], delta[j])
    return total


def of_all_parameters(t):
    """The multiplications of both forms, for every weight and bias."""
    expanded, layered = Counted(), Counted()
    for l, W in enumerate(t.dW):
        for i, j in np.ndindex(W.shape):
            along_all_ways(t, l, i, j, expanded)
        for j in range(W.shape[1]):
            along_all_ways(t, l, None, j, expanded)
    for s in range(len(t.X)):
        for l, delta in backwards(t, s, 0, range(t.sizes[1]), layered):
            for i, j in np.ndindex(t.dW[l].shape):
                layered(t.a[l][s, i], delta[j])
    return expanded.count, layered.count


NETWORKS = [
    {"sizes": (2, 3)},
    {"sizes": (2, 3), "output": "sigmoid", "loss": "binary_cross_entropy"},
    {"sizes": (2, 3), "output": "softmax", "loss": "squared_error"},
    {"sizes": (2, 3, 2), "output": "identity", "loss": "huber"},
    {"sizes": (2, 3, 2), "output": "softmax", "loss": "mean_squared_error"},
    {"sizes": (3, 2, 4, 2)},
    {"sizes": (3, 2, 4, 2), "activation": "softmax"},
    {"sizes": (3, 2, 4, 2), "activation": "softmax", "dropout": 0.4},
    {"sizes": (2, 3, 2, 3), "activation": ["relu", "softmax"], "dropout": [0.4, 0.2]},
    {"sizes": (2, 3, 2, 3), "activation": ["softmax", "gelu"], "output": "tanh",
     "loss": "log_cosh", "dropout": [0.2, 0.4]},
    {"sizes": (1, 2, 1, 2, 2), "output": "exp", "loss": "poisson"},
    {"sizes": (2, 2, 3, 2, 2), "output": "softmax", "loss": "hinge"},
    {"sizes": (2, 3, 2), "output": "tanh", "loss": fourth_powers, "input_noise": 0.3},
    {"sizes": (2, 3, 2), "optimizer": bp.Momentum(), "output": "softplus",
     "loss": "poisson"},
]  # fmt: skip


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("settings", NETWORKS, ids=str)
def test_all_paths_are_the_derivative_layer_by_layer(settings, n):
    """Both values, and every count, against an enumeration path by path."""
    settings = {"output": "softmax", "loss": "cross_entropy", **settings}
    t = bp.trace(*problem(n=n, **settings))
    everywhere = of_all_parameters(t)
    for l, W in enumerate(t.dW):
        for i, j in np.ndindex(W.shape):
            path = t.path(l, i, j)
            expanded, layered = Counted(), Counted()
            terms = along_all_ways(t, l, i, j, expanded)
            value = layer_by_layer(t, l, i, j, layered)
            assert (path.l, path.i, path.j) == (l, i, j)
            assert (path.n_terms, path.n_paths) == (len(terms), len(terms) // n)
            assert path.multiplications == (expanded.count, layered.count)
            assert path.of_all_parameters == everywhere
            # Terms of both signs may cancel all but a little.
            exact = {"rel": 1e-12, "abs": 1e-14 * sum(map(abs, terms))}
            assert path.layer_by_layer == W[i, j]
            assert path.expanded == pytest.approx(math.fsum(terms), **exact)
            assert path.expanded == pytest.approx(value, **exact)
            assert path.expanded == pytest.approx(W[i, j], **exact)
            assert path.difference == abs(path.expanded - path.layer_by_layer)


def test_all_paths_of_networks_of_the_reference_and_of_float32():
    for Network, dtype in itertools.product(LIBRARIES, ("float32", "float64")):
        t = bp.trace(*problem(Network=Network, dtype=dtype, dropout=0.3))
        path = t.path(0, 2, 5)
        tolerance = 1e-12 if dtype == "float64" else 1e-4
        assert path.expanded == pytest.approx(t.dW[0][2, 5], rel=tolerance)
        assert path.expanded != 0


def test_paths_are_written_out():
    """A line for each term, with its factors, that add up to the sum."""
    t = bp.trace(*problem(sizes=(2, 3, 2, 2), n=2, activation=["tanh", "softmax"]))
    path = t.path(0, 1, 2)
    text = str(path)
    assert "for every row s and units k1, k2, k3 the product" in text
    chain = (
        "a[0][s,1]  f'(z[0][s,2])  W[1][2,k1]  da[2][s,k2]/dz[1][s,k1]  W[2][k2,k3]  "
        "dE/dz[2][s,k3]"
    )
    lines = text.splitlines()
    assert lines[1].split() == ["s", "k1", "k2", "k3", *chain.split(), "product"]
    terms = [[float(word) for word in line.split()] for line in lines[2:18]]
    places = [tuple(map(int, term[:4])) for term in terms]
    assert places == list(np.ndindex(2, 2, 2, 2))
    for (s, k1, k2, k3), term in zip(places, terms, strict=True):
        factors = [
            t.a[0][s, 1],
            t.derivatives[0][s, 2],
            t.before.weights[1][2, k1],
            t.derivatives[1][s, k2, k1],
            t.before.weights[2][k2, k3],
            t.delta[2][s, k3],
        ]
        np.testing.assert_allclose(term[4:], [*factors, math.prod(factors)], rtol=6e-5)
    assert sum(term[-1] for term in terms) == pytest.approx(path.expanded, rel=1e-3)
    assert lines[18].strip() == f"the sum of 16 terms = {path.expanded:.10g}"
    assert f" = {path.layer_by_layer:.10g}" in text
    assert f"they differ by {path.difference:.1e}" in text
    counts = [line.split() for line in lines[-2:]]
    both = zip(path.multiplications, path.of_all_parameters, strict=True)
    for words, (one, every) in zip(counts, both, strict=True):
        assert words[-2:] == [f"{one:,}", f"{every:,}"]
    assert repr(path).startswith("<PathSum of W[0][1, 2]: 16 terms, ")
    one = bp.trace(*problem(sizes=(1, 1), n=1, output="tanh", loss="hinge"))
    text = str(one.path(0, 0, 0))
    assert "for every row s the product of" in text and "the sum of 1 term" in text


@pytest.mark.parametrize("sizes", [(3, 40, 60, 50, 4), (3, 50, 50, 41)])
def test_too_many_paths_are_counted(sizes):
    t = bp.trace(*problem(sizes=sizes, n=50))
    path = t.path(0, 0, 0)
    assert path.n_paths == math.prod(sizes[2:]) and path.n_terms == 50 * path.n_paths
    assert path.n_terms > 100_000
    assert path.expanded is None and path.difference is None
    assert path.layer_by_layer == t.dW[0][0, 0]
    text = str(path)
    assert f"{path.n_terms:,} terms" in text
    assert f"... {path.n_terms - 40:,} more terms ..." in text
    assert "more than 100,000: text(all=True) writes out all of them" in text
    assert f"{path.multiplications[0]:,}" in text and "they differ" not in text
    assert f"{path.of_all_parameters[1]:,}" in text
    assert len(text.splitlines()) < 400
    assert t.path(len(sizes) - 2, 0, 0).expanded == pytest.approx(
        t.dW[-1][0, 0], rel=1e-12
    )


def test_how_many_paths_are_too_many(monkeypatch):
    t = bp.trace(*problem(sizes=(2, 3, 2), n=3))
    for most, written in ((6, True), (5, False)):
        monkeypatch.setattr(path_sum, "MOST", most)
        assert (t.path(0, 0, 0).expanded is not None) == written


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_paths_end_where_units_depend_on_each_other(kind):
    """Below normalised layers there are none; above them they are as ever."""
    t = bp.trace(*problem(norm=[None, kind]))
    for l in (0, 1):
        said = f"l must be at least 2: layer 1 has {kind} norm, .*; got {l}"
        with pytest.raises(ValueError, match=said):
            t.path(l, 0, 0)
    path = t.path(2, 1, 3)
    assert path.expanded == pytest.approx(t.dW[2][1, 3], rel=1e-12)
    assert path.of_all_parameters is None
    assert "all weights and biases" not in str(path)
    t = bp.trace(*problem(norm=[kind, None]))
    path = t.path(1, 1, 3)
    assert path.expanded == pytest.approx(t.dW[1][1, 3], rel=1e-12)


@pytest.mark.parametrize("name, size", [("l", 3), ("i", 3), ("j", 7)])
def test_weights_that_are_not_there_have_no_paths(name, size):
    t = bp.trace(*problem())
    for index in (-1, size, 10**30):
        with pytest.raises(
            IndexError, match=rf"^{name} must be .* 0 \.\. .*got {index}"
        ):
            t.path(**{"l": 0, "i": 0, "j": 0, name: index})
    for index in (True, 1.0, "1", None, np.bool_(1)):
        with pytest.raises(TypeError, match=f"^{name} must be a whole number"):
            t.path(**{"l": 0, "i": 0, "j": 0, name: index})
    last = {"l": 0, "i": 0, "j": 0, name: np.int8(size - 1)}
    assert t.path(**last).expanded is not None


# --- what it refuses ------------------------------------------------------------------


ROWS = np.zeros((5, 3))
TARGETS = np.full((5, 4), 0.25)
NAN = np.where(np.arange(15).reshape(5, 3) == 7, np.nan, 0)
REFUSED = {
    "X of another width": (ValueError, r"X must have shape \(n, 3\)", ROWS.T, TARGETS),
    "no rows": (ValueError, r"X must have shape", ROWS[:0], TARGETS[:0]),
    "one row only": (ValueError, r"X must have shape", ROWS[0], TARGETS[0]),
    "NaN": (ValueError, r"X must be finite .* at \[2, 1\]", NAN, TARGETS),
    "words": (TypeError, "X must hold real numbers", [["a", "b", "c"]], TARGETS[:1]),
    "y of another length": (ValueError, "y must have shape", ROWS, TARGETS[:4]),
    "y of another width": (ValueError, "y must have shape", ROWS, TARGETS[:, :3]),
    "no y": (TypeError, "y must be given", ROWS, None),
    "infinite y": (ValueError, "y must be finite", ROWS, TARGETS + np.inf),
    "labels out of range": (ValueError, "y must hold labels in 0 .. 3", ROWS, [4] * 5),
    "targets out of range": (ValueError, "y must lie in 0 .. 1", ROWS, 9 * TARGETS),
    "weights of another length": (
        ValueError, "sample_weight must have shape", ROWS, TARGETS, [1.0],
    ),
    "negative weights": (
        ValueError, "sample_weight must not be negative", ROWS, TARGETS, [-1.0] * 5,
    ),
    "weights of other classes": (
        ValueError, "class_weight must have shape", ROWS, TARGETS, None, [1.0, 2.0],
    ),
}  # fmt: skip


@each_library
@pytest.mark.parametrize("case", REFUSED)
def test_bad_mini_batches(Network, case):
    error, message, *arguments = REFUSED[case]
    net = problem(Network=Network, dropout=0.3)[0]
    net.train_step(ROWS, TARGETS)
    before = everything(net)
    for apply in (False, True):
        with pytest.raises(error, match=f"^{message}"):
            bp.trace(net, *arguments, apply=apply)
        assert everything(net) == before


def test_bad_arguments():
    net, X, y = problem()
    for other in (None, "net", X, bp.Network):
        with pytest.raises(TypeError, match=r"^network must be a Network; got "):
            bp.trace(other, X, y)
    before = everything(net)
    for apply in (1, 0, None, "yes", np.array([True])):
        with pytest.raises(TypeError, match=r"^apply must be a bool; got "):
            bp.trace(net, X, y, apply=apply)
    with pytest.raises(TypeError):
        bp.trace(net, X, y, None, None, True)  # apply by its name only
    assert everything(net) == before
    bp.trace(net, X, y, apply=np.bool_(True))
    assert everything(net) != before


@each_library
def test_networks_that_make_no_steps(Network):
    pytest.importorskip("scipy")
    for settings, message in (
        ({"activation": "step"}, "activation must have a derivative to train by"),
        ({"optimizer": bp.LBFGS()}, "LBFGS trains by fit only"),
    ):
        net, X, y = problem(Network=Network, **settings)
        before = everything(net)
        with pytest.raises(ValueError, match=f"^{message}"):
            bp.trace(net, X, y)
        assert everything(net) == before
    net, X, y = problem(Network=Network, norm="batch")
    with pytest.raises(
        ValueError, match=r"^X must have at least 2 rows for batch norm"
    ):
        bp.trace(net, X[:1], y[:1])


@each_library
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite(Network):
    net, X, y = problem(
        "identity", "squared_error", Network=Network, norm="batch", dropout=0.3
    )
    net.biases[-1][0] = 1e200
    before = everything(net)
    for apply in (False, True):
        with pytest.raises(bp.DivergenceError, match="not finite; nothing has changed"):
            bp.trace(net, X, y, apply=apply)
        assert everything(net) == before
    net.biases[-1][0] = 0
    assert_is_the_step(net, X, y)


@each_library
def test_a_loss_that_raises(Network):
    """Its own error arrives, and the network goes on."""
    answers = [KeyError("mine"), None]

    def loss(a, y):
        if (error := answers[0]) is not None:
            raise error
        return fourth_powers(a, y)

    net, X, y = problem("tanh", loss, Network=Network, dropout=0.3)
    before = everything(net)
    for apply in (False, True):
        with pytest.raises(KeyError, match="mine"):
            bp.trace(net, X, y, apply=apply)
        assert everything(net) == before
    answers[0] = None
    assert_is_the_step(net, X, y)


def test_a_loss_cannot_trace_its_own_network():
    def loss(a, y):
        bp.trace(net, X, y)
        return fourth_powers(a, y)

    net, X, y = problem("tanh", loss)
    before = everything(net)
    with pytest.raises(RuntimeError, match="in use by the step that asks its loss"):
        bp.trace(net, X, y)
    assert everything(net) == before


def test_a_network_in_use_is_refused():
    net, X, y = problem()
    before = everything(net)
    with net.learner.engine, ThreadPoolExecutor(1) as pool:
        for apply in (False, True):
            with pytest.raises(RuntimeError, match="in use by another thread"):
                pool.submit(bp.trace, net, X, y, apply=apply).result()
    assert everything(net) == before
    assert_is_the_step(net, X, y)


# --- memory ---------------------------------------------------------------------------


def traced_memory(call):
    """The most bytes that a call held at once, beyond those held before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        kept = call()
        return tracemalloc.get_traced_memory()[1] - before, kept
    finally:
        tracemalloc.stop()


def wide(n=400, **settings):
    """Parameters and activations of some MB, and a mini-batch that needs no copies."""
    return problem(
        "identity", "squared_error", (300, 400, 350, 20), n, dtype="float32",
        **settings,
    )  # fmt: skip


def test_much_memory_is_told_before_it_is_taken(monkeypatch):
    net, X, y = wide()
    y = y.astype("float32")
    before = everything(net)
    monkeypatch.setattr(memory, "MUCH", 10**6)

    def refused():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning, match=r"takes 0\.0 GB of memory"):
                bp.trace(net, X, y, apply=True)

    refused()  # what Python keeps of a first warning
    most, _ = traced_memory(refused)
    assert most < 10**5
    assert everything(net) == before and net.learner.engine.capacity == 0
    with pytest.warns(UserWarning, match="this trace takes") as caught:
        t = bp.trace(net, X, y)
    assert caught[0].filename == __file__
    assert held(t.before) == now(net)
    monkeypatch.setattr(memory, "MUCH", 10**9)
    bp.trace(net, X, y)  # warnings are errors: there is none


@pytest.mark.parametrize("apply", [False, True])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("n", [20, 600])
@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": bp.SGD(0.01)},
        {"optimizer": bp.SGD(0.01, clip_norm=1.0), "norm": "batch"},
        {"optimizer": bp.Adam(0.01)},
        {"optimizer": bp.AMSGrad(0.01, clip_norm=1.0)},
        {"optimizer": bp.SGD(0.01), "norm": "batch"},
        {"optimizer": bp.Adam(0.01), "dropout": 0.3, "norm": "layer"},
        {"optimizer": bp.Adam(0.01), "activation": "gelu", "input_noise": 0.1},
    ],
    ids=str,
)
def test_the_memory_told_is_what_it_takes(monkeypatch, settings, n, fresh, apply):
    net, X, y = wide(n, **settings)
    y = y.astype("float32")
    if not fresh:
        net.train_step(X, y)  # it has its workspace
    told = []
    monkeypatch.setattr(record, "warn_of_memory", lambda _, size: told.append(size))
    most, t = traced_memory(lambda: bp.trace(net, X, y, apply=apply))
    assert t.n_layers == 3
    assert most > 2 * 10**6
    assert told[0] == pytest.approx(most, rel=0.15)


# --- what it must not stumble over ----------------------------------------------------


def test_a_gradient_that_is_not_finite():
    """The step clips it; what is shown is what it was."""
    net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(0.1, clip_value=1.0))
    own = copy.deepcopy(net)
    own.train_step([[1e30]], [[1e10]])
    t = bp.trace(net, [[1e30]], [[1e10]])
    assert t.dW[0].item() == -np.inf and "-inf" in str(t)
    assert as_bytes(t.after.weights) == as_bytes(own.weights)
    flow = bp.GradientFlow([[1e30]], [[1e10]])
    flow.record(net, 1)
    assert flow.dW.item() == np.inf


@pytest.mark.parametrize("hidden", ["tanh", "softmax"])
def test_paths_of_deep_networks(hidden):
    """More layers than an array has axes."""
    net = bp.Network([1] * 70, activation=hidden, output="tanh", dtype="float64", rng=0)
    path = bp.trace(net, [[1.0]], [[2.0]]).path(0, 0, 0)
    assert (path.n_paths, path.n_terms) == (1, 1)
    assert path.expanded == pytest.approx(path.layer_by_layer, rel=1e-12)
    assert "the sum of 1 term" in str(path)


def test_a_path_reads_no_more_than_its_factors():
    net = bp.Network([4, 8, 2000], output="softmax", rng=0)
    t = bp.trace(net, np.ones((64, 4)), np.arange(64))
    most, path = traced_memory(lambda: t.path(0, 0, 0))
    assert path.expanded is None and most < 10**6


def test_a_path_through_a_unit_that_dropped_out():
    """Its derivative may be infinite: it is not asked for."""
    net = bp.Network([1, 8, 1], activation="exp", dropout=0.5, dtype="float64", rng=0)
    kept = bp.trace(net, [[1.0]], [[1.0]]).kept[0][0]
    gone = int(np.flatnonzero(kept == 0)[0])
    net.biases[0][gone] = 800.0
    t = bp.trace(net, [[1.0]], [[1.0]])
    path = t.path(0, 0, gone)
    assert np.isinf(t.derivatives[0][0, gone])
    assert path.expanded == path.layer_by_layer == 0


def test_derivatives_of_wide_softmax_are_told_at_the_callers_line(monkeypatch):
    t = bp.trace(*problem("softmax"))
    monkeypatch.setattr(memory, "MUCH", 10)
    with pytest.warns(UserWarning, match="these derivatives take") as caught:
        assert t.derivatives
    assert caught[0].filename == __file__
