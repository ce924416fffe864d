"""restore_best: the network is as if trained for the epochs up to the best one only."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import Values, each_library, everything, short
from helpers.best_epoch import QUIET, Iterable, X, Y, assert_as_trained, best_at, make

# --- as if trained for that many epochs -----------------------------------------------

OPTIMIZERS = [
    bp.SGD(0.01),
    bp.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=0.01),
    bp.SGD(0.01, momentum=0.5, dampening=0.5, clip_norm=0.1),
    bp.Momentum(0.01),
    bp.RMSprop(0.01, centered=True, momentum=0.5),
    bp.Adagrad(0.05),
    bp.Adam(0.01),
    bp.AdamW(0.01, max_norm=0.8),
    bp.AMSGrad(0.01),
    bp.Nadam(0.01),
    bp.Adamax(0.01),
    bp.RAdam(0.01),
    bp.Lion(0.001),
    bp.Rprop(0.01),
]
RATES = [
    schedules.Exponential(0.02, 0.7),
    schedules.Exponential(0.02, 0.97, per="step"),
    schedules.CosineRestarts(0.02, 3),
    schedules.OneCycle(0.05, 40),
    schedules.WarmUp(schedules.StepDecay(0.02, 2), 3),
    schedules.ReduceOnPlateau(0.02, factor=0.5, patience=0, min_delta=0.9),
    schedules.WarmUp(schedules.ReduceOnPlateau(0.02, patience=0, min_delta=0.5), 2),
    schedules.Custom(lambda epoch: 0.02 / (1 + epoch)),
]
NETWORKS = [
    {"dropout": 0.3},
    {"norm": "batch"},
    {"norm": "layer", "input_noise": 0.2},
    {"input_scale": 2.0},
    {"dtype": "float64", "dropout": 0.2, "norm": "batch"},
]
HOW = [
    {"accumulate": 3},
    {"shuffle": False},
    {"gradient": "numerical", "batch_size": 50},
    {"sample_weight": np.linspace(0.5, 2, 50)},
]
CASES = [
    *(({"optimizer": optimizer}, {}) for optimizer in OPTIMIZERS),
    *(({"optimizer": bp.SGD(lr, momentum=0.9)}, {}) for lr in RATES),
    *(({"optimizer": bp.Adam(0.01), **network}, {}) for network in NETWORKS),
    *(({"optimizer": bp.Adam(RATES[1])}, how) for how in HOW),
]


@each_library
@pytest.mark.parametrize("best", [0, 3, 6])
@pytest.mark.parametrize("settings, how", CASES, ids=short)
def test_as_trained_to_the_best_epoch(Network, settings, how, best):
    if settings["optimizer"].full_batch:
        how = {**how, "batch_size": 50}
    net, twin = make(Network, **settings), make(Network, **settings)
    for each in (net, twin):  # in the middle of things
        each.fit(X, Y, epochs=2, **{"batch_size": 16, **how}, **QUIET)
    given = {"batch_size": 16, "epochs": 6, "restore_best": True, **how}
    history = net.fit(X, Y, **given, **best_at(best, 6), **QUIET)
    assert (history.best_epoch, len(history)) == (best, 6)
    assert net.history is history
    assert_as_trained(net, twin, best, **how)


@pytest.mark.parametrize("best", [0, 2, 5])
def test_as_trained_to_the_best_epoch_by_lbfgs(best):
    pytest.importorskip("scipy")
    net, twin = (make(optimizer=bp.LBFGS(), dtype="float64") for _ in range(2))
    net.fit(X, Y, epochs=5, restore_best=True, **best_at(best, 5), **QUIET)
    assert_as_trained(net, twin, best, batch_size=None)


def test_large_networks(monkeypatch):
    """Their copies are kept in a file."""
    monkeypatch.setattr("bpcore.model.snapshot.IN_MEMORY", 1)
    net, twin = (make(optimizer=bp.Adam(0.01), norm="batch") for _ in range(2))
    given = {"batch_size": 16, "epochs": 6, "restore_best": True, **best_at(4, 6)}
    net.fit(X, Y, **given, **QUIET)
    assert_as_trained(net, twin, 4)


def test_a_plateau_goes_back_too():
    """The rate and the best value at the best epoch come back."""
    lr = schedules.ReduceOnPlateau(0.01, factor=0.5, patience=0, monitor="score",
                                   mode="max")  # fmt: skip
    net, twin = make(optimizer=bp.SGD(lr)), make(optimizer=bp.SGD(lr))
    given = {"monitor": "score", "mode": "max", "epochs": 5, "batch_size": 16}
    history = net.fit(
        X, Y, metrics=Values(0, 1, 2, 1, 1, 1), restore_best=True, **given, **QUIET
    )
    assert history.best_epoch == 2 and history.lr[-1] < 0.01 == net.lr
    twin.fit(X, Y, metrics=Values(1, 2), **{**given, "epochs": 2}, **QUIET)
    assert everything(net) == everything(twin)


def change(kind):
    """A callback that changes how the network is trained, after every epoch."""

    def callback(net, history):
        if kind == "optimizer":
            kinds = bp.Adam(0.02), bp.SGD(0.01, momentum=0.5), bp.RMSprop(0.01)
            net.optimizer = kinds[len(history) % 3]
        elif kind == "rate":
            net.optimizer = net.optimizer.replace(lr=0.5 * net.lr)
        elif kind == "schedule":
            lr = schedules.Exponential(0.01, 0.9, per="step")
            net.optimizer = net.optimizer.replace(lr=lr)
        elif kind == "frozen":
            net.frozen = [len(history) % 2 == 0, False]
        elif kind == "factors":
            net.lr_factors = [1.0, 1.0 / len(history)]
        elif kind == "parameters":
            net.parameters[0] = len(history)

    return callback


@each_library
@pytest.mark.parametrize("best", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "kind", ["optimizer", "rate", "schedule", "frozen", "factors", "parameters"]
)
def test_what_callbacks_change_belongs_to_the_epoch(Network, kind, best):
    net, twin = make(Network), make(Network)
    how = {"batch_size": 16, "callbacks": [change(kind)], **QUIET}
    net.fit(X, Y, epochs=5, restore_best=True, **best_at(best, 5), **how)
    if best:
        twin.fit(X, Y, epochs=best, **how)
    assert_as_trained(net, twin, 0)


def test_a_rate_that_a_callback_has_set_is_given_back_for_single_steps():
    """Single steps use the engine's rate where there is no schedule."""
    net, twin = make(optimizer=bp.SGD(0.01)), make(optimizer=bp.SGD(0.01))

    def spoil(net, epoch, batch, loss):
        net.optimizer = bp.SGD(1e30)

    with pytest.raises(bp.DivergenceError):
        net.fit(X, Y, epochs=1, batch_size=5, batch_callbacks=[spoil], **QUIET)
    for each in (net, twin):
        each.train_step(X, Y)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


# --- the network before the fit is epoch 0 --------------------------------------------


def value_of(net, monitor):
    if monitor in ("loss", "validation_loss"):
        return net.evaluate(X, Y)
    return net.evaluate(X, Y, metrics=monitor)[monitor]


@each_library
@pytest.mark.parametrize("lr", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("monitor", ["loss", "validation_loss", "mae", "r2"])
def test_a_second_fit_does_not_end_worse_than_it_began(Network, monitor, lr):
    net = make(Network)
    net.fit(X, Y, epochs=200, **QUIET)
    net.optimizer = bp.SGD(lr)  # too much
    before, good = everything(net), value_of(net, monitor)
    how = {"validation": (X, Y)} if monitor != "loss" else {}
    history = net.fit(
        X,
        Y,
        epochs=4,
        batch_size=50,
        monitor=monitor,
        restore_best=True,
        **how,
        **QUIET,
    )
    if history.best_epoch == 0:
        assert everything(net) == before and value_of(net, monitor) == good
    else:
        sign = -1 if monitor == "r2" else 1
        assert sign * value_of(net, monitor) < sign * good


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.5}, {"norm": "batch"}], ids=str)
@pytest.mark.parametrize("batch_size", [5, 50])
def test_where_the_training_loss_is_monitored_a_fit_still_learns(settings, batch_size):
    """It is measured during an epoch: with one step, before that step."""
    net, twin = (make(optimizer=bp.Adam(0.01), **settings) for _ in range(2))
    for _ in range(10):
        before = net.evaluate(X, Y)
        how = {"epochs": 1, "batch_size": batch_size, **QUIET}
        best = net.fit(X, Y, restore_best=True, **how).best_epoch
        assert (net.evaluate(X, Y) < before) == (best == 1)
        if best:
            twin.fit(X, Y, **how)
    if not settings:
        assert everything(net) == everything(twin)
    assert net.evaluate(X, Y) < 0.9 * make(**settings).evaluate(X, Y)


def test_one_iteration_of_lbfgs_learns():
    pytest.importorskip("scipy")
    net = make(optimizer=bp.LBFGS(), dtype="float64")
    before = net.evaluate(X, Y)
    for _ in range(3):
        assert net.fit(X, Y, epochs=1, restore_best=True, **QUIET).best_epoch == 1
    assert net.evaluate(X, Y) < 0.5 * before


def test_min_delta_counts_from_epoch_0():
    how = {"monitor": "score", "mode": "max", "min_delta": 0.5, "restore_best": True}
    net = make()
    before = everything(net)
    history = net.fit(X, Y, epochs=3, metrics=Values(1, 1.2, 1.4, 1.5), **how, **QUIET)
    assert history.best_epoch == 0 and everything(net) == before
    history = net.fit(X, Y, epochs=3, metrics=Values(1, 1.2, 1.6, 1.5), **how, **QUIET)
    assert history.best_epoch == 2


def test_patience_counts_from_epoch_0():
    how = {"monitor": "score", "mode": "max", "patience": 2, "restore_best": True}
    history = make().fit(X, Y, epochs=9, metrics=Values(5, 1, 2, 3), **how, **QUIET)
    assert (len(history), history.best_epoch, history.stopped) == (2, 0, "patience")


def test_without_restore_best_nothing_is_computed_before():
    score = Values(1, 2)
    make().fit(X, Y, epochs=2, metrics=score, monitor="score", mode="max", **QUIET)
    assert not score.left


def test_streams():
    """Without validation there is no value before the first epoch."""
    batches = [(X[:25], Y[:25]), (X[25:], Y[25:])]
    net = make(optimizer=bp.SGD(1.0))
    history = net.fit(Iterable(batches), epochs=3, restore_best=True, **QUIET)
    assert history.best_epoch == 1 + history.loss.argmin() > 0
    net = make()
    net.fit(X, Y, epochs=30, **QUIET)
    before = everything(net)
    net.optimizer = bp.SGD(1.0)
    history = net.fit(batches, epochs=3, restore_best=True, validation=(X, Y), **QUIET)
    assert history.best_epoch == 0
    net.optimizer = bp.SGD(0.01, momentum=0.9)
    states = [pickle.loads(each)[1]["state"] for each in (everything(net), before)]
    assert np.array_equal(*(state["parameters"] for state in states))


def test_an_error_before_the_first_epoch_changes_nothing():
    def fail(y, a):
        raise LookupError("of the caller's")

    net = make()
    before = everything(net)
    with pytest.raises(LookupError, match="of the caller's"):
        net.fit(X, Y, metrics=fail, monitor="fail", mode="min", restore_best=True,
                **QUIET)  # fmt: skip
    assert everything(net) == before
    assert len(net.history) == 0 and net.history.stopped == "error"
