"""Optimizers, activations, losses and normalisation against PyTorch's numbers.

The arrays were made once by ``golden/make_golden.py``; PyTorch is not needed here.
"""

import json

import numpy as np
import pytest

import bpcore as bp
from bpcore import reference
from helpers import GOLDEN, golden

CASES = json.loads((GOLDEN / "optimizers.json").read_text())


OPTIMIZERS = golden("optimizers")


def optimizer(case):
    """The settings of this library; PyTorch gives biases a rate, we a share of it."""
    settings = dict(case["settings"])
    if "lr" in (biases := dict(settings.get("biases", {}))):
        biases["lr_factor"] = biases.pop("lr") / settings["lr"]
        settings["biases"] = biases
    return getattr(bp, case["bpcore"])(**settings)


def batches(size):
    """Mini-batch after mini-batch of the 48 rows, again and again."""
    X, y = OPTIMIZERS["X"], OPTIMIZERS["y"]
    while True:
        for first in range(0, len(X), size):
            yield X[first : first + size], y[first : first + size]


def net_of(Network, case):
    net = Network(
        [5, 7, 3],
        activation="tanh",
        loss="mean_squared_error",
        optimizer=optimizer(case),
        dtype="float64",
        rng=0,
    )
    net.parameters[...] = OPTIMIZERS["initial"]
    return net


@pytest.mark.parametrize("path", ["fused", "stored"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_trajectory(Network, case, path):
    """50 steps, within 1e-10 of PyTorch's."""
    net, data = net_of(Network, case), batches(case["batch_size"])
    seen = {}
    steps = 50 // case["accumulate"]
    for step in range(1, steps + 1):
        if case["accumulate"] > 1:
            several = [next(data) for _ in range(case["accumulate"])]
            net.fit(several, epochs=1, accumulate=case["accumulate"], progress=False)
        elif path == "fused":
            net.train_step(*next(data))
        else:
            net.apply(net.gradients(*next(data)))
        seen[step] = net.parameters.copy()
    for step, expected in zip(
        OPTIMIZERS["steps"], OPTIMIZERS[case["name"]], strict=False
    ):
        np.testing.assert_allclose(seen[step], expected, rtol=0, atol=1e-10)


ACTIVATIONS = golden("activations")


#: Activations without recorded values of PyTorch.
NOT_RECORDED = {"identity", "softmax", "step"}


@pytest.mark.parametrize("name", sorted(set(bp.ACTIVATIONS) - NOT_RECORDED))
def test_activation(name):
    z = ACTIVATIONS["exp_z" if name == "exp" else "z"].reshape(1, -1)
    a, delta = z.copy(), np.ones_like(z)
    bp.kernels.activate(a, name)
    bp.kernels.times_derivative(delta, z if bp.ACTIVATIONS[name].needs_z else a, name)
    twin = reference.activate(z, name)
    of = z if bp.ACTIVATIONS[name].needs_z else twin
    twin_delta = reference.times_derivative(np.ones_like(z), of, name)
    for found, found_derivative in ((a, delta), (twin, twin_delta)):
        np.testing.assert_allclose(found[0], ACTIVATIONS[name], rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(
            found_derivative[0],
            ACTIVATIONS[f"{name}_derivative"],
            rtol=1e-13,
            atol=1e-14,
        )


LOSSES = golden("losses")
#: case: (the kernels' loss, its setting)
LOSS_CASES = {
    "mean_absolute_error": ("mean_absolute_error", 0),
    "huber_1": ("huber", 1),
    "huber_0.3": ("huber", 0.3),
    "poisson_log": ("poisson_of_log", 0),
    "poisson_identity": ("poisson", 1e-8),
    "quantile_0.5": ("quantile", 0.5),
    "quantile_0.9": ("quantile", 0.9),
    "quantile_0.1": ("quantile", 0.1),
    "hinge": ("hinge", 0),
    "log_cosh": ("log_cosh", 0),
    "kl_divergence": ("kl_divergence", 0),
    "cross_entropy_labels": ("cross_entropy", 0.1),
    "cross_entropy_probabilities": ("cross_entropy", 0.1),
}


def test_every_golden_loss_is_looked_at():
    assert {key.removesuffix("_E") for key in LOSSES if key.endswith("_E")} == set(
        LOSS_CASES
    )


@pytest.mark.parametrize("case", LOSS_CASES)
def test_loss(case):
    name, setting = LOSS_CASES[case]
    z, y = LOSSES[f"{case}_z"], LOSSES[f"{case}_y"]
    expected, expected_delta = LOSSES[f"{case}_E"], LOSSES[f"{case}_delta"]
    E, dE = reference.loss(z, y, name, setting)
    np.testing.assert_allclose(E, expected, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(dE / len(z), expected_delta, rtol=1e-12, atol=1e-15)
    delta = np.empty_like(z)
    targets = {"labels": y} if y.ndim == 1 else {"y": y}
    mean = bp.kernels.loss(z, delta, name, **targets, setting=setting)
    np.testing.assert_allclose(mean, expected.mean(), rtol=1e-13)
    np.testing.assert_allclose(delta, expected_delta, rtol=1e-12, atol=1e-15)


NORMALISATION = golden("normalisation")


@pytest.mark.parametrize("path", ["fused", "stored"])
@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalisation(Network, kind, path):
    """10 steps, and the predictions after them."""
    net = Network(
        [5, 6, 3],
        activation="tanh",
        loss="mean_squared_error",
        norm=kind,
        optimizer=bp.SGD(0.1, momentum=0.9),
        dtype="float64",
    )
    places = {
        "W0": net.weights[0],
        "gain": net.gains[0],
        "shift": net.biases[0],
        "W1": net.weights[1],
        "b1": net.biases[1],
    }
    for name, place in places.items():
        place[...] = NORMALISATION[name]
    if kind == "batch":
        places["running_mean"], places["running_var"] = net.running_moments[0]
    for step in range(10):
        rows = slice(8 * (step % 6), 8 * (step % 6) + 8)
        X, y = NORMALISATION["X"][rows], NORMALISATION["y"][rows]
        if path == "fused":
            net.train_step(X, y)
        else:
            net.apply(net.gradients(X, y))
        for name, place in places.items():
            expected = NORMALISATION[f"{kind}_norm_{name}"][step]
            np.testing.assert_allclose(place, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        net.predict(NORMALISATION["X_fresh"]),
        NORMALISATION[f"{kind}_norm_eval"],
        atol=1e-12,
    )
