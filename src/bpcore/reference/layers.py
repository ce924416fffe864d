"""One layer, forward and backward: twins of the kernels that bear the same names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore._errstate import own_errstate
from bpcore.reference.activations import activate, times_derivative

Array = NDArray[Any]

#: Added to a variance before its root is taken.
EPS = 1e-5

# --- products -------------------------------------------------------------------------


@own_errstate
def forward(a: Array, W: Array, b: Array, activation: str = "identity") -> Array:
    """f(a @ W + b)     a (n, n_in)  W (n_in, n_out)  b (n_out,)"""
    return activate(a @ W + b, activation)


@own_errstate
def propagate(delta: Array, W: Array, a: Array, activation: str = "identity") -> Array:
    """(delta @ W.T) * f'(z)     delta (n, n_out)  W (n_in, n_out)  a = f(z)"""
    return times_derivative(delta @ W.T, a, activation)


@own_errstate
def gradient(a: Array, delta: Array) -> tuple[Array, Array]:
    """dW = a.T @ delta, db = delta.sum(0)     a (n, n_in)  delta (n, n_out)"""
    return a.T @ delta, delta.sum(axis=0)


# --- normalisation --------------------------------------------------------------------


@own_errstate
def normalise(
    u: Array, gain: Array, shift: Array, kind: str
) -> tuple[Array, Array, Array, Array]:
    """y = gain hat + shift, hat = (u - mean) / sqrt(variance + EPS), and its parts

    Over the rows for each column ("batch"), or the columns for each row ("layer");
    returns y, hat, 1 / sqrt(...) and, of each column or row, mean and variance.
    """
    axis = 0 if kind == "batch" else 1
    # All of it for c u, where squares of u would overflow.
    c = np.minimum(unit_scale(np.abs(u).max(axis=axis, keepdims=True)), 1)
    u = u * c
    mean, variance = u.mean(axis=axis, keepdims=True), u.var(axis=axis, keepdims=True)
    inverse = 1 / np.sqrt(variance + EPS * c * c)
    hat = (u - mean) * inverse
    moments = np.stack([(mean / c).ravel(), (variance / c / c).ravel()])
    return gain * hat + shift, hat, (inverse * c).astype(u.dtype), moments


def unit_scale(largest: Array) -> Array:
    """1, and where squares of `largest` may not fit, a power of two near 1 / largest"""
    e = np.frexp(largest)[1]
    far = 48 if largest.dtype == np.float32 else 480
    fits = (np.abs(e) < far) | ~np.isfinite(largest)
    most = 120 if largest.dtype == np.float32 else 1000
    return np.ldexp(np.ones_like(largest), np.where(fits, 0, -np.clip(e, -most, most)))


@own_errstate
def normalise_back(
    delta: Array, hat: Array, inverse: Array, gain: Array, kind: str
) -> tuple[Array, Array, Array]:
    """dE/du, dgain and dshift, from delta = dE/dy"""
    axis = 0 if kind == "batch" else 1
    d = delta * gain
    mean = d.mean(axis=axis, keepdims=True)
    share = (d * hat).mean(axis=axis, keepdims=True)
    back = inverse * (d - mean - hat * share)
    return back, (delta * hat).sum(axis=0), delta.sum(axis=0)


@own_errstate
def follow(running: Array, moments: Array, n: int) -> None:
    """running = 0.9 running + 0.1 moments, the variance over n - 1, in place"""
    mean, variance = moments
    unbiased = variance * n / (n - 1) if n > 1 else variance
    running += 0.1 * (np.stack([mean, unbiased]) - running)


@own_errstate
def fold(W: Array, shift: Array, gain: Array, running: Array) -> tuple[Array, Array]:
    """W and b with which a @ W + b is what batch norm makes of it by running moments"""
    mean, variance = running
    scale = gain / np.sqrt(variance + EPS)
    return W * scale, shift - mean * scale


# --- random by place ------------------------------------------------------------------


def mix64(x: int) -> int:
    """The finisher of SplitMix64, modulo 2^64."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def key_of(key: int, i: int) -> int:
    """A key of its own for item i of the stream `key`."""
    return mix64((key + (i + 1) * 0x9E3779B97F4A7C15) % 2**64)


def random_bits(key: int, n: int, width: int) -> NDArray[np.uint32]:
    """32 random bits for every place of n rows."""

    def mix(x: NDArray[np.uint32]) -> NDArray[np.uint32]:
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        return x ^ (x >> np.uint32(16))

    rows = np.array([key_of(key, i) for i in range(n)], np.uint64)[:, None]
    low, high = rows.astype(np.uint32), (rows >> np.uint64(32)).astype(np.uint32)
    return mix(mix(np.arange(width, dtype=np.uint32) + low) ^ high)


@own_errstate
def drop(x: Array, key: int, p: float) -> Array:
    """x / (1 - p) where it is kept, 0 with probability p"""
    kept = random_bits(key, *x.shape) >= np.uint32(int(p * 2**32))
    return np.where(kept, x * x.dtype.type(1 / (1 - p)), 0).astype(x.dtype)


@own_errstate
def add_noise(x: Array, key: int, size: float) -> Array:
    """x + size N(0, 1)"""
    from statistics import NormalDist  # which imports fractions, decimal and random

    signed = random_bits(key, *x.shape).astype(np.int32).astype(np.float64)
    shares = (signed + 0.5) / 2**32 + 0.5
    quantile = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])
    return (x + size * quantile(shares)).astype(x.dtype)


@own_errstate
def shuffle(order: NDArray[np.int64], words: NDArray[np.uint64]) -> None:
    """For i = n-1 .. 1 swap order[i] and order[words[i] (i+1) / 2^64]."""
    for i in range(len(order) - 1, 0, -1):
        j = int(words[i]) * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]
