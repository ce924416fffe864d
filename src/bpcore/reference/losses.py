"""The values of every loss and their derivatives by z: ``csrc/losses.h`` in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.losses import LOSSES
from bpcore.reference.activations import activate, below, normal

Array = NDArray[Any]


@own_errstate
def loss(
    z: Array, y: Array, name: str, setting: float | None = None
) -> tuple[Array, Array]:
    """E (n,) and dE/dz (n, n_out)

    For the cross-entropies, kl_divergence and poisson_of_log, z are the values before
    softmax, sigmoid or exp; for the others z are the outputs a.  "cross_entropy" also
    takes integer labels (n,) for y.  `setting` is that of the loss (``bpcore.losses``);
    None means its default.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import loss
    >>> a, y = np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]])
    >>> loss(a, y, "squared_error")
    (array([2.5]), array([[1., 2.]]))
    """
    n_out = z.shape[1]
    if setting is None:
        of_others = math.inf if "log_loss" in name else 0.0
        setting = LOSSES[name].setting if name in LOSSES else of_others
    if name == "squared_error":
        return 0.5 * squares(z - y).sum(axis=1), z - y
    if name == "binary_cross_entropy":
        finite = np.clip(z, *finite_range(z))
        linear = np.maximum(finite, 0) - finite * y
        linear = np.where(np.isinf(z) & (linear > 0), np.inf, linear)
        E = linear + np.log1p(np.exp(-np.abs(z)))
        return E.sum(axis=1), activate(z, "sigmoid") - y
    if name in ("log_loss", "binary_log_loss"):
        return log_loss(z, y, name, setting)
    if name in ("cross_entropy", "kl_divergence"):
        return cross_entropy(z, y, name, setting)
    e, derivative = output_losses(z, y, name, setting)
    return e.mean(axis=1), derivative / n_out


def log_loss(z: Array, y: Array, name: str, most: float) -> tuple[Array, Array]:
    """The cross-entropies of probabilities of y between e^-most and 1 - e^-most

    dE/dz is that of the probabilities as they are.  y is 0 or 1.
    """
    least = math.exp(-most)
    if name == "log_loss":
        E, derivative = loss(z, y, "cross_entropy", 0)
        return np.clip(E, least, most), derivative
    ones = [loss(z[:, j : j + 1], y[:, j : j + 1], "binary_cross_entropy")[0]
            for j in range(z.shape[1])]  # fmt: skip
    derivative = loss(z, y, "binary_cross_entropy")[1]
    return np.clip(np.stack(ones), least, most).sum(axis=0), derivative


def cross_entropy(
    z: Array, y: Array, name: str, smoothing: float
) -> tuple[Array, Array]:
    """-sum y log softmax(z); for kl_divergence plus sum y log y"""
    if y.ndim == 1:
        y = np.eye(z.shape[1], dtype=z.dtype)[y]
    if name == "cross_entropy" and smoothing:
        y = (1 - smoothing) * y + smoothing / z.shape[1]
    t = below(z, z.max(axis=1, keepdims=True))
    log_a = t - np.log(np.exp(t).sum(axis=1, keepdims=True))
    E = -np.where(y == 0, 0, y * log_a).sum(axis=1)
    if name == "kl_divergence":
        E = E + (y * np.log(np.where(y > 0, y, 1))).sum(axis=1)
    return E, np.exp(log_a) * y.sum(axis=1, keepdims=True) - y


def output_losses(x: Array, y: Array, name: str, c: float) -> tuple[Array, Array]:
    """e (n, n_out) and de/dx of the losses that are means over the outputs"""
    d = x - y
    if name == "mean_squared_error":
        return squares(d), 2 * d
    if name == "mean_absolute_error":
        return np.abs(d), np.sign(d)
    if name == "huber":
        far = np.abs(d) > c
        near = 0.5 * squares(d)
        return np.where(far, c * (np.abs(d) - 0.5 * c), near), np.clip(d, -c, c)
    if name == "quantile":
        return np.maximum(-c * d, (1 - c) * d), np.where(
            d < 0, -c, np.where(d > 0, 1 - c, d)
        )
    if name == "log_cosh":
        near = np.log1p(2 * squares(np.sinh(np.clip(d, -1, 1) / 2)))
        far = np.abs(d) + np.log1p(np.exp(-2 * np.abs(d))) - math.log(2)
        return np.where(np.abs(d) < 1, near, far), np.tanh(d)
    if name == "hinge":
        return np.maximum(0, 1 - x * y), np.where(
            x * y < 1, -y, np.where(x * y >= 1, 0, x)
        )
    if name == "poisson":
        return x - y * np.log(np.clip(x, *finite_range(x)) + c), 1 - y / (x + c)
    assert name == "poisson_of_log"
    linear = np.where(y == 0, 0, np.minimum(x, 1000) * y)
    return np.exp(x) - linear, np.exp(x) - y


def squares(d: Array) -> Array:
    """d^2 in float64, where squares of float32 neither overflow nor underflow"""
    return d.astype(np.float64) ** 2


def finite_range(x: Array) -> tuple[float, float]:
    """The range of finite numbers of x's dtype."""
    return float(np.finfo(x.dtype).min), float(np.finfo(x.dtype).max)


def weighted_loss(
    z: Array, y: Array, w: Array, scale: float, name: str, setting: float
) -> tuple[Array, Array]:
    """w E (n,) and scale w dE/dz (n, n_out), 0 in place of subnormal, of weights w (n,)

    Weights may be (n, n_out) for losses that are sums or means of a term per output.
    The loss of a row or output of weight 0 may be infinite: it has no effect.
    """
    if w.ndim == 2 and name == "cross_entropy":  # the targets are smoothed already
        w, setting = w[:, 0], 0.0
    if w.ndim == 1:
        E, d = loss(z, y, name, setting)
        E, counts = w * np.where(w == 0, 0, E), (w != 0)[:, None]
        return E, normal(np.where(counts, d, 0) * (w * scale)[:, None].astype(z.dtype))
    n, n_out = z.shape
    sums = name in ("binary_cross_entropy", "binary_log_loss", "squared_error")
    divisor = 1 if sums else n_out
    E, d = loss(z.reshape(-1, 1), y.reshape(-1, 1), name, setting)
    E, d = E.reshape(n, n_out) / divisor, d.reshape(n, n_out) / divisor
    E = (w * np.where(w == 0, 0, E)).sum(axis=1)
    return E, normal(np.where(w == 0, 0, d) * (w * scale).astype(z.dtype))
