"""A backward pass that is interrupted stores all of its gradients, or none."""

from functools import partial

import pytest

from trust.changes import records
from trust.changes.interrupting import Points


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_gradients_are_stored_at_once(error):
    before, after = records.Expression(), records.Expression()
    counter = Points()
    counter.call(partial(records.backward, after))
    allowed = {records.gradients(each) for each in (before, after)}
    assert len(allowed) == 2
    for point in range(counter.count - 60, counter.count + 1, 3):
        expression = records.Expression()
        assert Points(point, error).call(partial(records.backward, expression))
        assert records.gradients(expression) in allowed, point
