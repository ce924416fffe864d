"""The norm of a gradient of which each process has a part, with the bits of one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.engine.engine import Engine

#: Gathers the arrays of all processes, one after the other.
Gather = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def norm(engine: Engine, gradient: Real, gather: Gather) -> float:
    """||g|| of all parts, as the kernel `norm` (csrc/layer.h) computes it of one array.

    Each process sums the squares of its own blocks; the sums are added in order.
    """

    def squares(scale: float) -> float:
        return added(gather(engine.sums_of_squares(gradient, scale)))

    single = gradient.dtype.itemsize == 4
    total = squares(1.0)
    if (2.0**-100 if single else 2.0**-960) <= total < math.inf:
        return math.sqrt(total)
    largest = float(gather(np.array([engine.largest(gradient)])).max())
    exponent = 0
    if 0 < largest < math.inf:
        most = 126 if single else 1022
        exponent = max(-most, min(math.frexp(largest)[1], most))
    return _scaled(math.sqrt(squares(math.ldexp(1.0, -exponent))), exponent)


def added(numbers: NDArray[np.float64]) -> float:
    """The sum, one number after the other (`sum` may add in another way)."""
    total = 0.0
    for number in numbers.tolist():
        total += number
    return total


def _scaled(number: float, exponent: int) -> float:
    """number 2^exponent, which may be infinite."""
    return float(np.ldexp(number, exponent))


def factor(scale: float, length: float, most: float) -> float:
    """The factor of a gradient of this norm: scale, smaller where it is clipped."""
    length *= scale
    return scale * (most / (length + 1e-6)) if length + 1e-6 > most else scale
