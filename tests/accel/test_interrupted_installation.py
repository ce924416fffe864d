"""An installation that is interrupted is whole, or has not begun; so is its end."""

from functools import partial

import pytest

pytest.importorskip("sklearn", minversion="1.7")

from trust.changes import drop_ins
from trust.changes.interrupting import Points

CHANGES = {each.name: each for each in drop_ins.changes() if "accel" in each.name}


@pytest.mark.parametrize("name", CHANGES)
def test_all_places_or_none(name):
    change, counter = CHANGES[name], Points(deep=False)
    allowed = change.states(change)  # and without the imports of the first call
    assert len(allowed) == 2
    counter.call(partial(change.change, change.make()))
    for point in range(max(1, counter.count - 60), counter.count + 1):
        subject = change.make()
        Points(point, deep=False).call(partial(change.change, subject))
        assert change.state(subject) in allowed, point
        assert change.fault(subject) is None
