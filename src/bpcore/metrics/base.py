"""Metric: a number computed from targets, outputs and sample weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.errstate import callers_errstate, own_errstate
from bpcore.losses import CLASSES, TargetKind
from bpcore.quoting import quoted

Array = NDArray[Any]
Weights = NDArray[np.float64] | None


@dataclass(frozen=True)
class Metric:
    """One metric, a callable that returns a float, NaN where it is undefined.

    Attributes
    ----------
    name : str
    function : callable
        A function of targets, outputs and sample weights (n,) or None.  The targets are
        integer labels (n,), or (n, n_out), or (n,) for one output.  The outputs are
        (n, n_out), but (n,) if the targets of one output are, so that the two can be
        compared without broadcasting to (n, n).
    higher_is_better : bool, or None
        None if unknown, as for a caller's function.
    formula : str

    Notes
    -----
    It is called as ``metric(y, a, weight=None, targets=CLASSES)``; `targets`, a
    ``bpcore.losses.TargetKind``, is the meaning of the targets.  If an output of a
    sample of weight above 0 is NaN, the result is NaN and the function is not called.

    Raises
    ------
    TypeError
        When called, if an array is masked or the function does not return a number.
    ValueError
        When called, if the metric is not defined for the targets.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.losses import TargetKind
    >>> from bpcore.metrics import METRICS
    >>> outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    >>> METRICS["accuracy"](np.array([0, 1, 1]), outputs, np.array([1.0, 2.0, 1.0]))
    0.75

    With several labels per sample, a sample is right if all its labels are:

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
        for name, array in (("y", y), ("a", a), ("weight", weight)):
            arrays.reject_masked(name, array)
        if len(y) != len(a):
            raise ValueError(
                f"metric {quoted(self.name)} must have as many targets as outputs; "
                f"got {len(y)} and {len(a)}"
            )
        if weight is not None and not weight.all():
            counts = weight > 0
            if not counts.any():
                raise ValueError("weight must not be all zero; got no weight above 0")
            y, a, weight = y[counts], a[counts], weight[counts]
        if np.isnan(a).any():
            return math.nan
        y = y.view()
        y.flags.writeable = False  # y may be the caller's array
        value = self._value(y, a, weight, targets)
        if _is_number(value):
            with suppress(OverflowError):  # of a whole number without bounds
                return float(value)
        raise TypeError(
            f"metric {quoted(self.name)} must return a number; got {quoted(value)}"
        )

    def check(self, y: Array, n_out: int, targets: TargetKind) -> None:
        """Raise ValueError if the metric is not defined for these targets."""

    def _value(self, y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
        if y.ndim == 1 and a.ndim == 2 and a.shape[1] == 1:
            a = a[:, 0]
        with callers_errstate():
            return self.function(y, a, weight)


def _is_number(value: Any) -> bool:
    """Whether a metric's value is one real number; a timedelta64 is not."""
    number = hasattr(value, "__float__") and not isinstance(value, np.timedelta64)
    return number and np.ndim(value) == 0 and np.isrealobj(value)


@dataclass(frozen=True)
class BuiltIn(Metric):
    """A metric of this library: its function also takes a `TargetKind`.

    Attributes
    ----------
    requirement : callable, or None
        ``requirement(name, y, n_out, targets)`` raises if the metric is not defined.
    """

    requirement: Callable[[str, Array, int, TargetKind], None] | None = None

    def check(self, y: Array, n_out: int, targets: TargetKind) -> None:
        """Raise ValueError if the metric is not defined for these targets."""
        if self.requirement is not None:
            self.requirement(self.name, y, n_out, targets)

    @own_errstate
    def _value(self, y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
        a = a.reshape(len(a), -1)
        n_out = a.shape[1]
        if y.shape != a.shape and y.ndim > 1:
            raise ValueError(
                f"metric {quoted(self.name)} must have targets of shape {a.shape}, or "
                f"({len(a)},); got {y.shape}"
            )
        self.check(y, n_out, targets)
        if a.dtype.kind != "f":
            a = a.astype(np.float64)
        if n_out == 1:
            y = y.reshape(-1, 1)
        elif y.ndim == 1:
            y = y.astype(np.intp, copy=False)
            if len(y) and not 0 <= y.min() <= y.max() < n_out:
                raise ValueError(
                    f"metric {self.name!r} must have labels in 0 .. {n_out - 1}; got "
                    f"{y.min()} to {y.max()}"
                )
        if weight is not None:
            # Only ratios of the weights matter; a power of two does not change them.
            weight = np.asarray(weight, np.float64)
            weight = np.ldexp(weight, np.negative(np.frexp(weight.max())[1]))
        return self.function(y, a, weight, targets)
