"""Calls of metrics, which take arrays only: masked ones are refused."""

import bpcore as bp
from trust.calls.call import WEIGHTS, Call, Y


def calls():
    """Calls of a metric."""
    metric = bp.metrics.as_metrics("mae")[0]
    for argument, plain, run in (
        ("y", Y, lambda _, v: metric(v, Y)),
        ("a", Y, lambda _, v: metric(Y, v)),
        ("weight", WEIGHTS, lambda _, v: metric(Y, Y + 1, v)),
    ):
        yield Call("metrics.Metric", argument, plain, run, arrays_only=True)
