"""Settings at the ends of their ranges: steps are finite and follow the formulas."""

import numpy as np
import pytest

import bpcore as bp

CLASSES = (bp.Network, bp.reference.Network)
DTYPES = ("float32", "float64")


def trained(kind, optimizer, dtype, steps=7):
    """The parameters after some steps; the first input is 0, and so its gradients."""
    X = np.random.default_rng(0).normal(size=(12, 3))
    X[:, 0] = 0
    net = kind([3, 4, 2], activation="tanh", optimizer=optimizer, rng=0, dtype=dtype)
    for _ in range(steps):
        net.train_step(X, X[:, 1:])
    return net.parameters.copy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("beta1", [0.0, -0.0, 1e-320, 1e-300, 1e-45, 1e-20])
def test_nadam_without_momentum_is_adam(beta1, kind, dtype):
    found = trained(kind, bp.Nadam(0.1, beta1), dtype)
    expected = trained(bp.reference.Network, bp.Adam(0.1, beta1), dtype)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("eps", [1e-320, 1e-300, 1e-46, 1e-40])
@pytest.mark.parametrize(
    "name",
    ["RMSprop", "Adagrad", "Adam", "AdamW", "AMSGrad", "Nadam", "Adamax", "RAdam"],
)
def test_gradients_of_0_change_nothing_however_small_eps_is(name, eps, dtype):
    for kind in CLASSES:
        optimizer = getattr(bp, name)(0.1, eps=eps, weight_decay=0.0)
        found = trained(kind, optimizer, dtype)
        start = kind([3, 4, 2], activation="tanh", rng=0, dtype=dtype).parameters
        assert np.isfinite(found).all()
        assert (found[:4] == start[:4]).all()  # the weights of the first input
        assert (found[4:8] != start[4:8]).all()


@pytest.mark.parametrize("name", ["plain", "plain, cleared", "general", "RMSprop"])
def test_a_momentum_that_is_0_in_float32_keeps_its_velocity(name):
    """The velocity is the last gradient, by every rule, in every step."""
    settings = {"momentum": 1e-60, "weight_decay": 0.01}
    optimizer = {
        "plain": bp.SGD(0.1, **settings),
        "plain, cleared": bp.SGD(0.1, **settings),
        "general": bp.SGD(0.1, clip_value=1e9, **settings),
        "RMSprop": bp.RMSprop(0.1, **settings),
    }[name]
    found = []
    for kind in CLASSES:
        net = kind([3, 2], optimizer=optimizer, rng=0, dtype="float32")
        X = np.random.default_rng(0).normal(size=(32, 5, 3))
        for x in X if "cleared" in name else X[1:]:
            net.train_step(x, x[:, 1:])
        before = net.parameters.copy()
        net.optimizer = optimizer.replace(momentum=0.9)
        net.train_step(np.zeros((1, 3)), net.predict(np.zeros((1, 3))))
        found.append(net.parameters - before)
    assert found[0].all()
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-6)
