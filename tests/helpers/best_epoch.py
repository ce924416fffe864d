"""Fits whose best epoch is known."""

import numpy as np

import bpcore as bp
from helpers import Values, everything

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(50, 5)).astype("float32")
Y = (X[:, :2] * 2 + 1).astype("float32")


def make(Network=bp.Network, **settings):
    settings = {"optimizer": bp.SGD(0.01, momentum=0.9), "rng": 0, **settings}
    return Network([5, 8, 2], **settings)


def best_at(best, epochs):
    """Settings of fit with which this epoch is the best one."""
    values = [0.0] * (epochs + 1)
    values[best] = 1.0
    # Every epoch before it is better than the one before.
    values[:best] = [-1.0 + 0.01 * epoch for epoch in range(best)]
    return {"metrics": Values(*values), "monitor": "score", "mode": "max"}


def assert_as_trained(net, twin, best, **how):
    """Both networks are equal now and after more training."""
    if best:
        twin.fit(X, Y, epochs=best, **{"batch_size": 16, **how}, **QUIET)
    assert everything(net) == everything(twin)
    for each in (net, twin):
        each.fit(X, Y, epochs=2, **{"batch_size": 16, **how}, **QUIET)
    assert everything(net) == everything(twin)


class Iterable:
    """An iterable of mini-batches without a length."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)
