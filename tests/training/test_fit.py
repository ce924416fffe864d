"""The numbers of a fit, their bits, and parameters changed from outside."""

import copy
import pickle
import time

import numpy as np
import pytest

import bpcore as bp
from bpcore.batches.weights import scaled_to_mean_1
from helpers import each_library
from helpers.fit import (
    LABELS,
    MOMENTUM,
    QUIET,
    RNG,
    TARGETS,
    N,
    X,
    bits,
    order_of_next_epoch,
    small,
)

WEIGHTS = RNG.random(N) * (RNG.random(N) > 0.2)  # some of them 0


# --- the numbers ----------------------------------------------------------------------

OPTIMIZERS = [
    bp.SGD(0.1),
    bp.SGD(0.1, weight_decay=0.01),
    MOMENTUM,
    bp.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
]
FITS = {
    "shuffled": {},
    "in order": {"shuffle": False},
    "complete batches": {"batch_size": 15},
    "incomplete last": {"batch_size": 16},
    "last of one row": {"batch_size": 11},
    "single rows": {"batch_size": 1, "epochs": 2},
    "all rows": {"batch_size": N},
    "more than all rows": {"batch_size": 1000},
    "weighted": {"sample_weight": WEIGHTS},
    "weighted in order": {"sample_weight": WEIGHTS, "shuffle": False},
    # Many a mini-batch of these has no weight at all.
    "weighted few": {"sample_weight": np.arange(N) % 9 == 0, "batch_size": 4},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize(
    "loss, y", [("cross_entropy", LABELS), ("squared_error", TARGETS)]
)
@pytest.mark.parametrize("options", FITS.values(), ids=list(FITS))
def test_fit_is_that_of_the_reference(options, loss, y, optimizer):
    options = {"epochs": 5, "batch_size": 8, **QUIET, **options}
    validation = (X[::2] + 1, y[::2], np.arange(23.0))
    nets, histories = [], []
    for Network in (bp.Network, bp.reference.Network):
        net = small(Network, loss=loss, optimizer=optimizer, dtype="float64")
        begin = net.parameters.copy()
        histories.append(net.fit(X, y, validation=validation, **options))
        nets.append(net)
    for name in ("loss", "validation_loss"):
        of_both = [getattr(history, name) for history in histories]
        np.testing.assert_allclose(*of_both, rtol=1e-9)
        assert len(of_both[0]) == options["epochs"] and np.ptp(of_both[0]) > 1e-4
    np.testing.assert_allclose(*[net.parameters for net in nets], rtol=1e-9, atol=1e-9)
    assert np.abs(nets[0].parameters - begin).max() > 0.01
    assert nets[0].learner.state.bits.state == nets[1].learner.state.bits.state


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_fit_is_its_steps(shuffle, weights, dtype):
    net, stepped = small(dtype=dtype), small(dtype=dtype)
    shares = np.ones(N) if weights is None else scaled_to_mean_1(weights)
    for _ in range(3):
        order = order_of_next_epoch(net, shuffle)
        options = {"shuffle": shuffle, "sample_weight": weights, **QUIET}
        history = net.fit(X, LABELS, epochs=1, batch_size=16, **options)
        total = 0.0
        for first in range(0, N, 16):
            rows = order[first : first + 16]
            loss = stepped.train_step(X[rows], LABELS[rows], shares[rows])
            total += loss * len(rows)
        # The mean counts every row once, also those of a short last mini-batch.
        assert history.loss[0] == pytest.approx(total / N, rel=1e-12)
        assert np.array_equal(net.parameters, stepped.parameters)
        assert np.array_equal(
            net.learner.state.optimizer_arrays, stepped.learner.state.optimizer_arrays
        )


def test_batches_without_weight_ask_for_nothing():
    share = (N - 20) / N  # of the rows: their weights have mean 1 in all
    net = small(optimizer=bp.SGD(0.1 * share), dtype="float64")
    other = small(optimizer=bp.SGD(0.1), dtype="float64")
    options = {"shuffle": False, "batch_size": 5, **QUIET}
    history = net.fit(X, LABELS, sample_weight=np.arange(N) >= 20, **options)
    expected = other.fit(X[20:], LABELS[20:], **options)
    np.testing.assert_allclose(history.loss, expected.loss, rtol=1e-12)
    np.testing.assert_allclose(net.parameters, other.parameters, rtol=1e-10)


@pytest.mark.parametrize("share", [(), (np.arange(20.0),)], ids=["equal", "weighted"])
def test_validation_loss_is_that_of_evaluate(share):
    validation = (X[:20], LABELS[:20], *share)
    evaluated = []
    net = small()
    history = net.fit(
        X[20:],
        LABELS[20:],
        validation=validation,
        callbacks=[lambda net, _: evaluated.append(net.evaluate(*validation))],
        **QUIET,
    )
    assert history.validation_loss.tolist() == evaluated
    assert len(set(evaluated)) == len(history) == 10


def test_validation_changes_nothing():
    net, other = small(), small()
    net.fit(X, LABELS, validation=(X[:5], LABELS[:5]), **QUIET)
    other.fit(X, LABELS, **QUIET)
    assert bits(net) == bits(other)


def test_history():
    net = small()
    began = time.perf_counter()
    history = net.fit(X, LABELS, epochs=4, validation=(X, LABELS), **QUIET)
    assert len(history) == 4 and history.stopped == "epochs"
    assert history.seconds.shape == (4,) and (history.seconds > 0).all()
    assert history.seconds.sum() < time.perf_counter() - began
    assert "4 epochs" in repr(history) and "stopped" not in repr(history)
    assert f"{history.validation_loss[-1]:.6g}" in repr(history)
    assert net.fit(X, LABELS, **QUIET).validation_loss.shape == (0,)


# --- the same bits --------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_pauses_for_signals_change_nothing(shuffle, monkeypatch):
    net, paused = small(), small()
    options = {"sample_weight": WEIGHTS, "batch_size": 4, "shuffle": shuffle, **QUIET}
    losses = net.fit(X, LABELS, **options).loss
    monkeypatch.setattr("bpcore.interrupts.SLICE", 0.0)  # after every mini-batch
    assert np.array_equal(paused.fit(X, LABELS, **options).loss, losses)
    assert bits(paused) == bits(net)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_seed_gives_the_same_bits(dtype):
    nets = [small(dtype=dtype, rng=seed) for seed in (1, 1, 2)]
    histories = [net.fit(X, LABELS, **QUIET) for net in nets]
    assert bits(nets[0]) == bits(nets[1]) != bits(nets[2])
    assert np.array_equal(histories[0].loss, histories[1].loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.rule)
def test_ten_epochs_are_twice_five(optimizer, dtype):
    once, twice = (small(optimizer=optimizer, dtype=dtype) for _ in range(2))
    losses = once.fit(X, LABELS, epochs=10, **QUIET).loss
    halves = [twice.fit(X, LABELS, epochs=5, **QUIET).loss for _ in range(2)]
    assert bits(once) == bits(twice)
    assert np.array_equal(losses, np.concatenate(halves))


COPIES = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "old pickle": lambda net: pickle.loads(pickle.dumps(net, protocol=2)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "astype": lambda net: net.astype(net.dtype),
}


@each_library
@pytest.mark.parametrize("optimizer", [bp.SGD(0.1), MOMENTUM], ids=lambda o: o.rule)
@pytest.mark.parametrize("form", COPIES)
def test_a_copy_goes_on_with_the_same_bits(form, optimizer, Network):
    net = small(Network, optimizer=optimizer)
    net.fit(X, LABELS, epochs=2, **QUIET)
    left = bits(net)
    twin = COPIES[form](net)
    assert type(twin) is Network and repr(twin) == repr(net)
    twin.fit(X, LABELS, epochs=2, **QUIET)
    assert bits(net) == left  # the copy is another network
    net.fit(X, LABELS, epochs=2, **QUIET)
    assert bits(twin) == bits(net) != left


def test_astype_keeps_all_but_the_precision():
    net = small(dtype="float64")
    net.fit(X, LABELS, **QUIET)
    single = net.astype("float32")
    assert (
        single.dtype == np.float32
        and single.learner.state.bits.state == net.learner.state.bits.state
    )
    assert np.array_equal(single.parameters, net.parameters.astype("float32"))
    assert np.array_equal(
        single.learner.state.optimizer_arrays,
        net.learner.state.optimizer_arrays.astype("float32"),
    )
    assert np.array_equal(single.astype("float64").parameters, single.parameters)
    np.testing.assert_allclose(single.predict(X), net.predict(X), rtol=1e-5)


# --- settings and parameters, changed from outside ------------------------------------


@each_library
@pytest.mark.parametrize("change", ["weights", "biases", "parameters"])
def test_writing_into_the_parameters_changes_predictions(change, Network):
    net = small(Network)
    before = net.predict(X)
    arrays = getattr(net, change)
    (arrays if change == "parameters" else arrays[-1])[0] += 1
    assert (net.predict(X) != before).any()
    for array in (*net.weights, *net.biases):
        assert np.shares_memory(array, net.parameters)


@each_library
def test_another_optimizer_keeps_the_velocity_where_it_has_one(Network):
    net = small(Network)
    net.fit(X, LABELS, **QUIET)
    velocity = net.learner.state.optimizer_arrays.copy()
    assert velocity.any()
    net.optimizer = bp.SGD(0.01, momentum=0.5, nesterov=True)
    assert np.array_equal(net.learner.state.optimizer_arrays, velocity)
    gradient = net.gradients(X, LABELS).flat
    net.train_step(X, LABELS)
    own, before = (
        net.learner.state.optimizer_arrays[0, : gradient.size],
        velocity[0, : gradient.size],
    )
    np.testing.assert_allclose(own, 0.5 * before + gradient, atol=1e-6)
    net.optimizer = bp.SGD(0.01)
    assert net.learner.state.optimizer_arrays is None
    net.optimizer = MOMENTUM
    assert not net.learner.state.optimizer_arrays.any()
