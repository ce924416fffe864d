"""One layer, forward and backward: the kernels of the same names in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.reference.activations import activate, times_derivative

Array = NDArray[Any]

#: Epsilon added to variances.
EPS = 1e-5

# --- products -------------------------------------------------------------------------


@own_errstate
def forward(a: Array, W: Array, b: Array, activation: str = "identity") -> Array:
    """f(a @ W + b)     a (n, n_in)  W (n_in, n_out)  b (n_out,)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import forward
    >>> a, W, b = np.array([[1.0, 2.0]]), np.eye(2), np.array([0.5, -3.0])
    >>> forward(a, W, b, "relu")
    array([[1.5, 0. ]])
    """
    return activate(a @ W + b, activation)


@own_errstate
def propagate(delta: Array, W: Array, a: Array, activation: str = "identity") -> Array:
    """(delta @ W.T) * f'(z)     delta (n, n_out)  W (n_in, n_out)  a = f(z)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import propagate
    >>> W, a = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 2.0]])
    >>> propagate(np.array([[1.0, 1.0]]), W, a, "relu")
    array([[0., 7.]])
    """
    return times_derivative(delta @ W.T, a, activation)


@own_errstate
def gradient(a: Array, delta: Array) -> tuple[Array, Array]:
    """dW = a.T @ delta, db = delta.sum(0)     a (n, n_in)  delta (n, n_out)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import gradient
    >>> dW, db = gradient(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]))
    >>> dW.item(), db.item()
    (11.0, 7.0)
    """
    return a.T @ delta, delta.sum(axis=0)


# --- normalisation --------------------------------------------------------------------


@own_errstate
def normalise(
    u: Array, gain: Array, shift: Array, kind: str
) -> tuple[Array, Array, Array, Array]:
    """y = gain hat + shift, hat = (u - mean) / sqrt(variance + EPS)

    Mean and variance are those of each column ("batch") or of each row ("layer").
    Returns y, hat, 1 / sqrt(variance + EPS), and mean and variance stacked.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import normalise
    >>> u = np.array([[1.0], [3.0]])
    >>> y, hat, inverse, moments = normalise(u, np.ones(1), np.zeros(1), "batch")
    >>> y.ravel().round(3), moments.ravel()
    (array([-1.,  1.]), array([2., 1.]))
    """
    axis = 0 if kind == "batch" else 1
    # Computed for c u: c is below 1 where squares of u would overflow.
    c = np.minimum(unit_scale(np.abs(u).max(axis=axis, keepdims=True)), 1)
    u = u * c
    mean, variance = u.mean(axis=axis, keepdims=True), u.var(axis=axis, keepdims=True)
    inverse = 1 / np.sqrt(variance + EPS * c * c)
    hat = (u - mean) * inverse
    moments = np.stack([(mean / c).ravel(), (variance / c / c).ravel()])
    return gain * hat + shift, hat, (inverse * c).astype(u.dtype), moments


def unit_scale(largest: Array) -> Array:
    """1, or a power of two near 1 / largest where squares may over- or underflow"""
    e = np.frexp(largest)[1]
    far = 48 if largest.dtype == np.float32 else 480
    fits = (np.abs(e) < far) | ~np.isfinite(largest)
    most = 120 if largest.dtype == np.float32 else 1000
    e = np.negative(np.clip(e, -most, most))
    return np.ldexp(np.ones_like(largest), np.where(fits, 0, e))


@own_errstate
def normalise_back(
    delta: Array, hat: Array, inverse: Array, gain: Array, kind: str
) -> tuple[Array, Array, Array]:
    """dE/du, dgain and dshift, from delta = dE/dy

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import normalise_back
    >>> delta, hat = np.array([[1.0], [2.0]]), np.array([[-0.8], [0.8]])
    >>> inverse, gain = np.ones((1, 1)), np.ones(1)
    >>> du, dgain, dshift = normalise_back(delta, hat, inverse, gain, "batch")
    >>> du.ravel().round(2), dgain, dshift
    (array([-0.18,  0.18]), array([0.8]), array([3.]))
    """
    axis = 0 if kind == "batch" else 1
    d = delta * gain
    mean = d.mean(axis=axis, keepdims=True)
    mean_dh = (d * hat).mean(axis=axis, keepdims=True)
    du = inverse * (d - mean - hat * mean_dh)
    return du, (delta * hat).sum(axis=0), delta.sum(axis=0)


@own_errstate
def follow(running: Array, moments: Array, n: int) -> None:
    """running = 0.9 running + 0.1 moments in place, with the unbiased variance

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import follow
    >>> running = np.array([[0.0], [1.0]])
    >>> follow(running, np.array([[10.0], [2.0]]), n=2)
    >>> running.ravel()
    array([1. , 1.3])
    """
    mean, variance = moments
    unbiased = variance * n / (n - 1) if n > 1 else variance
    running += 0.1 * (np.stack([mean, unbiased]) - running)


@own_errstate
def fold(W: Array, shift: Array, gain: Array, running: Array) -> tuple[Array, Array]:
    """W and b that include batch norm by running moments: a @ W + b is its result

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import fold
    >>> running = np.array([[2.0], [4.0]])
    >>> W, b = fold(np.array([[6.0]]), np.zeros(1), np.ones(1), running)
    >>> round(W.item(), 3), round(b.item(), 3)
    (3.0, -1.0)
    """
    mean, variance = running
    scale = gain / np.sqrt(variance + EPS)
    return W * scale, shift - mean * scale


# --- the scale of the inputs ----------------------------------------------------------


@own_errstate
def scale_rows(x: Array, scale: Array) -> Array:
    """x * scale     x (n, width)  scale (width,)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import scale_rows
    >>> scale_rows(np.array([[1.0, 2.0]]), np.array([0.5, 3.0]))
    array([[0.5, 6. ]])
    """
    return x * scale


@own_errstate
def scale_rows_back(delta: Array, x: Array, scale: Array) -> tuple[Array, Array]:
    """dE/dx and dscale, from delta = dE/d(x * scale)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import scale_rows_back
    >>> delta, x = np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])
    >>> dx, dscale = scale_rows_back(delta, x, np.array([0.5]))
    >>> dx.ravel(), dscale
    (array([0.5, 1. ]), array([11.]))
    """
    return delta * scale, (delta * x).sum(axis=0)


# --- counter-based random bits --------------------------------------------------------


def mix64(x: int) -> int:
    """The finisher of SplitMix64, modulo 2^64."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def key_of(key: int, i: int) -> int:
    """The key of item i of the stream `key`."""
    return mix64((key + (i + 1) * 0x9E3779B97F4A7C15) % 2**64)


def random_bits(key: int, n: int, width: int) -> NDArray[np.uint32]:
    """32 random bits for every element of an array (n, width)."""

    def mix(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        return x ^ (x >> np.uint32(16))

    rows = np.array([key_of(key, i) for i in range(n)], np.uint64)[:, None]
    low, high = rows.astype(np.uint32), (rows >> np.uint64(32)).astype(np.uint32)
    return mix(mix(np.arange(width, dtype=np.uint32) + low) ^ high)


@own_errstate
def drop(x: Array, key: int, p: float) -> Array:
    """0 with probability p, else x / (1 - p)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import drop
    >>> drop(np.ones((2, 4), np.float32), key=1, p=0.5)
    array([[0., 2., 0., 2.],
           [0., 2., 0., 2.]], dtype=float32)
    """
    kept = random_bits(key, *x.shape) >= np.uint32(int(p * 2**32))
    return np.where(kept, x * x.dtype.type(1 / (1 - p)), 0).astype(x.dtype)


@own_errstate
def add_noise(x: Array, key: int, size: float) -> Array:
    """x + size N(0, 1)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import add_noise
    >>> x = add_noise(np.zeros((1000, 10)), key=1, size=0.5)
    >>> round(float(x.std()), 1)
    0.5
    """
    from statistics import NormalDist  # which imports fractions, decimal and random

    signed = random_bits(key, *x.shape).astype(np.int32).astype(np.float64)
    probabilities = (signed + 0.5) / 2**32 + 0.5
    quantile = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])
    return (x + size * quantile(probabilities)).astype(x.dtype)


@own_errstate
def shuffle(order: NDArray[np.int64], words: NDArray[np.uint64]) -> None:
    """For i = n-1 .. 1 swap order[i] and order[words[i] (i+1) / 2^64].

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import shuffle
    >>> order = np.arange(4)
    >>> words = np.random.default_rng(0).integers(0, 2**64, 4, np.uint64)
    >>> shuffle(order, words)
    >>> sorted(order.tolist())
    [0, 1, 2, 3]
    """
    for i in range(len(order) - 1, 0, -1):
        j = int(words[i]) * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
