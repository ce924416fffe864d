"""TargetKind: what the targets of a loss mean, classes or labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class TargetKind:
    """What the targets of a sample mean, for class metrics, class weights and splits.

    Attributes
    ----------
    several : bool
        Whether each of several outputs is a label of its own, which a sample has or has
        not.  Else a sample has one class: the index of its largest target.
    threshold : float
        A label, or class 1 of one output, is present where a target or an output is
        above this.
    soft : bool
        Whether a target between 0 and 1 is the probability of a class, or of a
        label.
    """

    several: bool = False
    threshold: float = 0.5
    soft: bool = False

    def classes(self, rows: Array) -> NDArray[np.int64]:
        """The class of each sample, of targets or outputs (n, n_L), or of labels (n,).

        Labels as they are; of one output 1 above the threshold and else 0; of several
        the index of the largest, the first of equals.
        """
        if rows.ndim == 1:
            return rows
        if rows.shape[1] > 1:
            return rows.argmax(axis=1)
        return (rows[:, 0] > self.threshold).astype(np.int64)


#: One class per sample: class labels, or a number for each class.
CLASSES = TargetKind()
