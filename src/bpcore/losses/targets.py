"""Targets of samples, checked against a loss: class labels, or numbers per output."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays
from bpcore.losses.base import Loss

Array = NDArray[Any]


def as_targets(
    name: str, value: ArrayLike, n: int, n_out: int, loss: Loss, dtype: np.dtype[Any]
) -> Array | NDArray[np.int64]:
    """Targets of n samples: labels (n,) if the loss allows them, or (n, n_out).

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.losses import LOSSES, as_targets
    >>> as_targets("y", [0, 2], 2, 3, LOSSES["cross_entropy"], np.dtype("float32"))
    array([0, 2])
    """
    array = arrays.as_array(name, value)
    if loss.labels and array.ndim == 1 and n_out > 1:
        if array.shape == (n,) and array.dtype.kind not in "iub":
            raise TypeError(
                f"{name} of shape ({array.size},) must hold integer labels for "
                f"{loss.name}; got dtype {array.dtype}"
            )
        return arrays.as_labels(name, array, n, n_out)
    targets = arrays.as_finite(name, array, dtype)
    if n_out == 1 and targets.ndim == 1:
        targets = targets.reshape(-1, 1)
    if targets.shape != (n, n_out):
        labels = f" or ({n},) for labels" if loss.labels else ""
        if not labels and array.shape == (n,) and array.dtype.kind in "iu":
            labels = " (labels need loss='cross_entropy')"
        raise ValueError(
            f"{name} must have shape ({n}, {n_out}){labels}; got {array.shape}"
        )
    flat = targets.reshape(-1)
    if loss.signs and not (np.abs(flat) == 1).all():
        raise ValueError(
            f"{name} must be -1 or 1 for {loss.name}; got {flat[np.abs(flat) != 1][0]}"
        )
    if loss.least > -inf and not arrays.all_between(flat, loss.least, loss.most):
        span = f"lie in {loss.least:g} .. {loss.most:g}"
        if loss.most == inf:
            span = f"be at least {loss.least:g}"
        raise ValueError(
            f"{name} must {span} for {loss.name}; got values from {targets.min()} to "
            f"{targets.max()}"
        )
    return targets
