"""L-BFGS."""

import numpy as np
import pytest

import bpcore as bp
from helpers import each_library, trained
from helpers.training import LABELS, QUIET, X, make, rng

# --- divergence -----------------------------------------------------------------------


def test_lbfgs_that_cannot_begin_tells():
    pytest.importorskip("scipy")
    net = bp.Network([7, 2], optimizer=bp.LBFGS(), rng=0)
    net.weights[0][...] = 1e38
    before = trained(net)
    with pytest.raises(bp.DivergenceError, match="not finite before epoch 1"):
        net.fit(X, np.zeros((50, 2)), epochs=2, **QUIET)
    assert trained(net) == before


# --- L-BFGS ---------------------------------------------------------------------------


@each_library
def test_lbfgs_solves_least_squares(Network):
    pytest.importorskip("scipy")
    A = np.c_[X.astype("float64"), np.ones(50)]
    y = rng.normal(size=(50, 3))
    best = np.linalg.lstsq(A, y, rcond=None)[0]
    net = Network([7, 3], optimizer=bp.LBFGS(tolerance=1e-10), dtype="float64", rng=0)
    history = net.fit(X, y, epochs=200, **QUIET)
    np.testing.assert_allclose(net.weights[0], best[:-1], atol=1e-7)
    np.testing.assert_allclose(net.biases[0], best[-1], atol=1e-7)
    assert history.stopped == "converged" and len(history) < 200
    assert (np.diff(history.loss) <= 1e-12).all()
    assert net.evaluate(X, y) <= history.loss[-1]


def test_lbfgs_with_weight_decay_and_frozen_layers():
    pytest.importorskip("scipy")
    y = rng.normal(size=(50, 3))
    optimizer = bp.LBFGS(weight_decay=0.3, biases={"weight_decay": 0.0}, tolerance=1e-9)
    net = bp.Network([7, 3], optimizer=optimizer, dtype="float64", rng=0)
    net.fit(X, y, epochs=200, **QUIET)
    gradients = net.gradients(X, y)
    np.testing.assert_allclose(gradients.weights[0], -0.3 * net.weights[0], atol=1e-7)
    np.testing.assert_allclose(gradients.biases[0], 0, atol=1e-7)
    deep = make(optimizer=bp.LBFGS())
    deep.frozen = [True, False, False]
    before = deep.weights[0].copy()
    history = deep.fit(X, LABELS, epochs=10, metrics="accuracy", **QUIET)
    assert np.array_equal(deep.weights[0], before)
    assert history.loss[-1] < history.loss[0] and len(history["accuracy"]) == 10


def test_lbfgs_leaves_parameters_whose_factor_is_0():
    pytest.importorskip("scipy")
    net, first = make(optimizer=bp.LBFGS()), make()
    net.lr_factors = [0, (0, 3), (0.5, 0)]
    net.fit(X, LABELS, epochs=5, **QUIET)
    for l, (moves_W, moves_b) in enumerate(
        [(False, False), (False, True), (True, False)]
    ):
        assert np.array_equal(net.weights[l], first.weights[l]) != moves_W
        assert np.array_equal(net.biases[l], first.biases[l]) != moves_b


def test_lbfgs_stops_after_a_callback_returns_true():
    pytest.importorskip("scipy")
    net = make(optimizer=bp.LBFGS())
    history = net.fit(
        X, LABELS, epochs=50, callbacks=[lambda net, h: len(h) == 3], **QUIET
    )
    assert len(history) == 3 and history.stopped == "callback"


def test_more_history_than_iterations_needs_no_memory():
    pytest.importorskip("scipy")

    def parameters(history):
        net = bp.Network([2, 3, 1], optimizer=bp.LBFGS(history=history), rng=0)
        net.fit([[0, 1], [1, 0]], [1, 2], epochs=5, progress=False)
        return net.parameters

    assert np.array_equal(parameters(10**9), parameters(5))
