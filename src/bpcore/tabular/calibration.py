"""Calibration: one factor of a classifier's logits, by rows it was not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.batches.weights import scaled_to_normal
from bpcore.network import Network

#: Least and largest factor.
LEAST, MOST = 0.1, 10.0
#: Halvings of that range: its logarithm is found to 1e-9.
HALVINGS = 32


def calibrate(
    network: Network,
    X: NDArray[Any],
    y: NDArray[np.int64],
    weight: NDArray[np.float64] | None,
) -> float:
    """Multiply the logits of a network by the factor with the least log loss on rows.

    The last weights and biases are multiplied, so that predictions cost what they did:
    softmax(f z) in place of softmax(z).  The most probable class stays the same.

    Returns
    -------
    float
        The factor f, the inverse of the temperature of Guo, Pleiss, Sun and Weinberger
        (2017).
    """
    logits = np.log(np.maximum(network.predict(X), 1e-30).astype(np.float64))
    factor = best_factor(logits, y, weight)
    network.weights[-1][...] *= factor
    network.biases[-1][...] *= factor
    return factor


def best_factor(
    logits: NDArray[np.float64],
    y: NDArray[np.int64],
    weight: NDArray[np.float64] | None = None,
) -> float:
    """The f of the least mean of -log softmax(f logits)[y].

    There is one row more, which has each of the K classes in part (as in Platt 1999),
    so that a few rows that are all right do not give certainty.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.calibration import best_factor
    >>> logits = np.array([[0.0, 2.0]] * 100)
    >>> y = np.array([1] * 75 + [0] * 25)      # 3 to 1, not e^2 to 1
    >>> round(best_factor(logits, y), 2)
    0.54
    """
    n, k = logits.shape
    weight = np.ones(n) if weight is None else scaled_to_normal(weight)
    weight = weight / weight.mean()
    smoothing = 1 / (n + 1)
    targets = np.full((n, k), smoothing / k)
    targets[np.arange(n), y] += 1 - smoothing
    wanted = (targets * logits).sum(axis=1)

    def slope(f: float) -> float:
        z = f * logits
        e = np.exp(z - z.max(axis=1, keepdims=True))
        expected = (e * logits).sum(axis=1) / e.sum(axis=1)
        return float(np.average(expected - wanted, weights=weight))

    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(np.exp(middle)) < 0 else (low, middle)
    return float(np.exp((low + high) / 2))
