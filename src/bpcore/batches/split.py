"""Splitting off a fraction of the rows for validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.batches.batch import Batch
from bpcore.losses import TargetKind
from bpcore.model.design import Design


def held_back(n: int, fraction: float) -> int:
    """Number of rows for validation: this fraction of n rows, rounded."""
    held = round(fraction * n)
    if not 1 <= held < n:
        raise ValueError(
            f"validation={fraction} must leave at least one of {n} rows on each side"
        )
    return held


def strata(y: NDArray[Any], targets: TargetKind) -> NDArray[Any]:
    """The stratum of each sample: its class, or the number of its set of labels."""
    if not targets.several or y.ndim == 1 or y.shape[1] == 1:
        return targets.classes(y)
    present = y > targets.threshold
    return np.unique(present, axis=0, return_inverse=True)[1].reshape(-1)


def split(
    batch: Batch,
    fraction: float,
    design: Design,
    shuffle: Callable[[NDArray[np.int64], NDArray[np.uint64]], None],
) -> tuple[Batch, Batch, NDArray[np.bool_]]:
    """Training rows, validation rows, and the mask of the validation rows.

    The split is random and stratified by class, or by the set of labels where a sample
    may have several.  It depends only on the network's seed and the data, so that
    another fit to the same data does not train on the validation rows.
    """
    n, held = len(batch), held_back(len(batch), fraction)
    order = np.arange(n)
    shuffle(order, np.random.PCG64(design.seed).random_raw(n))
    if design.loss.classes:
        groups = strata(batch.y, design.target_kind)
        order = order[np.argsort(groups[order], kind="stable")]
    # Positions at equal distances in the order, and so in every class.
    at = ((np.arange(held) + 0.5) * n / held).astype(np.int64)
    mask = np.zeros(n, bool)
    mask[order[at]] = True
    return batch.rows(~mask), batch.rows(mask), mask
