"""``restore_best``: the network is as if trained for that many epochs only."""

import math
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.model.snapshot import Snapshot
from bpcore.training import fit
from helpers import everything

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(50, 5)).astype("float32")
Y = (X[:, :2] * 2 + 1).astype("float32")
ALL = {"batch_size": 50}

each_library = pytest.mark.parametrize(
    "Network", [bp.Network, bp.reference.Network], ids=["compiled", "reference"]
)


def make(Network=bp.Network, **settings):
    settings = {"optimizer": bp.SGD(0.01, momentum=0.9), "rng": 0, **settings}
    return Network([5, 8, 2], **settings)


class Values:
    """A metric that takes these values, one after the other; may be copied."""

    __name__ = "score"

    def __init__(self, *values):
        self.left = list(values)

    def __call__(self, y, a):
        return self.left.pop(0)


def best_at(best, epochs):
    """Settings by which one epoch is the best of so many."""
    values = [0.0] * (epochs + 1)
    values[best] = 1.0
    # Every epoch before it is better than the one before.
    values[:best] = [-1.0 + 0.01 * epoch for epoch in range(best)]
    return {"metrics": Values(*values), "monitor": "score", "mode": "max"}


def assert_as_trained(net, twin, best, **how):
    """Both are alike now, and go on alike."""
    if best:
        twin.fit(X, Y, epochs=best, **{"batch_size": 16, **how}, **QUIET)
    assert everything(net) == everything(twin)
    for each in (net, twin):
        each.fit(X, Y, epochs=2, **{"batch_size": 16, **how}, **QUIET)
    assert everything(net) == everything(twin)


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
@pytest.mark.parametrize("settings, how", CASES, ids=str)
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
    """Their copies lie in a file."""
    monkeypatch.setattr("bpcore.model.snapshot.IN_MEMORY", 1)
    net, twin = (make(optimizer=bp.Adam(0.01), norm="batch") for _ in range(2))
    given = {"batch_size": 16, "epochs": 6, "restore_best": True, **best_at(4, 6)}
    net.fit(X, Y, **given, **QUIET)
    assert_as_trained(net, twin, 4)


def test_a_plateau_goes_back_too():
    """The rate has come down since, the best value has been another."""
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
    """They read the engine's rate where there is no schedule."""
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
    """It is measured within the epochs: for one of one step it is that of before it."""
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


class Iterable:
    """Mini-batches of which nothing is known but that they can be iterated over."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


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


# --- errors and interrupts ------------------------------------------------------------

ERRORS = [LookupError("mine"), KeyboardInterrupt(), SystemExit(3), StopIteration()]


def failing(error, epoch, spoil=False):
    def callback(net, history):
        if len(history) == epoch:
            if spoil:
                net.parameters[...] = math.nan
            raise error

    return callback


@each_library
@pytest.mark.parametrize("best", [0, 2, 3])
@pytest.mark.parametrize("spoil", [False, True])
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_of_a_callback(Network, error, best, spoil):
    """It comes after epoch 3: the best one is in place, and the history is kept."""
    net, twin = make(Network), make(Network)
    callbacks = [failing(error, 3, spoil)]
    how = {"epochs": 9, "batch_size": 16, "callbacks": callbacks, "restore_best": True}
    with pytest.raises(type(error)) as caught:
        net.fit(X, Y, **how, **best_at(best, 9), **QUIET)
    assert caught.value is error
    history = net.history
    assert (len(history), history.best_epoch) == (3, best)
    assert history.stopped == "error"
    assert_as_trained(net, twin, best)


@each_library
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_amid_an_epoch(Network, error):
    net, twin = make(Network), make(Network)

    def fail(net, epoch, batch, loss):
        if (epoch, batch) == (4, 2):
            raise error

    how = {"batch_callbacks": [fail], "restore_best": True, "batch_size": 16}
    with pytest.raises(type(error)):
        net.fit(X, Y, epochs=9, **how, **best_at(3, 9), **QUIET)
    assert (len(net.history), net.history.best_epoch) == (3, 3)
    assert_as_trained(net, twin, 3)


def test_an_error_in_a_stream():
    def batches():
        yield X[:25], Y[:25]
        yield X[25:], Y[25:]
        yield X[:25], Y[:25]
        raise OSError("the disk")

    net, twin = make(), make()
    with pytest.raises(OSError, match="the disk"):
        net.fit(batches(), epochs=3, steps_per_epoch=2, restore_best=True, **QUIET)
    twin.fit([(X[:25], Y[:25]), (X[25:], Y[25:])], epochs=1, **QUIET)
    assert net.history.best_epoch == 1
    assert everything(net) == everything(twin)


def test_without_restore_best_an_error_keeps_what_was_learnt():
    net, twin = make(), make()
    with pytest.raises(LookupError):
        net.fit(X, Y, epochs=9, callbacks=[failing(LookupError(), 3)], **QUIET)
    twin.fit(X, Y, epochs=3, **QUIET)
    assert everything(net) == everything(twin)
    assert len(net.history) == 3


def diverging_in(epoch):
    def spoil(net, history):
        if len(history) == epoch - 1:
            net.optimizer = bp.SGD(1e30)

    return spoil


@each_library
@pytest.mark.parametrize(
    "best, state", [(0, "before the fit"), (2, "after epoch 2, the best one")]
)
def test_divergence(Network, best, state):
    net, twin = make(Network), make(Network)
    how = {"epochs": 9, "batch_size": 16, "restore_best": True, **best_at(best, 9)}
    with (
        np.errstate(all="ignore"),
        pytest.raises(bp.DivergenceError, match=f"network is as it was {state};") as e,
    ):
        net.fit(X, Y, callbacks=[diverging_in(5)], **how, **QUIET)
    assert e.value.epoch == 5 and "lr below 1e+30" in str(e.value)
    assert (len(net.history), net.history.best_epoch) == (4, best)
    assert_as_trained(net, twin, best)


def test_divergence_without_an_epoch_0():
    net, twin = make(optimizer=bp.SGD(1e30)), make(optimizer=bp.SGD(1e30))
    with pytest.raises(bp.DivergenceError, match="as it was before that epoch;"):
        net.fit(Iterable([(X, Y), (X, Y)]), epochs=9, restore_best=True, **QUIET)
    assert everything(net) == everything(twin)


WEIGHTS = np.linspace(0.0, 3.0, 50)
SEQUENCES = {
    "list": ([(X[:20], Y[:20]), (X[20:], Y[20:])], None),
    "tuple": (((X[:20], Y[:20]), (X[20:], Y[20:])), None),
    "weights": (
        [(X[:20], Y[:20], WEIGHTS[:20]), (X[20:], Y[20:], WEIGHTS[20:])],
        WEIGHTS,
    ),
    "some without": ([(X[:20], Y[:20]), (X[20:], Y[20:], np.ones(30))], None),
    "one of weight 0": (
        [(X[:20], Y[:20], np.zeros(20)), (X[20:], Y[20:])],
        np.repeat([0.0, 1.0], [20, 30]),
    ),
}


@each_library
@pytest.mark.parametrize("lr", [1e-3, 1.0])
@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_of_mini_batches_has_an_epoch_0(Network, name, lr):
    """As arrays have: the loss of all mini-batches before the first epoch."""
    batches, weights = SEQUENCES[name]
    net = make(Network, optimizer=bp.SGD(lr))
    before, good = everything(net), net.evaluate(X, Y, weights)
    history = net.fit(batches, epochs=1, restore_best=True, **QUIET)
    if history.best_epoch == 0:
        assert lr > 1e-3 and everything(net) == before
    else:
        assert net.evaluate(X, Y, weights) < good
    assert history.restored == history.best_epoch


@each_library
def test_the_loss_of_a_sequence_is_that_of_its_rows(Network):
    labels = (Y > 1.0).astype("float32")
    net = make(Network, output="sigmoid", loss="binary_cross_entropy")
    parts = [(X[:7], labels[:7]), (X[7:], labels[7:], WEIGHTS[7:])]
    found = []

    class Fit(fit.Fit):
        def training_loss(self):
            found.append(super().training_loss())
            return found[-1]

    how = {"class_weight": [2.0, 5.0], "restore_best": True}
    settings = {**how, "epochs": 1, **QUIET}
    call = fit.prepare(net.learner, net, parts, None, settings)
    weights = np.concatenate([np.ones(7), WEIGHTS[7:]])
    expected = net.evaluate(X, labels, weights, class_weight=[2.0, 5.0])
    call.__class__ = Fit
    call.run()
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_a_bad_mini_batch_of_a_sequence_changes_nothing():
    net = make()
    before = everything(net)
    with pytest.raises(ValueError, match="mini-batch 2: X must have shape"):
        net.fit([(X, Y), (X[:, :2], Y)], restore_best=True, **QUIET)
    assert everything(net) == before


def test_a_sequence_with_steps_per_epoch_has_no_epoch_0():
    net = make(optimizer=bp.SGD(1.0))
    how = {"epochs": 2, "steps_per_epoch": 1, "restore_best": True, **QUIET}
    assert net.fit([(X, Y), (X, Y)], **how).best_epoch > 0


@pytest.mark.parametrize("error", [LookupError("mine"), KeyboardInterrupt()], ids=repr)
def test_an_error_in_lbfgs(error):
    pytest.importorskip("scipy")
    net, twin = (make(optimizer=bp.LBFGS(), dtype="float64") for _ in range(2))
    how = {"epochs": 9, "restore_best": True, **best_at(2, 9)}
    with pytest.raises(type(error)):
        net.fit(X, Y, callbacks=[failing(error, 4)], **how, **QUIET)
    assert (len(net.history), net.history.best_epoch) == (4, 2)
    assert_as_trained(net, twin, 2, batch_size=None)


@pytest.mark.parametrize("taken", [1, 2, 3, 4])
@pytest.mark.parametrize("amid", ["before", "after"])
def test_an_interrupt_amid_the_copy_of_the_best_epoch(monkeypatch, taken, amid):
    """Half a copy is never put in place."""
    net, twins = make(optimizer=bp.Adam(0.01)), [make(optimizer=bp.Adam(0.01))]
    for epochs in range(1, 4):
        twins.append(make(optimizer=bp.Adam(0.01)))
        twins[-1].fit(X, Y, epochs=epochs, **QUIET)
    take, calls = Snapshot.take, []

    def interrupted(self, arrays):
        if self is best._snapshot:
            calls.append(len(net.history))
            if len(calls) == taken:
                take(self, arrays[: 2 if amid == "before" else 3])
                raise KeyboardInterrupt
        take(self, arrays)

    class Checkpoint(fit.Checkpoint):
        def __init__(self, *arguments):
            nonlocal best
            super().__init__(*arguments)
            best = self  # the second that is made

    best = None
    monkeypatch.setattr(fit, "Checkpoint", Checkpoint)
    monkeypatch.setattr(Snapshot, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=9, restore_best=True, **best_at(9, 9), **QUIET)
    assert everything(net) == everything(twins[calls[-1]])


INTERRUPTED = """
import os, signal, threading, time
import numpy as np, bpcore as bp

signal.signal(signal.SIGINT, signal.default_int_handler)
X = np.linspace(-1, 1, 200, dtype="f4").reshape(-1, 1)
net = bp.Network([1, 64, 1], optimizer=bp.Adam(1e-3), rng=0)
twin = bp.Network([1, 64, 1], optimizer=bp.Adam(1e-3), rng=0)

def interrupt():
    while net.history is None or len(net.history) < 20:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
values = iter([0, 1, 2, 9])

def score(y, a):
    return next(values, 3)

try:
    net.fit(X, X, epochs=10**7, metrics=score, monitor="score", mode="max",
            restore_best=True, progress=False)
except KeyboardInterrupt:
    twin.fit(X, X, epochs=3, progress=False)
    same = twin.parameters.tobytes() == net.parameters.tobytes()
    print(same, net.history.best_epoch, len(net.history) >= 20, net.history.stopped)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_a_real_interrupt():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert (done.stdout, done.stderr) == ("True 3 True error\n", "")
    assert signal.SIGINT  # it was one


# --- network.history ------------------------------------------------------------------


def test_history_of_the_last_fit():
    net = make()
    assert net.history is None
    history = net.fit(X, Y, epochs=2, **QUIET)
    assert net.history is history
    with pytest.raises(ValueError, match="epochs"):
        net.fit(X, Y, epochs=0, **QUIET)
    assert net.history is history  # of a fit that was refused there is none
    net.partial_fit(X, Y)
    assert len(net.history) == 1


def test_history_of_a_fit_within_a_callback():
    net, inner = make(), []

    def nested(net, history):
        if not inner:
            inner.append(None)  # once
            inner.append(net.fit(X, Y, epochs=1, **QUIET))

    history = net.fit(X, Y, epochs=2, callbacks=[nested], **QUIET)
    assert net.history is history is not inner[1]


@pytest.mark.parametrize("callbacks", [[], [lambda net, history: None]], ids=["", "c"])
def test_history_after_divergence(callbacks):
    net = make(optimizer=bp.SGD(0.6))
    with pytest.raises(bp.DivergenceError) as caught:
        net.fit(X, Y, epochs=10**4, batch_size=5, callbacks=callbacks, **QUIET)
    assert len(net.history) == caught.value.epoch - 1
    assert net.history.stopped == "error"
    assert np.isfinite(net.history.loss).all()


def test_a_history_of_ones_own():
    net = make()
    net.history = net.fit(X, Y, epochs=3, **QUIET)
    net.fit(X, Y, epochs=1, **QUIET)
    assert len(net.history) == 3
