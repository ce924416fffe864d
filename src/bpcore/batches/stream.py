"""Mini-batches from an iterable, and the number of mini-batches."""

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
    """Whether X is an iterable of mini-batches: no array or table, and y is None."""
    return y is None and isinstance(X, Iterable) and not _is_data(X)


#: Attributes of arrays, tables and columns of other libraries.
ARRAYS = (
    "__array__",
    "__array_interface__",
    "__dataframe__",
    "__arrow_c_stream__",
    "__arrow_c_array__",
    "__dlpack__",
)


def _is_data(X: object) -> bool:
    """Whether X is one array, column or table."""
    if hasattr(X, "shape"):
        return True
    try:
        memoryview(X)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return any(hasattr(type(X), name) for name in ARRAYS)
    return True


class Stream:
    """Mini-batches (X, y) or (X, y, sample_weight) from an iterable.

    An iterator is consumed once.  Any other iterable, such as a list, is iterated over
    again in every epoch.
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
        #: Whether each epoch consists of all its mini-batches, which can be repeated.
        self.is_sequence = isinstance(batches, Sequence) and steps_per_epoch is None
        self.iterator: Iterator[Any] | None = None
        #: Mini-batches taken since the iterable was begun, before this epoch.
        self.taken = 0

    def go_on_after(self, taken: int) -> None:
        """Begin the next epoch after so many mini-batches of the iterable.

        An iterator stands where it stands.
        """
        if not self.is_iterator and self.limit is not None:
            self.iterator = itertools.islice(iter(self.batches), taken, None)
            self.taken = taken

    def epoch(self) -> Iterator[Any]:
        """The mini-batches of one epoch, fewer if an iterator ends."""
        if self.iterator is None or (not self.is_iterator and self.limit is None):
            self.iterator, self.taken = iter(self.batches), 0
        if self.limit is None:
            yield from self.iterator
            return
        count, taken = 0, self.taken
        while count < self.limit:
            before = count
            for batch in itertools.islice(self.iterator, self.limit - count):
                count, taken = count + 1, taken + 1
                yield batch
            if count == self.limit or self.is_iterator or count == before:
                break
            self.iterator, taken = iter(self.batches), 0  # start again
        self.taken = taken


def batch_count(n: int, size: int, joins_last: bool) -> int:
    """Number of mini-batches of n rows; `joins_last` joins a single last row."""
    return -(-n // size) - (joins_last and n > size and n % size == 1)


def without_single_rows(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Mini-batches of at least two rows, if there are so many rows.

    A single row is joined to the next mini-batch, or if it is the last, to the previous
    one.  The mini-batches are copies, since up to two are stored while the iterable
    makes the next.
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
    """A `Batch` from an item of an iterable, with its weights unscaled."""
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
