"""Metrics of classes: accuracy, precision and recall, area under the ROC curve."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.losses import TargetKind
from bpcore.metrics.base import Array, BuiltIn, Weights


def _has_labels(y: Array, n_out: int, targets: TargetKind) -> bool:
    """Whether a sample may have several labels, one per output, not one class."""
    return targets.several and y.ndim == 2 and n_out > 1


def _needs_classes(name: str, y: Array, n_out: int, targets: TargetKind) -> None:
    """Raise if there are several labels per sample."""
    if _has_labels(y, n_out, targets):
        raise ValueError(
            f"metric {name!r} must have one class for each sample; with this loss a "
            f"sample may have several of the {n_out} labels"
        )


def mean_over_labels(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, and for several labels per sample its mean over the labels.

    Each label is then one output with the classes 0, absent, and 1, present.
    """

    @wraps(function)
    def mean(
        y: Array, a: Array, weight: Weights, targets: TargetKind, **settings: Any
    ) -> Any:
        if not _has_labels(y, a.shape[1], targets):
            return function(y, a, weight, targets, **settings)
        columns = [slice(j, j + 1) for j in range(a.shape[1])]
        return np.mean(
            [function(y[:, j], a[:, j], weight, targets, **settings) for j in columns]
        )

    return mean


def _accuracy(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    if _has_labels(y, a.shape[1], targets):
        present, predicted = y > targets.threshold, a > targets.threshold
        right = (present == predicted).all(1)
    else:
        right = targets.classes(y) == targets.classes(a)
    return np.average(right, weights=weight)


def _top_k(y: Array, a: Array, weight: Weights, targets: TargetKind, k: int) -> Any:
    """Fraction of samples with their class among the k largest outputs.

    Of equal outputs, a later one counts as larger.
    """
    if a.shape[1] == 1:
        return _accuracy(y, a, weight, targets) if k == 1 else 1.0
    classes = targets.classes(y)[:, None]
    own = np.take_along_axis(a, classes, 1)
    above = (a > own) | ((a == own) & (np.arange(a.shape[1]) > classes))
    return np.average(above.sum(1) < k, weights=weight)


def _counts(
    y: Array, a: Array, weight: Weights, targets: TargetKind
) -> tuple[Array, Array, Array]:
    """Sums of weights by class: of samples, predictions and right predictions."""
    classes, predicted = targets.classes(y), targets.classes(a)
    weights = np.ones(len(a)) if weight is None else weight
    n_classes = max(a.shape[1], 2)
    return (
        np.bincount(classes, weights, n_classes),
        np.bincount(predicted, weights, n_classes),
        np.bincount(classes, weights * (classes == predicted), n_classes),
    )


@mean_over_labels
def _balanced_accuracy(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    samples, _, hits = _counts(y, a, weight, targets)
    occurs = samples > 0
    return np.mean(hits[occurs] / samples[occurs])


@mean_over_labels
def _f_measure(
    y: Array, a: Array, weight: Weights, targets: TargetKind, alpha: float
) -> Any:
    """hits / (alpha predictions + (1 - alpha) samples): van Rijsbergen (1979), chap. 7.

    With two classes that of class 1; with more, the mean over the classes that have
    samples or predictions.
    """
    samples, predictions, hits = _counts(y, a, weight, targets)
    total = alpha * predictions + (1 - alpha) * samples
    f = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    return f[1] if a.shape[1] <= 2 else np.mean(f[samples + predictions > 0])


def _area(positive: NDArray[np.bool_], score: Array, weight: Weights) -> Any:
    """The area under the ROC curve from rank sums, Hanley and McNeil (1982)."""
    weights = np.ones(len(score)) if weight is None else weight
    distinct, rank = np.unique(score, return_inverse=True)
    above = np.bincount(rank, weights * positive, len(distinct))
    below = np.bincount(rank, weights * ~positive, len(distinct))
    pairs = above.sum() * below.sum()
    return above @ (np.cumsum(below) - below / 2) / pairs


@mean_over_labels
def _auc(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    classes = targets.classes(y)
    if a.shape[1] <= 2:
        return _area(classes == 1, a[:, -1], weight)
    return np.mean([_area(classes == c, a[:, c], weight) for c in range(a.shape[1])])


METRICS = (
    BuiltIn("accuracy", _accuracy, True, "mean [prediction = class]"),
    BuiltIn(
        "balanced_accuracy",
        _balanced_accuracy,
        True,
        "mean over classes of hits / samples",
    ),
    BuiltIn("precision", partial(_f_measure, alpha=1), True, "hits / predictions"),
    BuiltIn("recall", partial(_f_measure, alpha=0), True, "hits / samples"),
    BuiltIn(
        "f1",
        partial(_f_measure, alpha=0.5),
        True,
        "2 hits / (predictions + samples)",
    ),
    BuiltIn("auc", _auc, True, "P(a1 > a0) + 1/2 P(a1 = a0)"),
)


def top_k(k: int) -> BuiltIn:
    """The fraction of samples whose class is among the k largest outputs.

    Examples
    --------
    >>> from bpcore.metrics.classes import top_k
    >>> top_k(3).name
    'top_3'
    """
    formula = f"mean [class in {k} predictions]"
    return BuiltIn(f"top_{k}", partial(_top_k, k=k), True, formula, _needs_classes)
