"""A short form of `trust.interrupts`, and whether it finds half a change."""

from functools import partial

import numpy as np
import pytest

from trust import interrupts
from trust.changes.change import Change, network
from trust.changes.interrupting import Points, by_depth, by_timer

CHANGES = interrupts.every_change()


# Where the stack is full after the opening of a file, Python closes it.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", CHANGES)
def test_no_change_is_half_done(name):
    change, rng = CHANGES[name], np.random.default_rng(0)
    if "LBFGS" in name:
        pytest.importorskip("scipy")
    trials, counter = interrupts.Trials(change), Points()
    counter.call(partial(change.change, change.make()))
    for error in (KeyboardInterrupt, MemoryError):
        for point in rng.integers(1, counter.count + 1, 1):
            raised = Points(point, error).call
            assert trials.fault(raised, point=int(point), error=error) is None
    if name not in interrupts.PUT_BACK:
        for room in rng.integers(interrupts.ROOMS[0], interrupts.ROOMS[0] + 10, 2):
            assert trials.fault(partial(by_depth, room=int(room))) is None
    after = rng.uniform(0, 1e-3)
    assert trials.fault(partial(by_timer, seconds=after)) is None


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_best_epoch_is_put_back_whole_or_not_at_all():
    """Also if every attempt to put it back meets a full stack."""
    count = interrupts.campaign.Count("fit, restore_best")
    assert interrupts.depths(count, CHANGES["fit, restore_best"]) > 5
    assert count.failed == 0


def half(net):
    net.lr_factors = [0.5, 0.5]
    net.frozen = [True, False]


def locked(net):
    net.learner.engine.__enter__()
    net.predict([[0.0, 0.0, 0.0]])
    net.learner.engine.__exit__(None, None, None)


@pytest.mark.parametrize(
    "change, found", [(half, "half a change"), (locked, "InUseError")]
)
def test_what_is_half_done_is_found(change, found):
    trials, counter = interrupts.Trials(Change("bad", network, change)), Points()
    counter.call(partial(change, network()))
    points = np.linspace(1, counter.count, 25).astype(int)
    wrong = [trials.fault(Points(point).call) for point in points]
    assert any(found in (each or "") for each in wrong)
