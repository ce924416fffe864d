"""Position: how far a fit is, so that another can go on from there."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bpcore.batches.batch import Batch
from bpcore.model.state import State
from bpcore.training.history import History

#: Names of the arguments that must be the same in a fit that goes on.
SETTINGS = (
    "rows",
    "batch_size",
    "shuffle",
    "accumulate",
    "validation",
    "metrics",
    "monitor",
    "mode",
    "min_delta",
    "restore_best",
    "gradient",
    "checksum of the data",
)
#: Rows of the data from which its checksum is made.
SAMPLED_ROWS = 256


@dataclass(frozen=True)
class Within:
    """How far an epoch is.

    Attributes
    ----------
    rows, batches : int
        Rows and mini-batches that were used.
    total, divisor : float
        Sum of w E, and the divisor of its mean.
    lr : float or None
        Learning rate of the last step.
    bits : PCG64 or None
        The random numbers for the order of the rows, as they were before the epoch;
        None in an epoch that has drawn its order itself.
    """

    rows: int = 0
    batches: int = 0
    total: float = 0.0
    divisor: float = 0.0
    lr: float | None = None
    bits: np.random.PCG64 | None = None


@dataclass(frozen=True)
class Position:
    """How far a fit is.

    Attributes
    ----------
    settings : mapping
        The arguments of the fit named in `SETTINGS`.
    history : History
        The epochs that are finished.
    best, waited : float, int
        The best value of the monitored quantity, and epochs since.
    compared : int
        Recorded epochs that have been compared with the best one.
    loss_before : float
        The loss of the training data before the fit, for `restore_best`.
    taken : int
        Mini-batches taken from an iterable since it was begun, before this epoch.
    within : Within or None
        How far the epoch is; None between two epochs.
    best_epoch : int or None
        The epoch whose state is kept for `restore_best`.
    best_state, state_before : State or None
        That state, and the one before the epoch if it is not finished.
    """

    settings: Mapping[str, Any]
    history: History
    best: float
    waited: int
    compared: int
    loss_before: float
    taken: int
    within: Within | None
    best_epoch: int | None
    best_state: State | None
    state_before: State | None


class Resumed(NamedTuple):
    """A fit to go on with: how far it is, and the state of the network."""

    position: Position
    state: State


def checksum(*batches: Batch | None) -> int:
    """A checksum of rows at fixed places, to recognise other data.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.batch import Batch
    >>> from bpcore.training.position import checksum
    >>> X, y = np.zeros((3, 2)), np.zeros((3, 1))
    >>> checksum(Batch(X, y)) == checksum(Batch(X + 1, y))
    False
    """
    found = 0
    for batch in batches:
        if batch is None:
            continue
        n, count = len(batch), min(len(batch), SAMPLED_ROWS)
        rows = np.arange(count) * (n - 1) // max(count - 1, 1)
        for array in (batch.X, batch.y, batch.weight):
            if array is not None:
                sample = np.ascontiguousarray(array[rows])
                little = sample.astype(sample.dtype.newbyteorder("<"), copy=False)
                found = zlib.crc32(little.tobytes(), found)
        found = zlib.crc32(str(n).encode(), found)
    return found
