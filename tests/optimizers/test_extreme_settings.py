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
