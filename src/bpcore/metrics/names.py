"""Metrics by name: those of the library, and the caller's functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.metrics import classes, probabilities, regression
from bpcore.metrics.base import Array, Metric, Weights
from bpcore.quoting import quoted

#: The metrics by name, except top_k, of which there is one for every k.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (*classes.METRICS, *probabilities.METRICS, *regression.METRICS)
}

#: Names in other libraries: {name there: name here}.
ALIASES: dict[str, str] = {
    "acc": "accuracy",
    "brier_score": "brier",
    "f1_score": "f1",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_error": "mse",
    "r2_score": "r2",
    "roc_auc": "auc",
    "root_mean_squared_error": "rmse",
}

#: Names of the top-k metrics.
TOP_K = re.compile("top_([1-9][0-9]{0,17})")

#: Names of the columns that a fit records by itself.
RESERVED = ("loss", "validation_loss", "lr", "seconds", "epoch")

#: A name, a function of targets and outputs, or a metric.
MetricLike = str | Callable[[Array, Array], Any] | Metric


def as_metrics(metrics: MetricLike | Iterable[MetricLike] | None) -> tuple[Metric, ...]:
    """Metrics from names and functions.

    With several labels per sample (binary_cross_entropy or hinge with two or more
    outputs), all metrics of classes and of probabilities except ``accuracy`` are means
    over the labels, each as a single output.

    ``accuracy``
        Fraction of the samples whose class is predicted; with several labels per
        sample, of those with all labels right.
    ``balanced_accuracy``
        Mean over the classes with samples of the fraction predicted right.
    ``top_1``, ``top_2``, ... ``top_k``
        Fraction of the samples whose class is among the k largest outputs.  Of equal
        outputs the last counts as the largest, as in scikit-learn, whereas for
        ``accuracy`` it is the first; then ``top_1`` may differ from it.  With one
        output ``top_1`` is ``accuracy`` and all others are 1.  Not for several labels
        per sample.
    ``precision``, ``recall``, ``f1``
        With two classes those of class 1; with more, the mean over the classes that
        have samples or predictions.  0 where undefined.
    ``auc``
        Area under the ROC curve: with two classes that of class 1; with more, the mean
        over the classes, each against the rest.  NaN if a class has no samples or all.
    ``log_loss``, ``brier``
        For probabilities.  ``log_loss`` clips outputs to at least the machine epsilon
        from 0 and 1.  ``brier`` is the mean over samples of the sum of (a - y)^2 over
        classes; with two classes half of that, the usual score (p - y)^2 with p the
        probability of class 1.
    ``r2``, ``explained_variance``
        Mean over the outputs.  If the targets of an output are constant: 1 if the
        residuals (for the latter, their variance) are 0, and else 0.  ``r2`` of a
        single sample is NaN.
    ``mae``, ``mse``, ``rmse``, ``mape``
        Mean over the outputs; ``rmse`` is the mean of their roots.  ``mape`` divides by
        at least the machine epsilon of float64.
    ``max_error``
        Maximum over samples and outputs.

    Parameters
    ----------
    metrics : str, callable, Metric, sequence of them, or None
        A function is called with the targets and the outputs, without sample weights,
        and returns a number.  Its name is ``__name__``, that of a lambda "metric".  The
        targets have the shape that the caller gave: integer labels (n,), else float64
        (n, n_out), or (n,) for one output.  The outputs are (n, n_out), but (n,) if the
        targets of one output are (n,).  Names of other libraries are translated by
        ``ALIASES``.

    Returns
    -------
    tuple of Metric

    Raises
    ------
    TypeError
        If one is neither a name nor a function.
    ValueError
        If a name is unknown, occurs twice, or is in ``RESERVED``.

    Notes
    -----
    Each agrees with the function of its full name in ``sklearn.metrics``, for several
    labels per sample with ``average="macro"`` and ``zero_division=0`` if there are
    such arguments.  scikit-learn has no balanced accuracy, log loss or Brier score for
    several labels: here they are the mean over the labels.

    Examples
    --------
    >>> from bpcore.metrics import as_metrics
    >>> def missed(y, a):
    ...     return ((y == 1) & (a <= 0.5)).sum()
    >>> [metric.name for metric in as_metrics(["roc_auc", "top_3", missed])]
    ['auc', 'top_3', 'missed']

    Called without `targets`, a metric assumes one class per sample, the index of its
    largest target.  ``target_kind`` of a loss gives other meanings, such as several
    labels per sample:

    >>> import numpy as np
    >>> from bpcore import LOSSES
    >>> accuracy, = as_metrics("accuracy")
    >>> y = np.array([[1, 1, 0], [0, 0, 0]])
    >>> a = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]])
    >>> accuracy(y, a)  # class 0 in both rows, predicted classes 0 and 2
    0.5
    >>> accuracy(y, a, targets=LOSSES["binary_cross_entropy"].target_kind("sigmoid"))
    1.0
    """
    if metrics is None:
        return ()
    if isinstance(metrics, str) or callable(metrics):
        metrics = (metrics,)
    if not np.iterable(metrics):
        raise TypeError(
            f"metrics must be names or functions (y, a); got {quoted(metrics)}"
        )
    chosen: dict[str, Metric] = {}
    for metric in map(_as_metric, metrics):
        if metric.name in RESERVED:
            raise ValueError(
                f"metrics must not be named {', '.join(RESERVED)}, which are columns "
                f"of every fit; got {quoted(metric.name)}"
            )
        if metric.name in chosen:
            unnamed = "; name functions by def, or set their __name__"
            raise ValueError(
                f"metrics must have different names; got {quoted(metric.name)} twice"
                f"{unnamed if metric.name == 'metric' else ''}"
            )
        chosen[metric.name] = metric
    return tuple(chosen.values())


def is_name(name: str) -> bool:
    """Whether there is a metric of this name.

    Examples
    --------
    >>> from bpcore.metrics import is_name
    >>> is_name("top_3"), is_name("roc_auc"), is_name("aucc")
    (True, True, False)
    """
    return name in METRICS or name in ALIASES or bool(TOP_K.fullmatch(name))


def _as_metric(metric: MetricLike) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        name = getattr(metric, "__name__", "<lambda>").replace("<lambda>", "metric")
        return Metric(name, partial(_unweighted, metric), None, f"{name}(y, a)")
    if not isinstance(metric, str):
        raise TypeError(
            f"metrics must be names or functions (y, a); got {quoted(metric)}"
        )
    if top := TOP_K.fullmatch(metric):
        return classes.top_k(int(top[1]))
    known = (*METRICS, "top_1", "top_2", "top_5", *ALIASES)
    return METRICS[checks.one_of("metrics", ALIASES.get(metric, metric), known)]


def _unweighted(
    function: Callable[[Array, Array], Any], y: Array, a: Array, weight: Weights
) -> Any:
    return function(y, a)
