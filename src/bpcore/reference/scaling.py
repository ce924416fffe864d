"""Scaling of a table's columns of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def robust_scale(x: Array, centre: Array, factor: Array) -> Array:
    """3 t / sqrt(1 + t^2) with t = (x - centre) factor / 3 in float32.

    0 for NaN and where the factor is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference.scaling import robust_scale
    >>> robust_scale(np.array([[1.0, np.nan]]), np.zeros(2), np.ones(2)).round(3)
    array([[0.949, 0.   ]], dtype=float32)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        t = np.clip((x - centre) * factor / 3, -1e150, 1e150)
    t = np.where(np.isnan(x) | (factor == 0), 0, t)
    return (3 * t / np.sqrt(1 + t * t)).astype(np.float32)
