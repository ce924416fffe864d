"""The report of check_gradients."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from helpers import fourth_powers
from helpers.numerical import X, Y, make

QUIET = {"progress": False}


def test_the_worst_parameter_is_named():
    """A loss whose derivative by one output is wrong: that output's largest weight."""

    def wrong(a, y):
        E, d = fourth_powers(a, y)
        d[:, 1] *= 1.01
        return E, d

    net = bp.Network([4, 3, 2], activation="tanh", dtype="float64", loss=wrong, rng=0)
    net.weights[1][:, 1] = 0  # so nothing but W[1] and b[1] learns of it
    worst = bp.check_gradients(net, X, Y).worst
    grads = net.gradients(X, Y)
    i = int(np.abs(grads.weights[1][:, 1]).argmax())
    share_of_W = np.abs(grads.weights[1][i, 1]) / np.abs(grads.weights[1]).max()
    share_of_b = np.abs(grads.biases[1][1]) / np.abs(grads.biases[1]).max()
    expected = f"W[1][{i}, 1]" if share_of_W > share_of_b else "b[1][1]"
    assert worst.name == expected
    assert worst.backpropagation == pytest.approx(1.01 * worst.numerical, rel=1e-6)


@pytest.mark.parametrize(
    "array, at, name",
    [
        (lambda grads: grads.weights[1], (3, 1), "W[1][3, 1]"),
        (lambda grads: grads.biases[0], (5,), "b[0][5]"),
        (lambda grads: grads.gains[0], (2,), "gain[0][2]"),
        (lambda grads: grads.input, (7, 0), "X[7, 0]"),
    ],
    ids=["weight", "bias", "gain", "input"],
)
@pytest.mark.parametrize("value", [10.0, np.nan])
def test_a_planted_error_is_named(monkeypatch, array, at, name, value):
    net, y = make({"norm": "layer"}, dtype="float64")
    right = net.gradients

    def wrong(*batch):
        grads = right(*batch)
        array(grads)[at] += value
        return grads

    exact = array(right(X, y))[at]
    monkeypatch.setattr(net, "gradients", wrong, raising=False)
    check = bp.check_gradients(net, X, y)
    worst = check.worst
    assert worst.name == name and worst.numerical == pytest.approx(exact, rel=1e-5)
    assert worst.backpropagation == pytest.approx(exact + value, nan_ok=True)
    assert check.largest == pytest.approx(worst.error, nan_ok=True)
    assert not worst.error < 0.5
    assert f"worst: {name}, off by" in repr(check)
    assert f"{worst.numerical:.12e}" in repr(check)


def test_a_check_of_nothing():
    net = bp.Network([2, 1], init="zeros", dtype="float64")
    check = bp.check_gradients(net, np.zeros((3, 2)), np.zeros((3, 1)))
    assert check.worst is None and check.largest == 0 and check.errors == {}
    assert check.zero == ("W[0]", "b[0]", "X") and "worst" not in repr(check)


def test_a_check_of_a_loss_that_is_not_finite():
    net = bp.Network([2, 1], loss=lambda a, y: (a[:, 0] / 0, a), rng=0)
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises(bp.DivergenceError, match="not finite"),
    ):
        bp.check_gradients(net, np.ones((3, 2)), np.ones((3, 1)))


def test_a_check_leaves_the_network_alone():
    net, y = make({"norm": "batch", "dropout": 0.2})
    net.fit(X, y, epochs=1, **QUIET)
    before = pickle.dumps(net)
    assert bp.check_gradients(net, X, y).largest < 1e-4
    assert pickle.dumps(net) == before
