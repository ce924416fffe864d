"""An installation that is interrupted is whole, or has not begun; so is its end."""

from functools import partial

import pytest

pytest.importorskip("sklearn", minversion="1.7")

from bpcore.accel import patch
from trust.changes import drop_ins
from trust.changes.interrupting import Points

CHANGES = {each.name: each for each in drop_ins.installations()}


@pytest.mark.parametrize("name", CHANGES)
def test_all_places_or_none(name, monkeypatch):
    # They take long under a tracer.
    monkeypatch.setattr(patch, "obstacle", lambda: None)
    monkeypatch.setattr(patch, "holders", lambda classes: [])
    points = partial(Points, within=("bpcore.accel.patch",), deep=False)
    change, counter = CHANGES[name], points()
    allowed = change.states(change)  # and without the imports of the first call
    assert len(allowed) == 2
    counter.call(partial(change.change, change.make()))
    for point in range(max(1, counter.count - 20), counter.count + 1, 3):
        subject = change.make()
        points(point).call(partial(change.change, subject))
        assert change.state(subject) in allowed, point
        assert change.fault(subject) is None
