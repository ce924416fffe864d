"""Columns scaled by powers of two, so that squares and sums do not over- or underflow.

Such a scale adds no rounding error to a result that is a normal number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.metrics.base import Array, Weights

#: Numbers m and exponents e of the values m 2^e, for squares m 2^(2 e).
Scaled = tuple[NDArray[np.float64], NDArray[np.intc]]


def scale(x: NDArray[np.float64]) -> Scaled:
    """x 2^-e and e of each output; the largest element is then in 1/2 .. 1."""
    exponent = np.frexp(abs(x).max(0))[1]
    # Not -exponent: NumPy 2.4 ends the process if there is no memory for that scalar.
    return np.ldexp(x, np.negative(exponent)), exponent


def mean(values: NDArray[np.float64], weight: Weights = None) -> Any:
    """The mean of each output over the samples."""
    scaled, exponent = scale(values)
    return np.ldexp(np.average(scaled, 0, weight), exponent)


def as_rows(y: Array, n_out: int) -> NDArray[np.float64]:
    """The targets as an array (n, n_out), labels as one-hot rows."""
    if y.ndim == 1:
        y = y[:, None] == np.arange(n_out)
    return y.astype(np.float64, copy=False)
