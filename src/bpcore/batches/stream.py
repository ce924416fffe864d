"""Mini-batches from an iterable, and how many rows make."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.batches.batch import Batch, as_batch, joined
from bpcore.model.design import Design


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
            steps_per_epoch = checks.integer("steps_per_epoch", steps_per_epoch, 1)
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
        if held is not None and len(held) == 1:
            held = joined(held, batch)
            continue
        if before is not None:
            yield before
        before, held = held, batch.copy()
    if before is not None and held is not None and len(held) == 1:
        held = joined(before, held)
        before = None
    if before is not None:
        yield before
    if held is not None:
        yield held


def stream_batch(
    design: Design,
    dtype: np.dtype[Any],
    item: Any,
    number: int,
    class_weights: NDArray[np.float64] | None,
) -> Batch:
    """A mini-batch as an iterable yields it, its weights as they are given."""
    prefix = f"mini-batch {number}: "
    expected = f"{prefix}it must be (X, y) or (X, y, sample_weight)"
    if not isinstance(item, tuple | list):
        raise TypeError(f"{expected}; got {type(item).__name__}")
    if len(item) not in (2, 3):
        raise ValueError(f"{expected}; got {len(item)} entries")
    X, y, *weight = item
    given = weight[0] if weight else None
    batch = as_batch(design, dtype, X, y, given, prefix, some=False)
    return batch.times(class_weights, design, prefix, some=False)
