"""Metrics by name: how good the outputs of a network are, in plain NumPy.

A metric is one number of the targets ``y``, the outputs ``a`` and the sample weights,
computed in float64.  The definitions are those of scikit-learn.

Labels mean the same as their one-hot rows.  With several outputs the class of a sample
is the place of the largest target of its row, whatever the others are, and the answer
that of the largest output, the first of equals.  With one output, class and answer are
1 above 0.5 and else 0; above 0 instead where targets are negative, as a hinge loss has
them.  A sample of weight 0 counts as one that is not there.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import _validation as door
from bpcore._errstate import callers_errstate, own_errstate

Array = NDArray[Any]
Weights = NDArray[np.float64] | None


@dataclass(frozen=True)
class Metric:
    """One metric; called, it gives a float, NaN where it is undefined.

    Attributes
    ----------
    name : str
    function : callable
        The number, of targets, outputs (n, n_out), and sample weights (n,) or None.
    higher_is_better : bool, or None
        None if unknown, as of a function of the caller's.
    formula : str

    Raises
    ------
    TypeError
        When called, if the function does not return a number.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.metrics import METRICS
    >>> outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    >>> METRICS["accuracy"](np.array([0, 1, 1]), outputs, np.array([1.0, 2.0, 1.0]))
    0.75
    """

    name: str
    function: Callable[[Array, Array, Weights], Any]
    higher_is_better: bool | None = None
    formula: str = ""

    def __call__(self, y: Array, a: Array, weight: Weights = None) -> float:
        if weight is not None and not weight.all():
            counts = weight > 0
            y, a, weight = y[counts], a[counts], weight[counts]
        y = y.view()
        y.flags.writeable = False  # it may be the caller's
        value = _compute(self.function, y, a, weight)
        if hasattr(value, "__float__") and np.ndim(value) == 0 and np.isrealobj(value):
            return float(value)
        raise TypeError(
            f"metric {self.name!r} must return a number; got {reprlib.repr(value)}"
        )


def _compute(function: Any, y: Array, a: Array, weight: Weights) -> Any:
    """Its value; a function of the caller's computes under its own np.errstate."""
    if getattr(function, "func", function).__module__ == __name__:
        return _compute_quietly(function, y, a, weight)
    return function(y, a, weight)


@own_errstate
def _compute_quietly(function: Any, y: Array, a: Array, weight: Weights) -> Any:
    return function(y, a, weight)


# --- Classes --------------------------------------------------------------------------


def _classes(y: Array, a: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The class of each sample, and the answer of the network."""
    if a.shape[1] > 1:
        return (y if y.ndim == 1 else y.argmax(1)), a.argmax(1)
    threshold = 0.0 if y.min() < 0 else 0.5
    return (
        (y.reshape(-1) > threshold).astype(np.intp),
        (a.reshape(-1) > threshold).astype(np.intp),
    )


def _accuracy(y: Array, a: Array, weight: Weights) -> Any:
    classes, answers = _classes(y, a)
    return np.average(classes == answers, weights=weight)


def _top_k(y: Array, a: Array, weight: Weights, k: int) -> Any:
    """Fewer than k outputs come before that of the class; the last of equals first."""
    if a.shape[1] == 1:
        return _accuracy(y, a, weight) if k == 1 else 1.0
    of_class = _classes(y, a)[0][:, None]
    own = np.take_along_axis(a, of_class, 1)
    before = (a > own) | ((a == own) & (np.arange(a.shape[1]) > of_class))
    return np.average(before.sum(1) < k, weights=weight)


def _counts(y: Array, a: Array, weight: Weights) -> tuple[Array, Array, Array]:
    """Of each class, the weight of its samples, of answers with it, of right ones."""
    classes, answers = _classes(y, a)
    weights = np.ones(len(a)) if weight is None else weight
    n_classes = max(a.shape[1], 2)
    return (
        np.bincount(classes, weights, n_classes),
        np.bincount(answers, weights, n_classes),
        np.bincount(classes, weights * (classes == answers), n_classes),
    )


def _balanced_accuracy(y: Array, a: Array, weight: Weights) -> Any:
    samples, _, hits = _counts(y, a, weight)
    occurs = samples > 0
    return np.mean(hits[occurs] / samples[occurs])


def _f_measure(y: Array, a: Array, weight: Weights, alpha: float) -> Any:
    """hits / (alpha answers + (1 - alpha) samples): van Rijsbergen (1979), chapter 7.

    Of class 1 of two; the mean over the classes that occur, or are answered, of more.
    """
    samples, answers, hits = _counts(y, a, weight)
    total = alpha * answers + (1 - alpha) * samples
    f = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    return f[1] if a.shape[1] <= 2 else np.mean(f[samples + answers > 0])


def _area(positive: NDArray[np.bool_], score: Array, weight: Weights) -> Any:
    """The area under the ROC curve as a rank sum: Hanley and McNeil (1982)."""
    weights = np.ones(len(score)) if weight is None else weight
    distinct, rank = np.unique(score, return_inverse=True)
    above = np.bincount(rank, weights * positive, len(distinct))
    below = np.bincount(rank, weights * ~positive, len(distinct))
    pairs = above.sum() * below.sum()
    return above @ (np.cumsum(below) - below / 2) / pairs


def _auc(y: Array, a: Array, weight: Weights) -> Any:
    classes, _ = _classes(y, a)
    if a.shape[1] <= 2:
        return _area(classes == 1, a[:, -1], weight)
    return np.mean([_area(classes == c, a[:, c], weight) for c in range(a.shape[1])])


# --- Numbers --------------------------------------------------------------------------


def _rows(y: Array, n_out: int) -> NDArray[np.float64]:
    """The targets as an array (n, n_out), labels as one-hot rows."""
    if y.ndim == 1 and n_out > 1:
        y = y[:, None] == np.arange(n_out)
    return y.reshape(-1, n_out).astype(np.float64)


def _errors(y: Array, a: Array) -> NDArray[np.float64]:
    return a - _rows(y, a.shape[1])


def _mean(values: Array, weight: Weights) -> Any:
    """The mean over the samples, of each output."""
    return np.average(values, 0, weight)


def _probabilities(y: Array, a: Array) -> tuple[Array, Array]:
    """Targets and outputs over two classes or more; one output p as 1 - p and p."""
    targets, outputs = _rows(y, a.shape[1]), a.astype(np.float64)
    for name, rows in (("targets", targets), ("outputs", outputs)):
        if rows.min() < 0 or rows.max() > 1:
            raise ValueError(
                f"metrics log_loss and brier must have {name} in 0 .. 1; got values "
                f"from {rows.min()} to {rows.max()}"
            )
    if a.shape[1] > 1:
        return targets, outputs
    return np.hstack([1 - targets, targets]), np.hstack([1 - outputs, outputs])


def _log_loss(y: Array, a: Array, weight: Weights) -> Any:
    targets, outputs = _probabilities(y, a)
    eps = float(np.finfo(a.dtype).eps)
    return _mean(-(targets * np.log(outputs.clip(eps, 1 - eps))).sum(1), weight)


def _brier(y: Array, a: Array, weight: Weights) -> Any:
    """Brier (1950); by custom, half of his number where there are two classes."""
    targets, outputs = _probabilities(y, a)
    score = _mean(((outputs - targets) ** 2).sum(1), weight)
    return score / 2 if a.shape[1] <= 2 else score


def _variance(x: NDArray[np.float64], weight: Weights) -> Any:
    """The variance of each column, of a constant one exactly 0."""
    x = x - x[0]
    return _mean((x - _mean(x, weight)) ** 2, weight)


def _explained(left: Array, variance: Array) -> Any:
    """1 - left / variance: 1 where nothing is left, else 0 where nothing varied."""
    share = np.divide(left, variance, out=np.ones_like(left), where=variance > 0)
    return np.mean(1 - np.where(left == 0, 0, share))


def _r2(y: Array, a: Array, weight: Weights) -> Any:
    if len(a) < 2:
        return math.nan
    left = _mean(_errors(y, a) ** 2, weight)
    return _explained(left, _variance(_rows(y, a.shape[1]), weight))


def _explained_variance(y: Array, a: Array, weight: Weights) -> Any:
    left = _variance(_errors(y, a), weight)
    return _explained(left, _variance(_rows(y, a.shape[1]), weight))


def _mae(y: Array, a: Array, weight: Weights) -> Any:
    return np.mean(_mean(abs(_errors(y, a)), weight))


def _mse(y: Array, a: Array, weight: Weights) -> Any:
    return np.mean(_mean(_errors(y, a) ** 2, weight))


def _rmse(y: Array, a: Array, weight: Weights) -> Any:
    return np.mean(np.sqrt(_mean(_errors(y, a) ** 2, weight)))


def _max_error(y: Array, a: Array, weight: Weights) -> Any:
    return abs(_errors(y, a)).max()


def _mape(y: Array, a: Array, weight: Weights) -> Any:
    size = np.maximum(abs(_rows(y, a.shape[1])), np.finfo(np.float64).eps)
    return np.mean(_mean(abs(_errors(y, a)) / size, weight))


# --- By name --------------------------------------------------------------------------

#: Every metric by name, but for top_k, of which there is one for every k.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _accuracy, True, "mean [answer = class]"),
        Metric(
            "balanced_accuracy",
            _balanced_accuracy,
            True,
            "mean over classes of hits / samples",
        ),
        Metric("precision", partial(_f_measure, alpha=1), True, "hits / answers"),
        Metric("recall", partial(_f_measure, alpha=0), True, "hits / samples"),
        Metric(
            "f1",
            partial(_f_measure, alpha=0.5),
            True,
            "2 hits / (answers + samples)",
        ),
        Metric("auc", _auc, True, "P(a1 > a0) + 1/2 P(a1 = a0)"),
        Metric("log_loss", _log_loss, False, "mean -sum y log(a)"),
        Metric("brier", _brier, False, "mean sum (a - y)^2"),
        Metric("r2", _r2, True, "1 - mean (a - y)^2 / var(y)"),
        Metric(
            "explained_variance", _explained_variance, True, "1 - var(a - y) / var(y)"
        ),
        Metric("mae", _mae, False, "mean |a - y|"),
        Metric("mse", _mse, False, "mean (a - y)^2"),
        Metric("rmse", _rmse, False, "sqrt(mean (a - y)^2)"),
        Metric("max_error", _max_error, False, "max |a - y|"),
        Metric("mape", _mape, False, "mean |a - y| / |y|"),
    )
}

#: What other libraries call them.
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

    ``accuracy``
        Share of the samples whose answer is their class.
    ``balanced_accuracy``
        Mean over the classes that occur of the share answered rightly.
    ``top_1``, ``top_2``, ... ``top_k``
        Share of the samples with fewer than k outputs before that of their class; of
        equal outputs the last comes first, so that ties may tell ``top_1`` from
        ``accuracy``.  With one output ``top_1`` is ``accuracy`` and all others are 1.
    ``precision``, ``recall``, ``f1``
        Of class 1 of two classes; of more, the mean over those that occur or are
        answered.  0 where undefined.
    ``auc``
        Area under the ROC curve, of class 1 of two; of more, the mean over all of each
        against the rest.  NaN if a class has no sample, or every one.
    ``log_loss``, ``brier``
        Of probabilities.  Logarithms are taken of outputs at least the machine epsilon
        from 0 and 1; ``brier`` is halved where there are two classes.
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
        A function is called with the targets, as the network takes them, and the
        outputs (n, n_out), without sample weights, and returns a number; it goes by its
        ``__name__``, a lambda by "metric".  Names of other libraries in ``ALIASES`` are
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
    Each agrees with the function of ``sklearn.metrics`` that has its name in full.

    Examples
    --------
    >>> from bpcore.metrics import as_metrics
    >>> [metric.name for metric in as_metrics(["roc_auc", "top_3", max])]
    ['auc', 'top_3', 'max']
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
    """Whether there is a metric of this name."""
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
        k = int(top[1])
        formula = f"mean [answer = class, in {k} answers]"
        return Metric(metric, partial(_top_k, k=k), True, formula)
    known = (*METRICS, "top_1", "top_2", "top_5", *ALIASES)
    return METRICS[door.one_of("metrics", ALIASES.get(metric, metric), known)]


def _unweighted(
    function: Callable[[Array, Array], Any], y: Array, a: Array, weight: Weights
) -> Any:
    with callers_errstate():
        return function(y, a)
