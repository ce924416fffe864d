"""Gradients against central differences, for every activation and every loss."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.activations import ACTIVATIONS
from bpcore.losses import LOSSES
from helpers import fourth_powers

TRAINABLE = [name for name, f in ACTIVATIONS.items() if f.trains]
#: Outputs that stay positive, as a Poisson rate must.
POSITIVE = ["exp", "softplus", "sigmoid", "softmax"]
PAIRS = [
    (output, loss.name)
    for loss in LOSSES.values()
    for output in loss.outputs or (POSITIVE if loss.name == "poisson" else TRAINABLE)
]
SETTINGS = [
    bp.CrossEntropy(label_smoothing=0.2),
    bp.Huber(delta=0.1),
    bp.Huber(delta=5.0),
    bp.Quantile(q=0.9),
]


def targets(rng, loss, shape):
    """Targets that the loss takes, none of them on a kink."""
    name = getattr(loss, "name", loss)
    if name == "hinge":
        return rng.choice([-1.0, 1.0], shape)
    if name == "poisson":
        return rng.poisson(2.0, shape).astype(float)
    y = rng.uniform(size=shape)
    return y / y.sum(axis=1, keepdims=True) if name == "kl_divergence" else y


def problem(output, loss, seed=0, sizes=(5, 7, 6, 4), hidden="tanh", n=9, **options):
    """A float64 network and a mini-batch, away from the kinks of relu."""
    rng = np.random.default_rng(seed)
    net = bp.Network(
        sizes,
        activation=hidden,
        output=output,
        loss=loss,
        dtype="float64",
        rng=seed,
        **options,
    )
    for b, gain in zip(net.biases, net.gains, strict=True):
        b[...] = rng.normal(0, 0.3, b.shape)
        if gain is not None:
            gain[...] = rng.uniform(0.5, 1.5, gain.shape)
    for W in net.weights:
        W *= 0.3 if hidden == "exp" else 1  # or it explodes
    X = rng.normal(size=(n, sizes[0]))
    return net, X, targets(rng, loss, (n, sizes[-1]))


def assert_right(net, X, y, weight=None):
    check = bp.check_gradients(net, X, y, weight)
    assert check.zero == ()  # a gradient that is zero throughout would prove nothing
    assert check.largest < 1e-6, str(check)


@pytest.mark.parametrize("hidden", TRAINABLE)
@pytest.mark.parametrize("output, loss", PAIRS)
def test_every_activation_with_every_loss(hidden, output, loss):
    assert_right(*problem(output, loss, hidden=hidden))


@pytest.mark.parametrize("output, loss", PAIRS)
def test_sample_weights(output, loss):
    weight = np.arange(9) % 4 * 0.5  # some are zero
    assert_right(*problem(output, loss), weight)


@pytest.mark.parametrize("loss", SETTINGS, ids=str)
def test_settings_of_losses(loss):
    output = "softmax" if loss.name == "cross_entropy" else "identity"
    net, X, y = problem(output, loss)
    assert_right(net, X, y)
    if loss.labels:
        assert_right(net, X, np.arange(9) % 4)


@pytest.mark.parametrize("output", TRAINABLE)
@pytest.mark.parametrize("weight", [None, np.arange(9) % 4 * 0.5])
def test_custom_loss(output, weight):
    assert_right(*problem(output, fourth_powers), weight)


def test_custom_loss_of_labels():
    def loss(a, y):
        rows = np.arange(len(a))
        d = np.zeros_like(a)
        d[rows, y] = -1 / a[rows, y]
        return -np.log(a[rows, y]), d

    net, X, _ = problem("softmax", loss)
    y = np.arange(9) % 4
    assert_right(net, X, y)
    same = problem("softmax", "cross_entropy")[0]
    np.testing.assert_allclose(
        net.gradients(X, y).flat, same.gradients(X, y).flat, rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "batch"},
        {"norm": "layer"},
        {"norm": ["layer", "batch"]},
        {"norm": [None, "batch"]},
        {"dropout": 0.4},
        {"dropout": [0.3, 0.0]},
        {"input_noise": 0.4},
        {"input_scale": 2.0, "input_noise": 0.2, "dropout": 0.3},
        {"norm": "batch", "dropout": 0.3, "input_noise": 0.1},
        {"norm": "layer", "dropout": 0.3},
    ],
    ids=str,
)
@pytest.mark.parametrize("hidden", TRAINABLE)
def test_normalisation_and_noise(hidden, options):
    if hidden in ("identity", "hard_sigmoid") and "batch" in options.get("norm", ""):
        pytest.skip("a shift in front of another batch norm has no effect at all")
    net, X, y = problem("identity", "squared_error", hidden=hidden, **options)
    net.train_step(X, y)  # not only the first mini-batch drops the right units
    assert_right(net, X, y)


@pytest.mark.parametrize("options", [{"norm": "batch"}, {"dropout": 0.4}], ids=str)
def test_what_a_tape_keeps(options):
    """`backward` after other steps still is that of the tape's forward pass."""
    net, X, y = problem("tanh", "squared_error", hidden="gelu", **options)
    own = net.gradients(X, y)
    tape = net.forward(X)
    kept = net.parameters.copy()
    net.train_step(X, y)
    net.parameters[...] = kept
    chained = net.backward(tape, (tape.output - y) / len(X))
    np.testing.assert_allclose(chained.flat, own.flat, rtol=1e-9, atol=1e-12)


def test_class_weights():
    net, X, _ = problem("softmax", "cross_entropy")
    y = np.arange(9) % 4
    weights = {0: 2.0, 3: 0.5}
    check = bp.check_gradients(net, X, y, class_weight=weights)
    assert check.zero == () and check.largest < 1e-6
    of_samples = np.array([2.0, 1.0, 1.0, 0.5])[y]
    assert (
        net.gradients(X, y, class_weight=weights).flat.tobytes()
        == net.gradients(X, y, of_samples).flat.tobytes()
    )


def test_labels():
    net, X, _ = problem("softmax", "cross_entropy")
    assert_right(net, X, np.arange(9) % 4)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1, 1), (3, 17, 2), (33, 2, 9)])
@pytest.mark.parametrize("n", [1, 2, 13])
def test_every_shape(sizes, n):
    assert_right(*problem("identity", "squared_error", sizes=sizes, n=n))


def test_layers_may_differ():
    assert_right(
        *problem(
            "softmax",
            "mean_squared_error",
            sizes=(4, 6, 5, 6, 3),
            hidden=("sigmoid", "relu", "softmax"),
        )
    )


def test_float32_gradients_are_those_of_its_float64_copy():
    net, X, y = problem("softmax", "cross_entropy", hidden="relu")
    check = bp.check_gradients(net.astype("float32"), X, y)
    assert check.zero == ()
    assert check.largest < 1e-5, str(check)


def test_a_wrong_gradient_is_seen(monkeypatch):
    net, X, y = problem("identity", "squared_error")
    right = net.gradients

    def wrong(*batch):
        grads = right(*batch)
        grads.weights[1][2, 3] *= 1.001
        return grads

    monkeypatch.setattr(net, "gradients", wrong, raising=False)
    assert bp.check_gradients(net, X, y).errors["W[1]"] > 1e-5


def test_zero_gradients_are_named():
    net, X, y = problem("identity", "squared_error", hidden="relu")
    net.biases[0][...] = -1e6  # no hidden unit of the first layer ever fires
    assert "W[0]" in bp.check_gradients(net, X, y).zero


@pytest.mark.parametrize("output, loss", PAIRS)
def test_backward_chains_into_any_loss(output, loss):
    """dE/da handed in from outside gives the gradients of the loss built in."""
    eps = 0 if output == "exp" else 1e-8  # of the identity link
    derivative = {
        "squared_error": lambda a, y: a - y,
        "mean_squared_error": lambda a, y: 2 * (a - y) / a.shape[1],
        "cross_entropy": lambda a, y: -y / a,
        "binary_cross_entropy": lambda a, y: (a - y) / (a * (1 - a)),
        "mean_absolute_error": lambda a, y: np.sign(a - y) / a.shape[1],
        "huber": lambda a, y: np.clip(a - y, -1, 1) / a.shape[1],
        "quantile": lambda a, y: (0.5 - (y > a)) / a.shape[1],
        "log_cosh": lambda a, y: np.tanh(a - y) / a.shape[1],
        "hinge": lambda a, y: np.where(a * y < 1, -y, 0) / a.shape[1],
        "poisson": lambda a, y: (1 - y / (a + eps)) / a.shape[1],
        "kl_divergence": lambda a, y: -y / a,
    }[loss]
    net, X, y = problem(output, loss)
    tape = net.forward(X)
    chained = net.backward(tape, derivative(tape.output, y) / len(X))
    own = net.gradients(X, y)
    np.testing.assert_allclose(chained.flat, own.flat, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(chained.input, own.input, rtol=1e-6, atol=1e-12)
    assert np.abs(own.flat).max() > 1e-3


def test_tape_holds_every_activation():
    net, X, _ = problem("softmax", "cross_entropy")
    tape = net.forward(X)
    assert tape.activations[0].tobytes() == X.tobytes()
    assert tape.output.tobytes() == net.predict(X).tobytes()
    for l, f in enumerate(net.activations):
        np.testing.assert_allclose(
            tape.activations[l + 1],
            bp.reference.forward(tape.activations[l], net.weights[l], net.biases[l], f),
            rtol=1e-12,
        )
