"""Where the mini-batches of a fit come from: arrays, or an iterable of mini-batches."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import _validation as door

if TYPE_CHECKING:
    from bpcore.losses import TargetKind
    from bpcore.network import Network

#: X, y and the weights of the samples, as the engine takes them.
Batch = tuple[Any, Any, Any]


def is_stream(X: object, y: object) -> bool:
    """Whether X is mini-batches rather than rows: no array or table, nothing for y."""
    return y is None and isinstance(X, Iterable) and not _is_data(X)


#: What arrays, tables and columns of other libraries have.
ARRAYS = (
    "__array__",
    "__array_interface__",
    "__dataframe__",
    "__arrow_c_stream__",
    "__arrow_c_array__",
    "__dlpack__",
)


def _is_data(X: object) -> bool:
    """Whether it is one array, column or table: no mini-batches."""
    if hasattr(X, "shape"):
        return True
    try:
        memoryview(X)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return any(hasattr(type(X), name) for name in ARRAYS)
    return True


class Stream:
    """Mini-batches (X, y) or (X, y, sample_weight) from an iterable.

    An iterator is used up once; anything else that can be iterated over, such as a
    list, is gone through again in every epoch.
    """

    def __init__(
        self,
        batches: Iterable[Any],
        steps_per_epoch: int | None,
        class_weights: NDArray[np.float64] | None = None,
    ) -> None:
        if steps_per_epoch is not None:
            steps_per_epoch = door.whole_number("steps_per_epoch", steps_per_epoch, 1)
            steps_per_epoch = min(steps_per_epoch, sys.maxsize)
        self.batches, self.limit = batches, steps_per_epoch
        self.class_weights = class_weights
        self.is_iterator = isinstance(batches, Iterator)
        #: Whether they can be gone through at any time, all in every epoch.
        self.is_sequence = isinstance(batches, Sequence) and steps_per_epoch is None
        self.going: Iterator[Any] | None = None

    def epoch(self) -> Iterator[Any]:
        """The mini-batches of one epoch; it may be shorter where an iterator ends."""
        if self.going is None or (not self.is_iterator and self.limit is None):
            self.going = iter(self.batches)
        if self.limit is None:
            yield from self.going
            return
        count = 0
        while count < self.limit:
            before = count
            for batch in itertools.islice(self.going, self.limit - count):
                count += 1
                yield batch
            if count == self.limit or self.is_iterator or count == before:
                return
            self.going = iter(self.batches)  # from its beginning again


def batch_count(n: int, size: int, joins_last: bool) -> int:
    """How many mini-batches n rows make, where a last row alone may join another."""
    return -(-n // size) - (joins_last and n > size and n % size == 1)


def without_single_rows(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Mini-batches of at least two rows, if there are so many.

    One of a single row joins the next, or, where it is the last, the one before it.
    They are copies, since up to two wait while the next is made.
    """
    before: Batch | None = None
    held: Batch | None = None
    for batch in batches:
        if held is not None and len(held[0]) == 1:
            held = _joined(held, batch)
            continue
        if before is not None:
            yield before
        before, held = held, _copy(batch)
    if before is not None and held is not None and len(held[0]) == 1:
        held = _joined(before, held)
        before = None
    if before is not None:
        yield before
    if held is not None:
        yield held


def _copy(batch: Batch) -> Batch:
    X, y, weight = batch
    return X.copy(), y.copy(), None if weight is None else weight.copy()


def _joined(*batches: Batch) -> Batch:
    """One mini-batch of the rows of all."""
    weights = [weight for _, _, weight in batches]
    if any(weight is not None for weight in weights):
        shape = next(weight.shape[1:] for weight in weights if weight is not None)
        weights = [
            np.ones((len(X), *shape)) if weight is None else weight
            for X, _, weight in batches
        ]
        weight = np.concatenate(weights)
    else:
        weight = None
    X, y = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
    return X, y, weight


def held_back(n: int, fraction: float) -> int:
    """How many of n rows this share of them is."""
    held = round(fraction * n)
    if not 1 <= held < n:
        raise ValueError(
            f"validation={fraction} must leave at least one of {n} rows on each side"
        )
    return held


def strata(y: NDArray[Any], targets: TargetKind) -> NDArray[Any]:
    """The number of each sample's class, or of its combination of labels."""
    if not targets.several or y.ndim == 1 or y.shape[1] == 1:
        return targets.classes(y)
    present = y > targets.threshold
    return np.unique(present, axis=0, return_inverse=True)[1].reshape(-1)


def split(
    network: Network, data: Batch, fraction: float
) -> tuple[Batch, Batch, NDArray[np.bool_]]:
    """The data without a random share of it, that share, and a mask of its rows.

    Classes are held back in proportion, and so are combinations of labels where a
    sample may have several.  The same rows again in another fit to as many, or they
    would be learnt after all.
    """
    X, y, weight = data
    n, held, design = len(X), held_back(len(X), fraction), network._design
    order = np.arange(n)
    network._shuffle(order, np.random.PCG64(design.seed).random_raw(n))
    if design.loss.classes:
        groups = strata(y, design.target_kind)
        order = order[np.argsort(groups[order], kind="stable")]
    # Evenly spread over the order, so over the classes too.
    at = ((np.arange(held) + 0.5) * n / held).astype(np.int64)
    mask = np.zeros(n, bool)
    mask[order[at]] = True

    def rows(chosen: NDArray[np.bool_]) -> Batch:
        return X[chosen], y[chosen], None if weight is None else weight[chosen]

    return rows(~mask), rows(mask), mask
