"""Memory of a training run in a separate process, and its minimum."""

import multiprocessing

import numpy as np

import bpcore

from . import gauges
from .case import LEARNING_RATE, MOMENTUM

#: Mini-batches in the data: so many that a copy of all rows would be visible.
BATCHES = 16

GAUGES = {"allocated": gauges.Allocated, "resident": gauges.Resident}


def _fit(net, X, y, batch):
    net.fit(X, y, epochs=1, batch_size=batch, progress=False)


def _train_step(net, X, y, batch):
    for first in range(0, len(X), batch):
        net.train_step(X[first : first + batch], y[first : first + batch])


def _stored_gradient(net, X, y, batch):
    for first in range(0, len(X), batch):
        net.apply(net.gradients(X[first : first + batch], y[first : first + batch]))


#: The ways to train, each over all rows once.
PATHS = {
    "fit": _fit,
    "train_step": _train_step,
    "apply(gradients)": _stored_gradient,
}


def needed(case, path):
    """Bytes that every implementation needs.

    Parameters, velocity, the activations a[0] to a[L] of one mini-batch, two deltas of
    the widest layer; for stored gradients, an array as large as the parameters.
    """
    arrays = 3 if path == "apply(gradients)" else 2
    activations = case.batch * sum(case.sizes)
    deltas = 2 * case.batch * max(case.sizes[1:])
    itemsize = np.dtype(case.dtype).itemsize
    return arrays * case.parameter_bytes + (activations + deltas) * itemsize


def taken(case, path, gauge):
    """Peak bytes of a training run, without its data.

    Parameters
    ----------
    case : Case
        Network, batch size and dtype; its data are not used.
    path : str
        One of `PATHS`.
    gauge : str
        One of `GAUGES`.
    """
    # A spawned process starts empty; a forked one would have this one's memory.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (case.sizes, case.batch, case.dtype, path, gauge))


def _measure(sizes, batch, dtype, path, gauge):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((BATCHES * batch, sizes[0]), dtype)
    y = rng.integers(sizes[-1], size=len(X))
    gauge = GAUGES[gauge]()
    net = bpcore.Network(
        sizes,
        loss="cross_entropy",
        optimizer=bpcore.SGD(lr=LEARNING_RATE, momentum=MOMENTUM),
        dtype=dtype,
        rng=0,
    )
    PATHS[path](net, X, y, batch)
    return gauge.peak()
