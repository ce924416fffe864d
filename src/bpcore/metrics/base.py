"""Metrics by name: how good the outputs of a network are, in plain NumPy.

A metric is one number of the targets ``y``, the outputs ``a`` and the sample weights,
computed in float64.  The definitions are those of scikit-learn.

What the targets mean is a fourth argument, a ``TargetKind``, which a network takes from
its loss, never from the data:

* *One class per sample* (cross_entropy and most others).  Integer labels mean the same
  as their one-hot rows.  With two or more outputs the class of a sample is the place of
  the largest target of its row, so that shares of classes count for the largest one,
  and the answer is the place of the largest output, the first of equals.  With one
  output, class and answer are 1 above the threshold and else 0.
* *Several labels per sample* (binary_cross_entropy and hinge with two or more outputs).
  Each output is a label that a sample has or has not: present in the targets, and in
  the answer, above the threshold.

The threshold is 0.5, and 0 for hinge and for outputs about 0 such as tanh.  A sample of
weight 0 counts as one that is not there.  A metric of outputs that hold a NaN is NaN.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.errstate import callers_errstate, own_errstate
from bpcore.losses import CLASSES, TargetKind

Array = NDArray[Any]
Weights = NDArray[np.float64] | None
#: Numbers m and exponents e that mean m 2^e, or m 2^(2 e) of squares.
Scaled = tuple[NDArray[np.float64], NDArray[np.intc]]


@dataclass(frozen=True)
class Metric:
    """One metric; called, it gives a float, NaN where it is undefined.

    Attributes
    ----------
    name : str
    function : callable
        The number, of targets, outputs and sample weights (n,) or None.  The targets
        are integer labels (n,), or (n, n_out), or (n,) of one output; the outputs are
        (n, n_out), but (n,) where the targets of one output are, so that the two can be
        compared without broadcasting to (n, n).
    higher_is_better : bool, or None
        None if unknown, as of a function of the caller's.
    formula : str

    Notes
    -----
    It is called as ``metric(y, a, weight=None, targets=CLASSES)``; `targets`, a
    ``bpcore.losses.TargetKind``, says what the targets mean.  Where an output of a
    sample that counts is NaN the answer is NaN, and the function is not called.

    Raises
    ------
    TypeError
        When called, if the function does not return a number.
    ValueError
        When called, if the targets are none that the metric is defined of.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.losses import TargetKind
    >>> from bpcore.metrics import METRICS
    >>> outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    >>> METRICS["accuracy"](np.array([0, 1, 1]), outputs, np.array([1.0, 2.0, 1.0]))
    0.75

    Samples that may have several labels are right where all of them are:

    >>> y, outputs = np.array([[1, 1], [0, 0]]), np.array([[0.9, 0.8], [0.1, 0.7]])
    >>> METRICS["accuracy"](y, outputs, None, TargetKind(several=True))
    0.5
    """

    name: str
    function: Callable[..., Any]
    higher_is_better: bool | None = None
    formula: str = ""

    def __call__(
        self,
        y: Array,
        a: Array,
        weight: Weights = None,
        targets: TargetKind = CLASSES,
    ) -> float:
        if len(y) != len(a):
            raise ValueError(
                f"metric {self.name!r} must have as many targets as outputs; "
                f"got {len(y)} and {len(a)}"
            )
        if weight is not None and not weight.all():
            counts = weight > 0
            y, a, weight = y[counts], a[counts], weight[counts]
        if np.isnan(a).any():
            return math.nan
        y = y.view()
        y.flags.writeable = False  # it may be the caller's
        value = self._value(y, a, weight, targets)
        if _is_number(value):
            return float(value)
        raise TypeError(
            f"metric {self.name!r} must return a number; got {reprlib.repr(value)}"
        )

    def check(self, y: Array, n_out: int, targets: TargetKind) -> None:
        """Raise ValueError if it is not defined of these targets."""

    def _value(self, y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
        if y.ndim == 1 and a.ndim == 2 and a.shape[1] == 1:
            a = a[:, 0]
        return self.function(y, a, weight)


def _is_number(value: Any) -> bool:
    """Whether a metric's value is one real number; a span of time is none."""
    number = hasattr(value, "__float__") and not isinstance(value, np.timedelta64)
    return number and np.ndim(value) == 0 and np.isrealobj(value)


@dataclass(frozen=True)
class BuiltIn(Metric):
    """A metric of this library: its function also takes what the targets mean.

    Attributes
    ----------
    requirement : callable, or None
        ``requirement(name, y, n_out, targets)`` raises where it is not defined.
    """

    requirement: Callable[[str, Array, int, TargetKind], None] | None = None

    def check(self, y: Array, n_out: int, targets: TargetKind) -> None:
        """Raise ValueError if it is not defined of these targets."""
        if self.requirement is not None:
            self.requirement(self.name, y, n_out, targets)

    @own_errstate
    def _value(self, y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
        a = a.reshape(len(a), -1)
        n_out = a.shape[1]
        if y.shape != a.shape and y.ndim > 1:
            raise ValueError(
                f"metric {self.name!r} must have targets of shape {a.shape}, or "
                f"({len(a)},); got {y.shape}"
            )
        self.check(y, n_out, targets)
        if a.dtype.kind != "f":
            a = a.astype(np.float64)
        if n_out == 1:
            y = y.reshape(-1, 1)
        elif y.ndim == 1:
            y = y.astype(np.intp, copy=False)
        if weight is not None:
            # Only ratios count; a power of two changes no digit of them.
            weight = np.asarray(weight, np.float64)
            weight = np.ldexp(weight, -np.frexp(weight.max())[1])
        return self.function(y, a, weight, targets)


# --- Classes --------------------------------------------------------------------------


def _has_labels(y: Array, n_out: int, targets: TargetKind) -> bool:
    """Whether a sample may have several labels, each an output; else it has a class."""
    return targets.several and y.ndim == 2 and n_out > 1


def _needs_classes(name: str, y: Array, n_out: int, targets: TargetKind) -> None:
    """Raise for several labels per sample."""
    if _has_labels(y, n_out, targets):
        raise ValueError(
            f"metric {name!r} must have one class for each sample; with this loss a "
            f"sample may have several of the {n_out} labels"
        )


def _mean_over_labels(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; where samples have several labels, its mean over them.

    Each label is then an output of its own, and its presence the class.
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
        present, answered = y > targets.threshold, a > targets.threshold
        right = (present == answered).all(1)
    else:
        right = targets.classes(y) == targets.classes(a)
    return np.average(right, weights=weight)


def _top_k(y: Array, a: Array, weight: Weights, targets: TargetKind, k: int) -> Any:
    """Fewer than k outputs come before that of the class; the last of equals first."""
    if a.shape[1] == 1:
        return _accuracy(y, a, weight, targets) if k == 1 else 1.0
    of_class = targets.classes(y)[:, None]
    own = np.take_along_axis(a, of_class, 1)
    before = (a > own) | ((a == own) & (np.arange(a.shape[1]) > of_class))
    return np.average(before.sum(1) < k, weights=weight)


def _counts(
    y: Array, a: Array, weight: Weights, targets: TargetKind
) -> tuple[Array, Array, Array]:
    """Of each class, the weight of its samples, of answers with it, of right ones."""
    classes, answers = targets.classes(y), targets.classes(a)
    weights = np.ones(len(a)) if weight is None else weight
    n_classes = max(a.shape[1], 2)
    return (
        np.bincount(classes, weights, n_classes),
        np.bincount(answers, weights, n_classes),
        np.bincount(classes, weights * (classes == answers), n_classes),
    )


@_mean_over_labels
def _balanced_accuracy(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    samples, _, hits = _counts(y, a, weight, targets)
    occurs = samples > 0
    return np.mean(hits[occurs] / samples[occurs])


@_mean_over_labels
def _f_measure(
    y: Array, a: Array, weight: Weights, targets: TargetKind, alpha: float
) -> Any:
    """hits / (alpha answers + (1 - alpha) samples): van Rijsbergen (1979), chapter 7.

    Of class 1 of two; the mean over the classes that occur, or are answered, of more.
    """
    samples, answers, hits = _counts(y, a, weight, targets)
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


@_mean_over_labels
def _auc(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    classes = targets.classes(y)
    if a.shape[1] <= 2:
        return _area(classes == 1, a[:, -1], weight)
    return np.mean([_area(classes == c, a[:, c], weight) for c in range(a.shape[1])])


# --- Probabilities --------------------------------------------------------------------


def _needs_shares(name: str, y: Array, n_out: int, targets: TargetKind) -> None:
    """Raise for targets below 0 or above 1 by more than float32 rounds off."""
    if y.ndim == 1 and n_out > 1:
        return
    low, high = y.min(), y.max()
    if low < 0 or high > 1 + float(np.finfo(np.float32).eps):
        raise ValueError(
            f"metric {name!r} must have targets in 0 .. 1; got values from {low} to "
            f"{high}"
        )


def _probabilities(y: Array, a: Array) -> tuple[Array, Array]:
    """Targets and outputs over two classes or more; one output p as 1 - p and p."""
    shares, outputs = _rows(y, a.shape[1]), a.astype(np.float64)
    if outputs.min() < 0 or outputs.max() > 1:
        raise ValueError(
            "metrics log_loss and brier must have outputs in 0 .. 1; got values from "
            f"{outputs.min()} to {outputs.max()}"
        )
    if a.shape[1] > 1:
        return shares, outputs
    return np.hstack([1 - shares, shares]), np.hstack([1 - outputs, outputs])


@_mean_over_labels
def _log_loss(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    shares, outputs = _probabilities(y, a)
    eps = float(np.finfo(a.dtype).eps)
    return _mean(-(shares * np.log(outputs.clip(eps, 1 - eps))).sum(1), weight)


@_mean_over_labels
def _brier(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    """Brier (1950); by custom, half of his number where there are two classes."""
    shares, outputs = _probabilities(y, a)
    score = _mean(((outputs - shares) ** 2).sum(1), weight)
    return score / 2 if a.shape[1] <= 2 else score


# --- Numbers --------------------------------------------------------------------------
#
# Columns are scaled by powers of two, which change no digit, so that squares and sums
# neither overflow nor vanish where the result is representable.


def _scaled(x: NDArray[np.float64]) -> Scaled:
    """x 2^-e and e, of each output, the largest entry then within 1/2 .. 1."""
    exponent = np.frexp(abs(x).max(0))[1]
    return np.ldexp(x, -exponent), exponent


def _mean(values: NDArray[np.float64], weight: Weights = None) -> Any:
    """The mean over the samples, of each output."""
    scaled, exponent = _scaled(values)
    return np.ldexp(np.average(scaled, 0, weight), exponent)


def _rows(y: Array, n_out: int) -> NDArray[np.float64]:
    """The targets as an array (n, n_out), labels as one-hot rows."""
    if y.ndim == 1:
        y = y[:, None] == np.arange(n_out)
    return y.astype(np.float64, copy=False)


def _errors(y: Array, a: Array) -> Scaled:
    """a - y of each output, scaled."""
    outputs, rows = a.astype(np.float64, copy=False), _rows(y, a.shape[1])
    halves = int(max(abs(outputs).max(), abs(rows).max()) > 2.0**1022)
    if halves:  # a - y may overflow
        outputs, rows = outputs / 2, rows / 2
    errors, exponent = _scaled(outputs - rows)
    return errors, exponent + np.intc(halves)


def _mean_square(x: Scaled, weight: Weights) -> Scaled:
    """The mean of x^2 over the samples, of each output."""
    scaled, exponent = _scaled(x[0])
    return np.average(scaled**2, 0, weight), x[1] + exponent


def _variance(x: Scaled, weight: Weights) -> Scaled:
    """The variance of each output, of a constant one exactly 0."""
    shifted = x[0] - x[0][0]
    return _mean_square((shifted - _mean(shifted, weight), x[1]), weight)


def _explained(left: Scaled, variance: Scaled) -> Any:
    """1 - left / variance: 1 where nothing is left, else 0 where nothing varied."""
    share = np.divide(
        left[0], variance[0], out=np.ones_like(left[0]), where=variance[0] > 0
    )
    exponent = np.where(variance[0] > 0, 2 * (left[1] - variance[1]), 0)
    return _mean(1 - np.where(left[0] == 0, 0, np.ldexp(share, exponent)))


def _target_variance(y: Array, n_out: int, weight: Weights) -> Scaled:
    return _variance(_scaled(_rows(y, n_out)), weight)


def _r2(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    if len(a) < 2:
        return math.nan
    left = _mean_square(_errors(y, a), weight)
    return _explained(left, _target_variance(y, a.shape[1], weight))


def _explained_variance(
    y: Array, a: Array, weight: Weights, targets: TargetKind
) -> Any:
    left = _variance(_errors(y, a), weight)
    return _explained(left, _target_variance(y, a.shape[1], weight))


def _mae(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    errors, exponent = _errors(y, a)
    return _mean(np.ldexp(np.average(abs(errors), 0, weight), exponent))


def _mse(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    square, exponent = _mean_square(_errors(y, a), weight)
    return _mean(np.ldexp(square, 2 * exponent))


def _rmse(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    square, exponent = _mean_square(_errors(y, a), weight)
    return _mean(np.ldexp(np.sqrt(square), exponent))


def _max_error(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    errors, exponent = _errors(y, a)
    return np.ldexp(abs(errors).max(0), exponent).max()


def _mape(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    errors, exponent = _errors(y, a)
    size = np.maximum(abs(_rows(y, a.shape[1])), np.finfo(np.float64).eps)
    mantissa, of_size = np.frexp(size)
    return _mean(_mean(np.ldexp(abs(errors) / mantissa, exponent - of_size), weight))


# --- By name --------------------------------------------------------------------------

#: Every metric by name, but for top_k, of which there is one for every k.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        BuiltIn("accuracy", _accuracy, True, "mean [answer = class]"),
        BuiltIn(
            "balanced_accuracy",
            _balanced_accuracy,
            True,
            "mean over classes of hits / samples",
        ),
        BuiltIn("precision", partial(_f_measure, alpha=1), True, "hits / answers"),
        BuiltIn("recall", partial(_f_measure, alpha=0), True, "hits / samples"),
        BuiltIn(
            "f1",
            partial(_f_measure, alpha=0.5),
            True,
            "2 hits / (answers + samples)",
        ),
        BuiltIn("auc", _auc, True, "P(a1 > a0) + 1/2 P(a1 = a0)"),
        BuiltIn("log_loss", _log_loss, False, "mean -sum y log(a)", _needs_shares),
        BuiltIn("brier", _brier, False, "mean sum (a - y)^2", _needs_shares),
        BuiltIn("r2", _r2, True, "1 - mean (a - y)^2 / var(y)"),
        BuiltIn(
            "explained_variance", _explained_variance, True, "1 - var(a - y) / var(y)"
        ),
        BuiltIn("mae", _mae, False, "mean |a - y|"),
        BuiltIn("mse", _mse, False, "mean (a - y)^2"),
        BuiltIn("rmse", _rmse, False, "sqrt(mean (a - y)^2)"),
        BuiltIn("max_error", _max_error, False, "max |a - y|"),
        BuiltIn("mape", _mape, False, "mean |a - y| / |y|"),
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

    Where samples may have several labels (binary_cross_entropy or hinge with two or
    more outputs), all metrics of classes and of probabilities but ``accuracy`` are
    means over the labels, each taken as a single output.

    ``accuracy``
        Share of the samples whose answer is their class; of several labels, whose
        answer is right in all of them.
    ``balanced_accuracy``
        Mean over the classes that occur of the share answered rightly.
    ``top_1``, ``top_2``, ... ``top_k``
        Share of the samples whose class is among the k largest outputs.  Of equal
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

    Called by hand, a metric takes each row of the targets for one class, the place of
    its largest entry.  ``target_kind`` of a loss tells it that a sample may have
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
        k = int(top[1])
        formula = f"mean [answer = class, in {k} answers]"
        return BuiltIn(metric, partial(_top_k, k=k), True, formula, _needs_classes)
    known = (*METRICS, "top_1", "top_2", "top_5", *ALIASES)
    return METRICS[checks.one_of("metrics", ALIASES.get(metric, metric), known)]


def _unweighted(
    function: Callable[[Array, Array], Any], y: Array, a: Array, weight: Weights
) -> Any:
    with callers_errstate():
        return function(y, a)
