"""Interrupts (Ctrl-C) at any line of a fit: network and history go together."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore.interrupts import ATTEMPTS, complete
from bpcore.model.snapshot import Snapshot
from bpcore.training.learner import Learner
from helpers import Values, everything
from helpers.interrupts import Interrupts

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3)).astype("float32")
Y = X[:, :2] * 2
#: Modules a line of which may be interrupted.
WITHIN = ("bpcore.training.", "bpcore.model.", "bpcore.network", "bpcore.interrupts")
EPOCHS = 4


def make(**settings):
    settings = {"optimizer": bp.Adam(0.01), "rng": 0, **settings}
    return bp.Network([3, 4, 2], **settings)


HOW = {
    "best in the middle": (
        {"metrics": Values(0, 1, 2, 1, 1), "monitor": "score", "mode": "max"},
        {"restore_best": True},
    ),
    "best at the end": (
        {"metrics": Values(0, 1, 2, 3, 4), "monitor": "score", "mode": "max"},
        {"restore_best": True, "callbacks": [lambda net, history: None]},
    ),
    "lbfgs": ({}, {"restore_best": True}),
}


def fitted(name, *lines):
    """A network after an interrupted fit, the lines, and whether it was interrupted."""
    values, how = HOW[name]
    settings = {"optimizer": bp.LBFGS(), "dtype": "float64"} if name == "lbfgs" else {}
    if name == "lbfgs":
        pytest.importorskip("scipy")
    net = make(**settings)
    values = pickle.loads(pickle.dumps(values))
    interrupts = Interrupts(*lines, within=WITHIN)
    was = interrupts.call(
        lambda: net.fit(X, Y, epochs=EPOCHS, batch_size=None if name == "lbfgs" else 7,
                        **values, **how, **QUIET)
    )  # fmt: skip
    return net, interrupts.count, was


def twins(name):
    """Networks trained for 0, 1, ... epochs."""
    settings = {"optimizer": bp.LBFGS(), "dtype": "float64"} if name == "lbfgs" else {}
    trained = [make(**settings) for _ in range(EPOCHS + 1)]
    for epochs, net in enumerate(trained):
        if epochs:
            size = None if name == "lbfgs" else 7
            net.fit(X, Y, epochs=epochs, batch_size=size, **QUIET)
    return [everything(net) for net in trained]


def assert_in_step(net, states):
    """The network is as after the best epoch of its history."""
    history = net.history
    epoch = history.best_epoch if history else 0
    assert everything(net) == states[epoch]
    assert str(history) and repr(history)
    for column in history.to_dict().values() if history else ():
        assert len(column) == len(history)
    # It goes on.
    net.fit(X, Y, epochs=1, **QUIET)


@pytest.mark.parametrize("name", HOW)
def test_an_interrupt_at_any_line(name):
    """With restore_best."""
    states = twins(name)
    _, lines, was = fitted(name)
    assert lines > 100 and not was
    for line in range(1, lines + 1, 3):
        net, _, was = fitted(name, line)
        assert was
        assert_in_step(net, states)


@pytest.mark.parametrize("name", HOW)
def test_two_interrupts(name):
    """The second while the best epoch is put in place, microseconds later."""
    states = twins(name)
    _, lines, _ = fitted(name)
    choose = np.random.default_rng(0)
    for _ in range(150):
        first = int(choose.integers(lines // 2, lines + 1))
        net, _, was = fitted(name, first, first + int(choose.integers(6, 40)))
        assert was
        assert_in_step(net, states)


def test_lbfgs_without_restore_best_ends_at_the_last_epoch():
    """Not at a trial point of its line search."""
    pytest.importorskip("scipy")

    def interrupted(*lines):
        net = make(optimizer=bp.LBFGS(), dtype="float64", norm="batch")
        interrupts = Interrupts(*lines, within=WITHIN)
        interrupts.call(lambda: net.fit(X, Y, epochs=EPOCHS, **QUIET))
        return net, interrupts.count

    states = []
    for epochs in range(EPOCHS + 1):
        net = make(optimizer=bp.LBFGS(), dtype="float64", norm="batch")
        if epochs:
            net.fit(X, Y, epochs=epochs, **QUIET)
        states.append((net.parameters.tobytes(), net.learner.state.moments.tobytes()))
    _, lines = interrupted()
    for line in range(1, lines + 1, 3):
        net, _ = interrupted(line)
        epochs = len(net.history) if net.history else 0
        assert (
            net.parameters.tobytes(),
            net.learner.state.moments.tobytes(),
        ) == states[epochs]
        assert net.learner.state.epochs == epochs


@pytest.mark.parametrize("batch_size", [5, 20])
def test_a_history_has_whole_rows(batch_size):
    """Also where the engine runs many epochs at a time."""
    net = make()
    interrupts = Interrupts(within=WITHIN)
    interrupts.call(lambda: net.fit(X, Y, epochs=9, batch_size=batch_size, **QUIET))
    for line in range(1, interrupts.count + 1):
        net, twin = make(), make()
        Interrupts(line, within=WITHIN).call(
            lambda net=net: net.fit(X, Y, epochs=9, batch_size=batch_size, **QUIET)
        )
        history = net.history
        if history is None:
            continue
        assert {len(column) for column in history.to_dict().values()} == {len(history)}
        assert str(history) and len(history) == net.learner.state.epochs
        if len(history):
            twin.fit(X, Y, epochs=len(history), batch_size=batch_size, **QUIET)
            assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_what_fails_for_good_is_not_tried_for_ever():
    tried = []

    def fail():
        tried.append(1)
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        complete(fail)
    assert len(tried) == ATTEMPTS


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_an_interrupt_while_a_fit_that_diverged_is_undone(monkeypatch, optimizer):
    """The parameters are all of before the epoch, not in part."""
    restore, calls = Snapshot.restore, []

    def interrupted(self, arrays, first=None):
        calls.append(1)
        if len(calls) < 4:
            arrays[0][:3] = 0
            raise KeyboardInterrupt
        restore(self, arrays, first)

    monkeypatch.setattr(Snapshot, "restore", interrupted)
    if optimizer == "lbfgs":
        pytest.importorskip("scipy")
        net = make(optimizer=bp.LBFGS(), dtype="float64")
        monkeypatch.setattr(Learner, "not_finite", lambda learner: "all is")
        how = {}
    else:
        net, how = make(optimizer=bp.SGD(1e30)), {"batch_size": 5, "validation": (X, Y)}
    before = net.parameters.copy()
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=2, **how, **QUIET)
    assert len(calls) == 4 and np.array_equal(net.parameters, before)
    assert net.history.stopped == "error"
