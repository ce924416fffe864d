"""Points of a call at which it is interrupted."""

from trust.changes.interrupting import Points


def test_every_point_is_counted_once_and_raised_at():
    seen = []

    def call():
        seen.append(1)
        len(seen)

    call.__globals__.setdefault("__name__", __name__)
    counter = Points(within=(__name__,))
    assert not counter.call(call) and counter.count == 3
    for point in (1, 2, 3):
        raised = Points(point, within=(__name__,))
        assert raised.call(call) and raised.where
