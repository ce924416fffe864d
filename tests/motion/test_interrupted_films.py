"""A film that is interrupted has the frame and the epoch, or neither."""

from functools import partial

import pytest

from trust.changes import records
from trust.changes.interrupting import Points

CHANGES = {each.name: each for each in records.changes() if "Animation" in each.name}


@pytest.mark.parametrize("name", CHANGES)
def test_frames_and_epochs_belong_together(name):
    change, counter = CHANGES[name], Points()
    counter.call(partial(change.change, change.make()))
    allowed = change.states(change)
    for point in range(1, counter.count + 1, 8):
        film = change.make()
        Points(point).call(partial(change.change, film))
        assert change.state(film) in allowed, point
