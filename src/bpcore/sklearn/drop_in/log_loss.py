"""The log losses of scikit-learn: cross-entropies of clipped probabilities.

Scikit-learn keeps every probability between eps and 1 - eps of its dtype, so that a
loss is at most -log(eps): 36 in float64, 16 in float32.  The gradient is that of the
probabilities as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore.losses import BinaryCrossEntropy, CrossEntropy


@dataclass(frozen=True)
class LogLoss(CrossEntropy):
    """-log(clip(a, eps, 1 - eps)) of the class of a sample, for softmax outputs a.

    `most_loss` is -log(eps).
    """

    name = "log_loss"
    most_loss: float = math.inf

    @property
    def setting(self) -> float:
        return self.most_loss


@dataclass(frozen=True)
class BinaryLogLoss(BinaryCrossEntropy):
    """Sum of -log(clip(a, eps, 1 - eps)) over sigmoid outputs a, 1 - a where y is 0."""

    name = "binary_log_loss"
    most_loss: float = math.inf

    @property
    def setting(self) -> float:
        return self.most_loss


def most_loss(dtype: np.dtype[Any]) -> float:
    """-log(eps) of this dtype."""
    return -math.log(np.finfo(dtype).eps)
