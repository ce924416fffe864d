"""What a fit counts, records and takes over is one switch, whatever interrupts it."""

from functools import partial

import numpy as np
import pytest

import bpcore as bp
from trust import interrupts
from trust.changes.change import X, Y, network, state_of
from trust.changes.interrupting import Points

CHANGES = interrupts.every_change()

#: Points of each call that are tried.
FEW = 30

#: Calls, and the modules with what must not be left half done.
WINDOWS = {
    "fit": ("bpcore.interrupts", "bpcore.training.epoch"),
    "fit, accumulate": ("bpcore.interrupts", "bpcore.training.epoch"),
    "fit, schedule of epochs": ("bpcore.training.epoch",),
    "fit, callbacks": ("bpcore.training.epoch",),
    "fit, schedule of epochs, validation": ("bpcore.training.epoch",),
    "fit, numerical gradients": ("bpcore.training.epoch", "bpcore.training.progress"),
    "fit, LBFGS": ("bpcore.training.lbfgs",),
    "fit, resume": ("bpcore.training.learner", "bpcore.model.backup"),
    "distributed.fit": ("bpcore.distributed.epochs",),
    "n_threads": ("bpcore.network",),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_an_interrupt_leaves_whole_mini_batches_and_epochs(name):
    if "LBFGS" in name:
        pytest.importorskip("scipy")
    change, within = CHANGES[name], WINDOWS[name]
    trials = interrupts.Trials(change)
    counter = Points(within=within, deep=False)
    counter.call(partial(change.change, change.make()))
    points = np.arange(1, counter.count + 1)
    for point in np.random.default_rng(0).permutation(points)[:FEW].tolist():
        interrupted = Points(point, within=within, deep=False).call
        assert trials.fault(interrupted, point=point) is None


def test_the_schedule_goes_on_after_an_interrupt_at_the_end_of_an_epoch():
    """The epochs left make the bits of a fit that was not interrupted."""
    schedule = bp.schedules.StepDecay(0.1, every=1, per="epoch")
    nets = [network(optimizer=bp.Adam(schedule)) for _ in "ab"]
    how = {"batch_size": 8, "shuffle": False, "progress": False}

    def interrupt(data, a):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nets[0].fit(X, Y, epochs=3, validation=(X, Y), metrics=interrupt, **how)
    assert len(nets[0].history) == 0
    nets[0].fit(X, Y, epochs=2, **how)
    nets[1].fit(X, Y, epochs=3, **how)
    assert state_of(nets[0]) == state_of(nets[1])


def test_an_epoch_and_what_a_plateau_follows_are_recorded_together():
    plateau = bp.schedules.ReduceOnPlateau(0.1, monitor="loss", patience=1)
    how = {"epochs": 3, "validation": (X, Y), "progress": False}
    within = ("bpcore.training.fit", "bpcore.training.record", "bpcore.model.state")

    def waited(net):
        state = net.learner.state.schedule.plateau
        return state.best, state.wait

    expected = {}
    whole = network(optimizer=bp.Adam(plateau))
    expected[0] = waited(whole)

    def note(net, history):
        expected[len(history)] = waited(net)

    counter = Points(within=within, deep=False)
    counter.call(lambda: whole.fit(X, Y, callbacks=[note], **how))
    for point in range(1, counter.count + 1, 3):
        net = network(optimizer=bp.Adam(plateau))
        before = net.history
        fit = partial(net.fit, X, Y, callbacks=[lambda *_: None], **how)
        Points(point, within=within, deep=False).call(fit)
        epochs = 0 if net.history is before else len(net.history)
        assert waited(net) == expected[epochs]


def test_a_step_from_gradients_without_their_moments_changes_nothing():
    net = network()
    gradients, before = net.gradients(X, Y), state_of(net)
    with pytest.raises(ValueError):
        net.learner.engine.apply(gradients.flat, "no array", len(X))
    assert state_of(net) == before
