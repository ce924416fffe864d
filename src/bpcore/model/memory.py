"""Memory for arrays: where they begin, and their parts."""

from __future__ import annotations

import math
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


@own_errstate
def norm(array: NDArray[Any]) -> float:
    """The Frobenius norm, in float64: no square overflows or vanishes.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.model.memory import norm
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
