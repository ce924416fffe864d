"""One arithmetic for every way to train; epochs that continue; divergence."""

import copy
import hashlib
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.engine import dispatch
from helpers import each_library, short, trained
from helpers.optimizers import OPTIMIZERS
from helpers.training import LABELS, QUIET, X, make, rng

FUSED = [isa for isa in dispatch.available if isa != "x86_64_v2"]

#: What a network may be made of, beside sizes and activations.
OPTIONS = [
    {"dropout": 0.3},
    {"norm": "batch"},
    {"norm": "layer"},
    {"input_noise": 0.2},
    {"norm": ["batch", "layer"], "dropout": [0.2, 0.4], "input_noise": 0.1},
    {"input_scale": 3.0},
    {"input_scale": 0.5, "norm": ["layer", "batch"], "dropout": 0.2},
]

#: Rates that change by the step, by the epoch, and by what comes of it.
RATES = [
    schedules.OneCycle(0.05, 40),
    schedules.CosineRestarts(0.05, 3),
    schedules.WarmUp(schedules.Exponential(0.05, 0.5, per="step"), 3, start=0.1),
    schedules.ReduceOnPlateau(0.05, patience=0, min_delta=0.5),
    schedules.WarmUp(schedules.ReduceOnPlateau(0.05, patience=0), 2, start=0.5),
    schedules.Custom(lambda epoch: 0.05 / (1 + epoch)),
]

each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


def batch_size(optimizer):
    return None if optimizer.full_batch else 16


# --- one arithmetic, whatever the way -------------------------------------------------


@each_library
@each_option
@each_optimizer
def test_fused_equals_stored(Network, optimizer, options):
    fused, stored = (make(Network, optimizer=optimizer, **options) for _ in range(2))
    for first in (0, 16, 32):
        rows = slice(first, first + 16)
        loss = fused.train_step(X[rows], LABELS[rows])
        gradients = stored.gradients(X[rows], LABELS[rows])
        stored.apply(gradients)
        assert loss == gradients.loss
    assert trained(fused) == trained(stored)


@each_option
@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_and_any_number_of_threads(optimizer, options, dtype):
    results = set()
    for isa in FUSED:
        for n_threads in (1, 2, 3):
            settings = {"dtype": dtype, "n_threads": n_threads, **options}
            with dispatch.using(isa):
                net = make(optimizer=optimizer, **settings)
            # However little there is to do.
            net.learner.engine.use_threads(n_threads, 1)
            history = net.fit(
                X, LABELS, epochs=2, batch_size=batch_size(optimizer), **QUIET
            )
            outputs = net.predict(X).tobytes(), history.loss.tobytes()
            results.add((trained(net), *outputs))
    assert len(results) == 1


@each_option
@each_optimizer
def test_the_reference_agrees(optimizer, options):
    fast, plain = (
        make(Network, optimizer=optimizer, dtype="float64", **options)
        for Network in (bp.Network, bp.reference.Network)
    )
    for net in (fast, plain):
        net.history = net.fit(
            X, LABELS, epochs=3, batch_size=batch_size(optimizer), **QUIET
        )
    # Noise is drawn by another quantile function, and signs turn small into large.
    noisy = fast.input_noise > 0
    if noisy and isinstance(optimizer, bp.Lion | bp.Rprop):
        pytest.skip("a sign of what is nearly 0 may be either")
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if noisy else {"rtol": 1e-8, "atol": 1e-10}
    np.testing.assert_allclose(fast.parameters, plain.parameters, **tolerance)
    np.testing.assert_allclose(fast.history.loss, plain.history.loss, **tolerance)
    np.testing.assert_allclose(fast.predict(X), plain.predict(X), **tolerance)


# --- going on -------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("lr", RATES, ids=short)
@each_option
def test_epochs_continue(Network, options, lr):
    """5 epochs are 2 and then 3, for every schedule, with everything that is random."""
    if Network is bp.reference.Network and "input_noise" in options:
        pytest.skip("slow, and the same code")
    whole, parts = (make(Network, optimizer=bp.Adam(lr), **options) for _ in range(2))
    settings = {"batch_size": 16, "validation": (X, LABELS), **QUIET}
    history = whole.fit(X, LABELS, epochs=5, **settings)
    first = parts.fit(X, LABELS, epochs=2, **settings)
    parts = pickle.loads(pickle.dumps(parts)) if "lambda" not in str(lr) else parts
    then = parts.fit(X, LABELS, epochs=3, **settings)
    assert trained(whole) == trained(parts)
    for name in ("loss", "validation_loss", "lr"):
        assert np.array_equal(history[name], [*first[name], *then[name]])


@each_optimizer
def test_a_copy_goes_on_alike(optimizer):
    net = make(optimizer=optimizer, norm="batch", dropout=0.2)
    net.fit(X, LABELS, epochs=2, batch_size=batch_size(optimizer), **QUIET)
    twin = copy.deepcopy(net)
    for each in (net, twin):
        each.fit(X, LABELS, epochs=2, batch_size=batch_size(optimizer), **QUIET)
    assert trained(net) == trained(twin)


def test_schedules_reach_every_step():
    """In fit, and in train_step, learn_one and apply."""
    lr = schedules.Exponential(0.5, 0.9, per="step")
    nets = [make(optimizer=bp.SGD(lr)) for _ in range(4)]
    nets[0].fit(X, LABELS, epochs=1, batch_size=1, shuffle=False, **QUIET)
    for x, label in zip(X, LABELS, strict=True):
        nets[1].train_step(x[None], [label])
        nets[2].learn_one(x, label)
        nets[3].apply(nets[3].gradients(x[None], [label]))
    for net in nets:
        net.learner.state.epochs = 0  # counted by fit alone
    assert len({trained(net) for net in nets}) == 1
    assert nets[0].lr == pytest.approx(0.5 * 0.9**50)


def test_a_schedule_by_the_epoch():
    net = make(optimizer=bp.SGD(schedules.StepDecay(0.1, 2, factor=0.5)))
    history = net.fit(X, LABELS, epochs=5, **QUIET)
    assert history.lr.tolist() == [0.1, 0.1, 0.05, 0.05, 0.025]
    net.optimizer = bp.SGD(schedules.StepDecay(0.2, 2, factor=0.5))
    assert net.lr == 0.2  # another schedule begins at its beginning
    net.optimizer = bp.SGD(0.3)
    assert net.fit(X, LABELS, epochs=1, **QUIET).lr.tolist() == [0.3]


def test_reduce_on_plateau_follows_its_quantity():
    lr = schedules.ReduceOnPlateau(0.1, patience=0, monitor="accuracy", mode="max")
    net = make(optimizer=bp.SGD(lr), init="zeros")
    history = net.fit(np.zeros_like(X), LABELS, epochs=3, metrics="accuracy", **QUIET)
    # Zeros teach the biases alone: the accuracy is that of one class from the first on.
    assert history.lr.tolist() == [0.1, 0.1, pytest.approx(0.01)]


def watched(net, history):
    """A callback that does nothing, but keeps fit from running many epochs at once."""


@each_option
@each_optimizer
def test_epochs_within_the_engine(optimizer, options):
    """They run in one call of the engine: the same bits and history."""
    nets = [make(optimizer=optimizer, **options) for _ in range(2)]
    histories = [
        net.fit(
            X,
            LABELS,
            epochs=5,
            batch_size=batch_size(optimizer),
            accumulate=1 if optimizer.full_batch else 2,
            callbacks=callbacks,
            **QUIET,
        )
        for net, callbacks in zip(nets, ([], [watched]), strict=True)
    ]
    assert trained(nets[0]) == trained(nets[1])
    for name in ("loss", "lr"):
        assert np.array_equal(*(history[name] for history in histories))
    assert histories[0].best_epoch == histories[1].best_epoch
    assert len(histories[0].seconds) == 5 and (histories[0].seconds > 0).all()


@pytest.mark.parametrize("lr", RATES, ids=short)
def test_schedules_of_epochs_within_the_engine(lr):
    nets = [make(optimizer=bp.SGD(lr, momentum=0.9)) for _ in range(2)]
    histories = [
        net.fit(X, LABELS, epochs=6, callbacks=callbacks, **QUIET)
        for net, callbacks in zip(nets, ([], [watched]), strict=True)
    ]
    assert trained(nets[0]) == trained(nets[1]) and nets[0].lr == nets[1].lr
    assert np.array_equal(*(history.lr for history in histories))


@pytest.mark.parametrize("seconds", [0.0, 10.0])
@pytest.mark.parametrize("lr, batch", [(3.0, True), (1e38, False)])
def test_divergence_within_the_engine(monkeypatch, seconds, lr, batch):
    """The same epoch, batch and message; network and random stream as before it."""
    monkeypatch.setattr(bp.interrupts, "SLICE", seconds)
    results = []
    for callbacks in ([], [watched]):
        net = bp.Network([7, 4], optimizer=bp.SGD(lr, momentum=0.9), rng=0)
        # With one mini-batch of large numbers only the parameters show it.
        rows, size = (X, 8) if batch else (100 * X, 50)
        options = {"epochs": 999, "batch_size": size, "callbacks": callbacks, **QUIET}
        with pytest.raises(bp.DivergenceError) as caught:
            net.fit(rows, X[:, :4], **options)
        error = caught.value
        assert (error.batch is not None) == batch
        results.append((str(error), error.epoch, error.batch, trained(net)))
    assert results[0] == results[1]


# --- divergence -----------------------------------------------------------------------


def blows_up(optimizer):
    """The same optimizer, with a rate with which every network diverges."""
    return optimizer.replace(lr=1e38, max_norm=None, clip_norm=None, clip_value=None)


@each_library
@each_optimizer
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_optimizer_that_diverges_tells(Network, optimizer):
    settings = {"loss": "squared_error", "activation": "relu", "output": "identity"}
    net = make(Network, optimizer=optimizer, **settings)
    y = rng.normal(size=(50, 4))
    net.fit(X, y, epochs=2, batch_size=batch_size(optimizer), **QUIET)
    most = {"most": 1e38} if isinstance(optimizer, bp.Rprop) else {}
    net.optimizer = blows_up(optimizer).replace(**most)
    if isinstance(optimizer, bp.Rprop):
        net.learner.state.optimizer_arrays[1] = 1e38  # its rate is the first step only
    before = trained(net)
    with pytest.raises(bp.DivergenceError, match="not finite") as caught:
        net.fit(
            1e3 * X,
            y,
            epochs=9,
            batch_size=batch_size(optimizer),
            shuffle=False,
            **QUIET,
        )
    assert caught.value.epoch is not None
    if caught.value.epoch == 1:
        assert trained(net) == before
    assert np.isfinite(net.parameters).all()
    with pytest.raises(bp.DivergenceError):
        for _ in range(9):
            net.train_step(1e3 * X, y)


# --- the same bits on every machine ---------------------------------------------------


@pytest.mark.parametrize(
    "dtype, digest", [("float32", "6b51615a2cfb7207"), ("float64", "9780adeee789764d")]
)
def test_every_machine(dtype, digest):
    """Bits recorded once, of every optimizer, option, schedule and activation."""
    if bp.kernels.in_use() == "x86_64_v2":
        pytest.skip("x86_64_v2 has no fused multiply-add: its bits may differ")
    # Integers over a power of two: the same numbers without a random generator.
    rows = (np.arange(50 * 7).reshape(50, 7) * 37 % 101 - 50) / 64
    labels = np.arange(50) * 7 % 4
    found = hashlib.sha256()
    settings = [{"optimizer": optimizer} for optimizer in OPTIMIZERS]
    settings += [{**options, "optimizer": bp.Adam(0.01)} for options in OPTIONS]
    settings += [{"optimizer": bp.SGD(lr, momentum=0.5)} for lr in RATES]
    settings += [
        {"activation": [f, "tanh"]}
        for f, known in bp.ACTIVATIONS.items()
        if known.trains
    ]
    for each in settings:
        net = make(dtype=dtype, **each)
        size = batch_size(net.optimizer)
        history = net.fit(
            rows, labels, epochs=3, batch_size=size, validation=(rows, labels), **QUIET
        )
        for array in (net.parameters, history.validation_loss, net.predict(rows)):
            found.update(array.tobytes())
    names = ["huber", "quantile", "log_cosh", "mean_absolute_error", "poisson"]
    for loss in [*names, bp.CrossEntropy(0.1), "kl_divergence"]:
        net = make(dtype=dtype, loss=loss)
        net.fit(rows, np.eye(4)[labels], epochs=3, **QUIET)
        found.update(net.parameters.tobytes())
    assert found.hexdigest()[:16] == digest
