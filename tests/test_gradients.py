"""Gradients against central differences, for every activation and every loss."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.activations import ACTIVATIONS
from bpcore.losses import LOSSES

PAIRS = [
    (output, loss.name)
    for loss in LOSSES.values()
    for output in loss.outputs or ACTIVATIONS
]


def problem(output, loss, seed=0, sizes=(5, 7, 6, 4), hidden="tanh", n=9):
    """A float64 network and a mini-batch, away from the kinks of relu."""
    rng = np.random.default_rng(seed)
    net = bp.Network(
        sizes, activation=hidden, output=output, loss=loss, dtype="float64", rng=seed
    )
    for b in net.biases:
        b[...] = rng.normal(0, 0.3, b.shape)
    X = rng.normal(size=(n, sizes[0]))
    y = rng.uniform(size=(n, sizes[-1]))
    return net, X, y


def assert_right(net, X, y, weight=None):
    check = bp.check_gradients(net, X, y, weight)
    assert check.zero == ()  # a gradient that is zero throughout would prove nothing
    assert check.largest < 1e-6, str(check)


@pytest.mark.parametrize("hidden", ACTIVATIONS)
@pytest.mark.parametrize("output, loss", PAIRS)
def test_every_activation_with_every_loss(hidden, output, loss):
    assert_right(*problem(output, loss, hidden=hidden))


@pytest.mark.parametrize("output, loss", PAIRS)
def test_sample_weights(output, loss):
    weight = np.arange(9) % 4 * 0.5  # some are zero
    assert_right(*problem(output, loss), weight)


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
    derivative = {
        "squared_error": lambda a, y: a - y,
        "mean_squared_error": lambda a, y: 2 * (a - y) / a.shape[1],
        "cross_entropy": lambda a, y: -y / a,
        "binary_cross_entropy": lambda a, y: (a - y) / (a * (1 - a)),
    }[loss]
    net, X, y = problem(output, loss)
    tape = net.forward(X)
    chained = net.backward(tape, derivative(tape.output, y) / len(X))
    own = net.gradients(X, y)
    np.testing.assert_allclose(chained.flat, own.flat, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(chained.input, own.input, rtol=1e-9, atol=1e-12)
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
