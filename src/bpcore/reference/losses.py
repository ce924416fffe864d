"""The values of every loss, and their derivative by z: twin of ``csrc/losses.h``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore._errstate import own_errstate
from bpcore.reference.activations import activate

Array = NDArray[Any]


@own_errstate
def loss(z: Array, y: Array, name: str, setting: float = 0.0) -> tuple[Array, Array]:
    """E (n,) and dE/dz (n, n_out)

    The cross-entropies, kl_divergence and poisson_of_log take the values before their
    softmax, sigmoid or exp for z, the others activations; "cross_entropy" also integer
    labels (n,) for y.  `setting` is the loss's own (``bpcore.losses``).
    """
    n_out = z.shape[1]
    if name == "squared_error":
        return 0.5 * ((z - y) ** 2).sum(axis=1), z - y
    if name == "binary_cross_entropy":
        E = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
        return E.sum(axis=1), activate(z, "sigmoid") - y
    if name in ("cross_entropy", "kl_divergence"):
        return cross_entropy(z, y, name, setting)
    e, derivative = of_each_output(z, y, name, setting)
    return e.mean(axis=1), derivative / n_out


def cross_entropy(
    z: Array, y: Array, name: str, smoothing: float
) -> tuple[Array, Array]:
    """-sum y log softmax(z), and what the divergence adds: sum y log y"""
    if y.ndim == 1:
        y = np.eye(z.shape[1], dtype=z.dtype)[y]
    if name == "cross_entropy" and smoothing:
        y = (1 - smoothing) * y + smoothing / z.shape[1]
    t = z - z.max(axis=1, keepdims=True)
    log_a = t - np.log(np.exp(t).sum(axis=1, keepdims=True))
    E = -(y * log_a).sum(axis=1)
    if name == "kl_divergence":
        E = E + (y * np.log(np.where(y > 0, y, 1))).sum(axis=1)
    return E, np.exp(log_a) * y.sum(axis=1, keepdims=True) - y


def of_each_output(x: Array, y: Array, name: str, c: float) -> tuple[Array, Array]:
    """e (n, n_out) and de/dx of the losses that are means over the outputs"""
    d = x - y
    if name == "mean_squared_error":
        return d**2, 2 * d
    if name == "mean_absolute_error":
        return np.abs(d), np.sign(d)
    if name == "huber":
        far = np.abs(d) > c
        return np.where(far, c * (np.abs(d) - 0.5 * c), 0.5 * d**2), np.clip(d, -c, c)
    if name == "quantile":
        return np.maximum(-c * d, (1 - c) * d), np.where(
            d < 0, -c, np.where(d > 0, 1 - c, d)
        )
    if name == "log_cosh":
        e = np.abs(d) + np.log1p(np.exp(-2 * np.abs(d))) - math.log(2)
        return np.maximum(e, 0), np.tanh(d)
    if name == "hinge":
        return np.maximum(0, 1 - x * y), np.where(
            x * y < 1, -y, np.where(x * y >= 1, 0, x)
        )
    if name == "poisson":
        return x - y * np.log(x + c), 1 - y / (x + c)
    assert name == "poisson_of_log"
    return np.exp(x) - x * y, np.exp(x) - y
