"""Memory for arrays: its alignment, and parts of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: Bytes above which the position of an array relative to others matters.
LARGE = 1 << 18


def aligned_zeros(size: int, dtype: DTypeLike, at: int = 0) -> NDArray[Any]:
    """`size` zeros that begin on a cache line (64 bytes).

    Large arrays begin `at` bytes past a multiple of 4096: the update reads weights and
    state at the same pace, and they must not lie in the same cache sets.
    """
    dtype = np.dtype(dtype)
    n_bytes = size * dtype.itemsize
    unit, at = (4096, at) if n_bytes >= LARGE else (64, 0)
    raw = np.zeros(n_bytes + at + unit, np.uint8)
    start = -raw.ctypes.data % unit + at
    return raw[start : start + n_bytes].view(dtype)


def part(
    memory: NDArray[np.uint8], at: int, shape: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """The array that begins at byte `at` of a piece of memory."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    return memory[at : at + n_bytes].view(dtype).reshape(shape)
