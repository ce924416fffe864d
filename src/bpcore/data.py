"""Where the mini-batches of a fit come from: arrays, or an iterable of mini-batches."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import _validation as door

if TYPE_CHECKING:
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

    def __init__(self, batches: Iterable[Any], steps_per_epoch: int | None) -> None:
        if steps_per_epoch is not None:
            steps_per_epoch = door.whole_number("steps_per_epoch", steps_per_epoch, 1)
            steps_per_epoch = min(steps_per_epoch, sys.maxsize)
        self.batches, self.limit = batches, steps_per_epoch
        self.is_iterator = isinstance(batches, Iterator)
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


def held_back(n: int, fraction: float) -> int:
    """How many of n rows this share of them is."""
    held = round(fraction * n)
    if not 1 <= held < n:
        raise ValueError(
            f"validation={fraction} must leave at least one of {n} rows on each side"
        )
    return held


def split(
    network: Network, data: Batch, fraction: float, is_class: bool
) -> tuple[Batch, Batch]:
    """The data and a random share of it held back, classes in proportion.

    The same rows again in another fit to as many, or they would be learnt after all.
    """
    X, y, weight = data
    n, held = len(X), held_back(len(X), fraction)
    order = np.arange(n)
    network._shuffle(order, np.random.PCG64(network._design.seed).random_raw(n))
    if is_class:
        order = order[np.argsort(door.classes_of(y)[order], kind="stable")]
    # Evenly spread over the order, so over the classes too.
    at = ((np.arange(held) + 0.5) * n / held).astype(np.int64)
    mask = np.zeros(n, bool)
    mask[order[at]] = True

    def rows(chosen: NDArray[np.bool_]) -> Batch:
        return X[chosen], y[chosen], None if weight is None else weight[chosen]

    return rows(~mask), rows(mask)
