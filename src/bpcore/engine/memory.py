"""Memory for arrays: its alignment, and parts of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpcore.engine.engine import zeroed


def aligned_zeros(size: int, dtype: DTypeLike, at: int = 0) -> NDArray[Any]:
    """`size` zeros that begin on a cache line, or as `zeroed` if they are large.

    The array does not own its data, so that nobody can resize it.
    """
    dtype = np.dtype(dtype)
    return np.frombuffer(zeroed(size * dtype.itemsize, at), dtype)


def part(
    memory: NDArray[np.uint8], at: int, shape: tuple[int, ...], dtype: Any
) -> NDArray[Any]:
    """The array that begins at byte `at` of a piece of memory."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    return memory[at : at + n_bytes].view(dtype).reshape(shape)
