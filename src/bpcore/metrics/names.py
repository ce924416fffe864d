"""Metrics by name: those of the library, and functions of the caller's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from bpcore import checks
from bpcore.errstate import callers_errstate
from bpcore.metrics import classes, probabilities, regression
from bpcore.metrics.base import Array, Metric, Weights

#: Every metric by name; top_k is not among them, as there is one for every k.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (*classes.METRICS, *probabilities.METRICS, *regression.METRICS)
}

#: Names that other libraries use: name, and the name of it here.
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

#: Names of the metrics that count k answers.
TOP_K = re.compile("top_([1-9][0-9]*)")

#: Names under which a fit records what it measures itself.
RESERVED = ("loss", "validation_loss", "lr", "seconds", "epoch")

#: A name, a function of targets and outputs, or a metric.
MetricLike = str | Callable[[Array, Array], Any] | Metric


def as_metrics(metrics: MetricLike | Iterable[MetricLike] | None) -> tuple[Metric, ...]:
    """The metrics meant by names and functions.

    Where samples may have several labels (binary_cross_entropy or hinge with two or
    more outputs), all metrics of classes and of probabilities but ``accuracy`` are
    means over the labels, each taken as a single output.

    ``accuracy``
        Fraction of the samples whose answer is their class; of several labels, whose
        answer is right in all of them.
    ``balanced_accuracy``
        Mean, over the classes that occur, of the fraction answered rightly.
    ``top_1``, ``top_2``, ... ``top_k``
        Fraction of the samples whose class is among the k largest outputs.  Of equal
        outputs the last counts as the largest, as in scikit-learn, for ``accuracy`` the
        first: where outputs are equal ``top_1`` may differ from it.  With one output
        ``top_1`` is ``accuracy`` and all others are 1.  Not of several labels.
    ``precision``, ``recall``, ``f1``
        Of class 1 of two classes; of more, the mean over those that occur or are
        answered.  0 where undefined.
    ``auc``
        Area under the ROC curve, of class 1 of two; of more, the mean over all of each
        against the rest.  NaN if a class has no sample, or every one.
    ``log_loss``, ``brier``
        Of probabilities.  Logarithms are taken of outputs at least the machine epsilon
        from 0 and 1.  ``brier`` is the mean of the sum of (a - y)^2 over the classes;
        where there are two it is half of that, the mean of (p - y)^2 with p the
        probability of class 1, as the score of two classes is usually defined.
    ``r2``, ``explained_variance``
        Mean over the outputs.  Where the targets of one are constant: 1 if nothing is
        left unexplained, and else 0.  ``r2`` of a single sample is NaN.
    ``mae``, ``mse``, ``rmse``, ``mape``
        Mean over the outputs, ``rmse`` that of their roots.  ``mape`` divides by at
        least the machine epsilon of float64.
    ``max_error``
        Largest of all samples and outputs.

    Parameters
    ----------
    metrics : str, callable, Metric, sequence of them, or None
        A function is called with the targets and the outputs, without sample weights,
        and returns a number; it goes by its ``__name__``, a lambda by "metric".  The
        targets are the caller's, in their shape: integer labels (n,), else float64
        (n, n_out), or (n,) of one output.  The outputs are (n, n_out), but (n,) where
        the targets of one output are (n,).  Names of other libraries in ``ALIASES`` are
        taken for the metrics they mean.

    Returns
    -------
    tuple of Metric

    Raises
    ------
    TypeError
        If one is neither a name nor a function.
    ValueError
        If a name is unknown, comes twice, or is in ``RESERVED``.

    Notes
    -----
    Each agrees with the function of ``sklearn.metrics`` that has its name in full; of
    several labels with ``average="macro"`` and ``zero_division=0`` where there are
    such arguments.  scikit-learn has no balanced accuracy, log loss or Brier score of
    several labels: here they are the mean over the labels.

    Examples
    --------
    >>> from bpcore.metrics import as_metrics
    >>> def missed(y, a):
    ...     return ((y == 1) & (a <= 0.5)).sum()
    >>> [metric.name for metric in as_metrics(["roc_auc", "top_3", missed])]
    ['auc', 'top_3', 'missed']

    Called by hand, a metric takes each row of the targets for one class, the index of
    its largest entry.  ``target_kind`` of a loss says that a sample may have
    several labels:

    >>> import numpy as np
    >>> from bpcore import LOSSES
    >>> accuracy, = as_metrics("accuracy")
    >>> y = np.array([[1, 1, 0], [0, 0, 0]])
    >>> a = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]])
    >>> accuracy(y, a)  # class 0 of both rows, against answers 0 and 2
    0.5
    >>> accuracy(y, a, targets=LOSSES["binary_cross_entropy"].target_kind("sigmoid"))
    1.0
    """
    if metrics is None:
        return ()
    if isinstance(metrics, str) or callable(metrics):
        metrics = (metrics,)
    if not isinstance(metrics, Iterable):
        raise TypeError(f"metrics must be names or functions (y, a); got {metrics!r}")
    chosen: dict[str, Metric] = {}
    for metric in map(_as_metric, metrics):
        if metric.name in RESERVED:
            raise ValueError(
                f"metrics must not be named {', '.join(RESERVED)}, which a fit "
                f"measures itself; got {metric.name!r}"
            )
        if metric.name in chosen:
            unnamed = "; name functions by def, or set their __name__"
            raise ValueError(
                f"metrics must have different names; got {metric.name!r} twice"
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
        raise TypeError(f"metrics must be names or functions (y, a); got {metric!r}")
    if top := TOP_K.fullmatch(metric):
        return classes.top_k(int(top[1]))
    known = (*METRICS, "top_1", "top_2", "top_5", *ALIASES)
    return METRICS[checks.one_of("metrics", ALIASES.get(metric, metric), known)]


def _unweighted(
    function: Callable[[Array, Array], Any], y: Array, a: Array, weight: Weights
) -> Any:
    with callers_errstate():
        return function(y, a)
