"""Metrics of probabilities: log loss and Brier score."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpcore.losses import TargetKind
from bpcore.metrics.base import Array, BuiltIn, Weights
from bpcore.metrics.classes import mean_over_labels
from bpcore.metrics.scaled import as_rows, mean


def _needs_probabilities(name: str, y: Array, n_out: int, targets: TargetKind) -> None:
    """Raise for targets below 0, or above 1 by more than the epsilon of float32."""
    if y.ndim == 1 and n_out > 1:
        return
    low, high = y.min(), y.max()
    if low < 0 or high > 1 + float(np.finfo(np.float32).eps):
        raise ValueError(
            f"metric {name!r} must have targets in 0 .. 1; got values from {low} to "
            f"{high}"
        )


def _probabilities(y: Array, a: Array) -> tuple[Array, Array]:
    """Targets and outputs for two or more classes; one output p becomes 1 - p and p."""
    expected, outputs = as_rows(y, a.shape[1]), a.astype(np.float64)
    if outputs.min() < 0 or outputs.max() > 1:
        raise ValueError(
            "metrics log_loss and brier must have outputs in 0 .. 1; got values from "
            f"{outputs.min()} to {outputs.max()}"
        )
    if a.shape[1] > 1:
        return expected, outputs
    return np.hstack([1 - expected, expected]), np.hstack([1 - outputs, outputs])


@mean_over_labels
def _log_loss(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    expected, outputs = _probabilities(y, a)
    eps = float(np.finfo(a.dtype).eps)
    return mean(-(expected * np.log(outputs.clip(eps, 1 - eps))).sum(1), weight)


@mean_over_labels
def _brier(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    """Brier (1950); with two classes half of that, as is usual."""
    expected, outputs = _probabilities(y, a)
    score = mean(((outputs - expected) ** 2).sum(1), weight)
    return score / 2 if a.shape[1] <= 2 else score


METRICS = (
    BuiltIn("log_loss", _log_loss, False, "mean -sum y log(a)", _needs_probabilities),
    BuiltIn("brier", _brier, False, "mean sum (a - y)^2", _needs_probabilities),
)
