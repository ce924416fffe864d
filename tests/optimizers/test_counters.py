"""Step counters of layers that were frozen, and the powers that depend on them."""

import copy
import itertools
import json
import pickle

import numpy as np
import pytest

import bpcore as bp
from helpers import GOLDEN, LIBRARIES, golden

CASES = {
    case["name"]: case for case in json.loads((GOLDEN / "optimizers.json").read_text())
}
PLAN = json.loads((GOLDEN / "frozen.json").read_text())
QUIET = {"progress": False}


DATA, EXPECTED = golden("optimizers"), golden("frozen")


def batches(size):
    while True:
        for first in range(0, 48, size):
            yield DATA["X"][first : first + size], DATA["y"][first : first + size]


@pytest.mark.parametrize("path", ["fused", "stored", "accumulated", "copied"])
@pytest.mark.parametrize("name", EXPECTED)
def test_frozen_and_thawed_as_in_torch(Network, name, path):
    case = CASES[name]
    if path == "accumulated" and case["bpcore"] == "Rprop":
        pytest.skip("Rprop takes all rows at once")
    net = Network(
        [5, 7, 3], activation="tanh", loss="mean_squared_error", dtype="float64",
        optimizer=getattr(bp, case["bpcore"])(**case["settings"]), rng=0,
    )  # fmt: skip
    net.parameters[...] = DATA["initial"]
    data = batches(case["batch_size"])
    frozen = {int(step): layer for step, layer in PLAN["frozen"].items()}
    seen = []
    for step in range(1, PLAN["kept"][-1] + 1):
        if step in frozen:
            net.frozen = [l == frozen[step] for l in range(2)]
        if path == "copied" and step % 7 == 0:
            net = pickle.loads(pickle.dumps(copy.deepcopy(net)))
        X, y = next(data)
        if path == "stored":
            net.apply(net.gradients(X, y))
        elif path == "accumulated":
            half = len(X) // 2
            parts = [(X[:half], y[:half]), (X[half:], y[half:])]
            net.fit(parts, epochs=1, accumulate=2, **QUIET)
        else:
            net.train_step(X, y)
        if step in PLAN["kept"]:
            seen.append(net.parameters.copy())
    np.testing.assert_allclose(seen, EXPECTED[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "optimizer",
    [bp.Adam(1e-3), bp.AdamW(1e-3, weight_decay=0), bp.AMSGrad(1e-3), bp.Adamax(1e-3)],
    ids=repr,
)
def test_the_first_step_of_a_thawed_layer_is_one_rate(Network, optimizer):
    X, y = np.ones((4, 2)), np.ones(4)
    net = Network([2, 3, 1], activation="tanh", optimizer=optimizer, rng=0,
                  dtype="float64")  # fmt: skip
    net.frozen = [True, False]
    for _ in range(300):
        net.train_step(X, y)
    net.biases[1][...] = 5  # or the gradient vanishes beside eps
    before = net.weights[0].copy()
    net.frozen = [False, False]
    net.train_step(X, y)
    moved = np.abs(net.weights[0] - before)
    np.testing.assert_allclose(moved, 1e-3, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:.*encountered in")
def test_layers_in_one_fit_and_over_snapshots(Network):
    """A restored best epoch, a divergence and copies keep each layer's counter."""
    net = Network([5, 7, 3], optimizer=bp.Adam(0.01), dtype="float64", rng=0)
    net.frozen = [True, False]
    net.fit(DATA["X"], DATA["y"], epochs=2, batch_size=12, **QUIET)
    net.frozen = [False, False]
    net.fit(DATA["X"], DATA["y"], epochs=1, batch_size=12, **QUIET)
    assert (
        tuple(net.learner.state.layer_steps) == (4, 12)
        and net.learner.state.steps == 12
    )
    for other in (
        copy.copy(net),
        net.astype("float32"),
        pickle.loads(pickle.dumps(net)),
    ):
        assert tuple(other.learner.state.layer_steps) == (4, 12)
    with pytest.raises(bp.DivergenceError):
        net.fit(np.full((24, 5), 1e200), np.zeros((24, 3)), batch_size=12, **QUIET)
    assert tuple(net.learner.state.layer_steps) == (4, 12)
    net.optimizer = bp.SGD(0.1)
    assert tuple(net.learner.state.layer_steps) == (0, 0)


def recounted(net, lr):
    """The same network, with powers computed again in a fresh copy."""
    other = copy.deepcopy(net)
    other.optimizer = other.optimizer.replace(lr=lr)
    return other


@pytest.mark.parametrize(
    "optimizer",
    [bp.Adam(), bp.Adam(beta2=0.9), bp.RAdam(), bp.Nadam(), bp.Adamax(), bp.AMSGrad()],
    ids=repr,
)
@pytest.mark.parametrize("steps", [3, 1000, 3_000_000])
def test_powers_carried_along_have_the_bits_of_powers_recounted(optimizer, steps):
    net = bp.Network([2, 3, 1], optimizer=optimizer, rng=0)
    net.learner.state.counters[0] = net.learner.state.layer_steps[...] = steps
    X, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    for step in range(4):
        lr = 1e-3 / (1 + step)
        fresh = recounted(net, lr)
        net.optimizer = net.optimizer.replace(lr=lr)
        fresh.train_step(X, y)
        net.train_step(X, y)
        assert np.array_equal(net.parameters, fresh.parameters)


@pytest.mark.parametrize(
    "optimizer", (bp.Adam(1e-3, beta2=1 - 1e-9), bp.Nadam(), bp.RAdam(1e-3)), ids=str
)
def test_steps_of_a_kernel_in_any_order(kernels, optimizer):
    """Powers that are carried along, recounted, or begin anew are the same."""
    g, found = np.ones(4), {}
    order = [5, 6, 7, 3, 4, 2_000_000, 2_000_001, 5, 7, 2_000_001]
    for step in order:
        w = np.ones(4)
        kernels.descend(w, g, optimizer, np.zeros((2, 4)), step)
        assert np.array_equal(found.setdefault((optimizer, step), w), w)
        assert not np.array_equal(w, np.ones(4))


def test_counters_of_both_engines_agree():
    nets = [N([5, 7, 4, 3], optimizer=bp.Adam(0.01), rng=0) for N in LIBRARIES]
    plans = [(True, False, False), (False, True, False), (False, False, False)]
    for frozen, net in itertools.product(plans, nets):
        net.frozen = frozen
        net.fit(DATA["X"], DATA["y"], epochs=1, batch_size=12, **QUIET)
    assert [*map(tuple, (net.learner.state.layer_steps for net in nets))] == [
        (8, 8, 12)
    ] * 2
