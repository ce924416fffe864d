"""TargetKind: the meaning of a loss's targets, classes or labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class TargetKind:
    """The meaning of a sample's targets, for class metrics, class weights and splits.

    Attributes
    ----------
    several : bool
        Whether each of several outputs is a label that a sample has or does not have
        (multilabel).  Else a sample has one class: the index of its largest target.
    threshold : float
        A label is present, or the class of one output is 1, where a target or an output
        is above this.
    soft : bool
        Whether a target between 0 and 1 is the probability of a class, or of a
        label.
    """

    several: bool = False
    threshold: float = 0.5
    soft: bool = False

    def classes(self, rows: Array) -> NDArray[np.int64]:
        """The class of each sample, from targets or outputs (n, n_L) or labels (n,).

        Labels are returned unchanged.  With one output the class is 1 above the
        threshold and else 0; with several it is the index of the largest, the first if
        several are equal.
        """
        if rows.ndim == 1:
            return rows
        if rows.shape[1] > 1:
            return rows.argmax(axis=1)
        return (rows[:, 0] > self.threshold).astype(np.int64)


#: One class per sample: class labels, or a number for each class.
CLASSES = TargetKind()
