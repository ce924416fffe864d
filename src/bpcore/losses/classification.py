"""Losses of classes and labels: cross-entropies, divergence, hinge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.fields import BELOW_1
from bpcore.losses.base import Loss, quotient
from bpcore.losses.target_kind import TargetKind

Array = NDArray[Any]


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """-sum(y' log(a)) for softmax outputs a and smoothed targets y'.

    ::

        y' = (1 - label_smoothing) y + label_smoothing / n_L

    Parameters
    ----------
    label_smoothing : float
        At least 0 and below 1: the fraction of the target that is spread over all n_L
        classes (Szegedy et al. 2016), as in ``torch.nn.CrossEntropyLoss``.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([4, 8, 3], loss=bp.CrossEntropy(label_smoothing=0.1))
    """

    name = "cross_entropy"
    output = "softmax"
    outputs = ("softmax",)
    labels = True
    classes = True
    least, most = 0.0, 1.0

    formula = "-sum(y * log(a))"
    by_a = "-y / a"
    by_z = "a * sum(y) - y"
    symbols: ClassVar[dict[str, str]] = {"label_smoothing": "label_smoothing"}

    label_smoothing: float = field(default=0.0, metadata=BELOW_1)

    def target_kind(self, output: str) -> TargetKind:
        return TargetKind(soft=True)

    def value(self, output: str) -> str:
        return self._smoothed(self.formula)

    def derivatives(self, output: str) -> tuple[str, str]:
        return self._smoothed(self.by_a), self._smoothed(self.by_z)

    @property
    def definitions(self) -> dict[str, str]:
        smoothed = "(1 - label_smoothing) * y + label_smoothing / n_L"
        return {"y'": smoothed} if self.label_smoothing else {}

    @property
    def constants(self) -> dict[str, float]:
        return super().constants if self.label_smoothing else {}

    def _smoothed(self, formula: str) -> str:
        """The formula with the smoothed targets y' in place of y."""
        return formula.replace("y", "y'") if self.label_smoothing else formula

    @own_errstate
    def by_outputs(self, a: Array, y: Array) -> Array:
        if y.ndim == 1:
            y = np.eye(a.shape[1], dtype=a.dtype)[y]
        smoothing = self.label_smoothing
        return -quotient((1 - smoothing) * y + smoothing / a.shape[1], a)

    @property
    def setting(self) -> float:
        return self.label_smoothing


class BinaryCrossEntropy(Loss):
    """-sum (y log(a) + (1 - y) log(1 - a)) for sigmoid outputs a."""

    name = "binary_cross_entropy"
    output = "sigmoid"
    outputs = ("sigmoid",)
    classes = True
    least, most = 0.0, 1.0
    formula = "-sum(y * log(a) + (1 - y) * log(1 - a))"
    by_a = "(1 - y) / (1 - a) - y / a"
    by_z = "a - y"

    def target_kind(self, output: str) -> TargetKind:
        return TargetKind(several=True, soft=True)

    @own_errstate
    def by_outputs(self, a: Array, y: Array) -> Array:
        return quotient(1 - y, 1 - a) - quotient(y, a)


class KLDivergence(Loss):
    """Sum of y (log(y) - log(a)) for softmax outputs a, as ``torch.nn.KLDivLoss``.

    The term of y = 0 is 0.
    """

    name = "kl_divergence"
    output = "softmax"
    outputs = ("softmax",)
    least, most = 0.0, 1.0
    formula = "sum(y * (log(y) - log(a)))"
    by_a = "-y / a"
    by_z = "a * sum(y) - y"


class Hinge(Loss):
    """Mean of max(0, 1 - y a) for targets y of -1 and 1."""

    name = "hinge"
    classes = True
    least, most = -1.0, 1.0
    signs = True
    formula = "mean(max(0, 1 - y * a))"
    by_a = "where(y * a < 1, -y, 0) / n_L"

    def target_kind(self, output: str) -> TargetKind:
        return TargetKind(several=True, threshold=0.0)
