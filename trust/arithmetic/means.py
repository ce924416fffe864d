"""Means over many rows against exact ones."""

import math

import numpy as np

import bpcore as bp
from trust import campaign

#: Largest relative error of a sum of 10^7 terms: in float64, and in float32.
LONG, LONG_FLOAT32 = 1e-11, 1e-2


def mean_errors(n=10_000_000, seed=0):
    """Counts of means over n rows: relative errors against sums by `math.fsum`."""
    a = np.random.default_rng(seed).random((n, 1), np.float32)
    a[::1000] *= 1e6  # a few large ones
    found = [*_means_of_rows(a), *_means_of_gradients(a), *_means_of_batch_norm(a)]
    counts = []
    for name, value, right, most in found:
        off = abs(float(value) - right) / abs(right)
        count = campaign.Count(f"{name}, {n:,} terms", note=f"relative error {off:.1e}")
        count.add(f"{off:.3g} of {right}" if off > most else None)
        counts.append(count)
    return counts


def _mean(values):
    """The mean of a column, its sum rounded once."""
    return math.fsum(values.tolist()) / len(values)


def _copying_network():
    """A network whose output is its input."""
    net = bp.Network([1, 1], activation="identity", rng=0, loss="mean_absolute_error")
    net.weights[0][...], net.biases[0][...] = 1, 0
    return net


def _means_of_rows(a):
    """(name, mean, exact mean, bound) of losses and metrics."""
    net, zeros = _copying_network(), np.zeros_like(a)
    column, right = a[:, 0], _mean(a[:, 0])
    yield "evaluate", net.evaluate(a, zeros), right, LONG
    weights = np.where(np.arange(len(a)) % 3, 1e-3, 1e3)
    weighted = _mean(weights * column) / _mean(weights)
    yield "evaluate with weights", net.evaluate(a, zeros, weights), weighted, LONG
    metrics = net.evaluate(a, zeros, metrics=["mae", "mse", "rmse"])
    yield "mae", metrics["mae"], right, LONG
    yield "mse", metrics["mse"], _mean(column.astype(np.float64) ** 2), LONG
    net.frozen = [True]
    history = net.fit(a, zeros, epochs=1, batch_size=32, progress=False, shuffle=False)
    yield "loss of an epoch", history.loss[0], right, LONG


def _means_of_gradients(a):
    """The same of a gradient: that of a bias is the mean of ones."""
    gradients = _copying_network().gradients(a, np.zeros_like(a))
    yield "gradient of a bias", gradients.biases[0][0], 1.0, LONG_FLOAT32


def _means_of_batch_norm(a):
    """The same of the means of batch norm."""
    for name, column in {"random": a, "equal": np.full_like(a, 0.1)}.items():
        moments, hat = np.empty((2, 1), np.float32), column.copy()
        one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
        room = np.empty(len(a), np.float32)
        bp.kernels.normalise(np.empty_like(hat), hat, room, moments, one, zero, "batch")
        right = _mean(column[:, 0])
        yield f"mean of batch norm, {name}", moments[0, 0], right, LONG_FLOAT32
