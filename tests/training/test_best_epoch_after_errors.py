"""restore_best where an error or an interrupt ends the fit."""

import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import bpcore as bp
from bpcore.model import backup
from bpcore.model.snapshot import Snapshot
from bpcore.training import fit
from helpers import each_library, everything
from helpers.best_epoch import QUIET, Iterable, X, Y, assert_as_trained, best_at, make

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
    """The loss of all mini-batches before the first epoch, as with arrays."""
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
    """An incomplete copy is never restored."""
    net, twins = make(optimizer=bp.Adam(0.01)), [make(optimizer=bp.Adam(0.01))]
    for epochs in range(1, 4):
        twins.append(make(optimizer=bp.Adam(0.01)))
        twins[-1].fit(X, Y, epochs=epochs, **QUIET)
    made, calls = [], []

    class Interrupted(Snapshot):
        def __init__(self):
            super().__init__()
            made.append(self)  # the second one is of the best epoch

        def take(self, arrays):
            if self is made[-1]:
                calls.append(len(net.history))
                if len(calls) == taken:
                    super().take(arrays[: 1 if amid == "before" else 2])
                    raise KeyboardInterrupt
            super().take(arrays)

    monkeypatch.setattr(backup, "Snapshot", Interrupted)
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
