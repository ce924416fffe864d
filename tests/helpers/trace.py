"""Networks and data to trace; a traced step compared with the training step."""

import copy
import tracemalloc

import numpy as np
import pytest

import bpcore as bp
from bpcore.activations import ACTIVATIONS
from bpcore.losses import LOSSES
from bpcore.reference.activations import activate
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

#: What a network may be made of, beside sizes and activations.
OPTIONS = [
    {},
    {"dropout": 0.4},
    {"norm": "batch"},
    {"norm": "layer"},
    {"input_noise": 0.2},
    {"input_scale": 2.0},
    {"input_scale": 0.5, "input_noise": 0.1, "norm": "layer"},
    {"norm": ["layer", "batch"], "dropout": [0.2, 0.4], "input_noise": 0.1},
]

SIZES = (3, 7, 6, 4)
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)
each_pair = pytest.mark.parametrize("output, loss", PAIRS + SETTINGS, ids=str)


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
    if net.input_scale is not None:
        net.input_scale[...] = rng.uniform(0.5, 1.5, sizes[0])
    for W, f in zip(net.weights, net.activations, strict=True):
        W *= 0.3 if f == "exp" else 1  # or it explodes
    if (output, net.loss) == ("hard_tanh", "hinge"):
        net.weights[-1][...] *= 0.3  # outputs of 1 are on the kink of hinge
    X = rng.normal(size=(n, sizes[0])).astype(dtype)
    return net, X, targets(rng, loss, (n, sizes[-1]))


def as_bytes(arrays):
    return [None if array is None else array.tobytes() for array in arrays]


def now(net):
    """The arrays of a network's present parameters and state, as bytes."""
    rows = (
        []
        if net.learner.state.optimizer_arrays is None
        else net.learner.state.optimizer_arrays[:, : net.parameters.size]
    )
    state = [net.learner.design.layout.views(row) for row in rows]
    found = [net.weights, net.biases, net.gains, net.running_moments]
    found.append([net.input_scale])
    for of in state:
        found += [of.weights, of.biases, of.gains, [of.scale]]
    return [as_bytes(arrays) for arrays in found]


def held(parameters):
    """The same arrays of a trace's `Parameters`, as bytes."""
    p = parameters
    found = [p.weights, p.biases, p.gains, p.running_moments, [p.scale]]
    for of in p.state.values():
        found += [of.weights, of.biases, of.gains, [of.scale]]
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


def jacobian(z, f):
    """da_j/dz_k of each row, by central differences."""
    found = np.zeros((*z.shape, z.shape[1]))
    for k in range(z.shape[1]):
        here = np.zeros_like(z)
        here[:, k] = 1e-6
        found[:, :, k] = (activate(z + here, f) - activate(z - here, f)) / 2e-6
    return found


def small_problem():
    """A network whose derivation has every kind of equation."""
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
