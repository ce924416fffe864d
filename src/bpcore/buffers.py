"""Flat buffers and the arrays of each layer inside them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpcore.errstate import own_errstate

Real = NDArray[Any]

#: Bytes from which on it matters where an array begins.
LARGE = 1 << 18


def aligned_zeros(size: int, dtype: DTypeLike, at: int = 0) -> NDArray[Any]:
    """`size` zeros that begin on a cache line (64 bytes).

    Large arrays begin `at` bytes past a multiple of 4096: the update walks through
    weights and state at the same pace, which must not meet in the same cache sets.
    """
    dtype = np.dtype(dtype)
    n_bytes = size * dtype.itemsize
    unit, at = (4096, at) if n_bytes >= LARGE else (64, 0)
    raw = np.zeros(n_bytes + at + unit, np.uint8)
    start = -raw.ctypes.data % unit + at
    return raw[start : start + n_bytes].view(dtype)


def part(
    memory: NDArray[np.uint8], at: int, shape: tuple[int, ...], dtype: Any
) -> Real:
    """The array that begins at byte `at` of a piece of memory."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    return memory[at : at + n_bytes].view(dtype).reshape(shape)


@dataclass(frozen=True, repr=False)
class Views:
    """The parts of W[0] b[0] gain[0] W[1] b[1] ..., in an array laid out like that.

    Attributes
    ----------
    weights, biases : tuple of arrays (n_in, n_out) and (n_out,)
    gains : tuple of arrays (n_out,), None where a layer is not normalised
    """

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    gains: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"<Views of {self.contents}>"

    @property
    def contents(self) -> str:
        """How many layers and numbers there are, in words."""
        arrays = [*self.weights, *self.biases, *self.gains]
        count = sum(array.size for array in arrays if array is not None)
        return f"{n_layers(self.weights)}, {count:,} numbers"


def n_layers(arrays: Sequence[Any]) -> str:
    """How many layers these are, in words: "1 layer", "2 layers"."""
    return f"{len(arrays)} layer" + "s" * (len(arrays) != 1)


def views(
    flat: NDArray[Any], sizes: Sequence[int], norms: Sequence[str | None]
) -> Views:
    """The W[l], b[l] and gain[l] inside a flat array of as many parameters."""
    weights: list[Real] = []
    biases: list[Real] = []
    gains: list[Any] = []
    at = 0

    def take(*shape: int) -> Real:
        nonlocal at
        size = math.prod(shape)
        at += size
        return flat[at - size : at].reshape(shape)

    for (n_in, n_out), norm in zip(itertools.pairwise(sizes), norms, strict=True):
        weights.append(take(n_in, n_out))
        biases.append(take(n_out))
        gains.append(take(n_out) if norm else None)
    return Views(tuple(weights), tuple(biases), tuple(gains))


def by_layer(
    values: Sequence[Any], sizes: Sequence[int], norms: Sequence[str | None]
) -> NDArray[Any]:
    """One value of each layer, for every one of its parameters: a flat array."""
    counts = [
        (n_in + 1 + (norm is not None)) * n_out
        for (n_in, n_out), norm in zip(itertools.pairwise(sizes), norms, strict=True)
    ]
    return np.repeat(values, counts)


def running_views(
    flat: NDArray[Any], sizes: Sequence[int], norms: Sequence[str | None]
) -> tuple[Any, ...]:
    """The running mean and variance (2, n_out) of each layer with batch norm."""
    moments: list[Any] = []
    at = 0
    for n_out, norm in zip(sizes[1:], norms, strict=True):
        if norm == "batch":
            moments.append(flat[at : at + 2 * n_out].reshape(2, n_out))
            at += 2 * n_out
        else:
            moments.append(None)
    return tuple(moments)


def state_apart(size: int) -> int:
    """Elements from one array of an optimizer's state to the next: whole lines."""
    return (size + 15) // 16 * 16


def optimizer_state(n_states: int, size: int, dtype: DTypeLike) -> Real:
    """Zeros for an optimizer's arrays, (n_states, state_apart(size))."""
    flat = aligned_zeros(n_states * state_apart(size), dtype, at=2112)
    return flat.reshape(n_states, state_apart(size))


@own_errstate
def norm(array: NDArray[Any]) -> float:
    """The Frobenius norm, in float64: no square overflows or vanishes.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.buffers import norm
    >>> norm(np.array([[3.0, 4.0]])), norm(2.0**600 * np.array([3.0, 4.0])) / 2.0**600
    (5.0, 5.0)
    """
    flat = np.ravel(array)
    largest = float(np.abs(flat).max(initial=0.0))
    exponent = math.frexp(largest)[1]
    if abs(exponent) > 500 and math.isfinite(largest):
        return float(np.ldexp(norm(np.ldexp(flat, -exponent)), exponent))
    # A conversion of float32 before the squares would take longer.
    return float(np.sqrt(np.einsum("i,i->", flat, flat, dtype=np.float64)))
