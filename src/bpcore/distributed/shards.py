"""Shards: consecutive parts of the training rows, of which some are here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.batches.batch import Batch

#: X, y and the weights of the rows, or None.
Rows = tuple[Any, Any, Any]


def bounds(n: int, count: int) -> list[tuple[int, int]]:
    """The first row and the end of each of `count` shards of n rows.

    Examples
    --------
    >>> from bpcore.distributed.shards import bounds
    >>> bounds(10, 4)
    [(0, 2), (2, 5), (5, 7), (7, 10)]
    """
    return [(n * k // count, n * (k + 1) // count) for k in range(count)]


class Source(Protocol):
    """Where the rows of a shard come from."""

    def rows(self, k: int, count: int) -> Rows:
        """The rows of shard k of `count`."""


class Arrays:
    """Shards of whole arrays, tables or memory maps; only the rows in use are read.

    Parameters
    ----------
    X, y, weight
        As for ``Network.fit``; all of the same length.
    mask : array of bool, optional
        The rows to train on.
    """

    def __init__(
        self, X: Any, y: Any, weight: Any, mask: NDArray[np.bool_] | None = None
    ) -> None:
        self.X, self.y = with_rows("X", X), with_rows("y", y)
        self.weight = weight
        if weight is not None:
            self.weight = with_rows("sample_weight", weight)
        self.chosen = None if mask is None else np.flatnonzero(mask)
        lengths = {"X": len(self.X), "y": len(self.y)}
        if weight is not None:
            lengths["sample_weight"] = len(self.weight)
        for name, length in lengths.items():
            if length != lengths["X"]:
                raise ValueError(
                    f"{name} must have {lengths['X']} rows, as X; got {length}"
                )

    def __len__(self) -> int:
        return len(self.X) if self.chosen is None else len(self.chosen)

    def rows(self, k: int, count: int) -> Rows:
        """The rows of shard k of `count`."""
        if len(self) < count:
            raise ValueError(
                f"shards must be at most the {len(self)} rows; got {count}"
            )
        first, end = bounds(len(self), count)[k]
        at = slice(first, end) if self.chosen is None else self.chosen[first:end]
        X, y, weight = (taken(given, at) for given in (self.X, self.y, self.weight))
        return X, y, weight


class Loaded:
    """Shards that a function loads: ``load(k)`` returns (X, y) or (X, y, weight)."""

    def __init__(self, load: Callable[[int], Any]) -> None:
        self.load = load

    def rows(self, k: int, count: int) -> Rows:
        """The rows of shard k."""
        found = self.load(k)
        expected = f"X({k}) must return (X, y) or (X, y, sample_weight) of shard {k}"
        if not isinstance(found, tuple | list):
            raise TypeError(f"{expected}; got {type(found).__name__}")
        if len(found) not in (2, 3):
            raise ValueError(f"{expected}; got {len(found)} entries")
        X, y, *weight = found
        return X, y, weight[0] if weight else None


def with_rows(name: str, given: Any) -> Any:
    """`given` if slices of it are rows, else an array of it.

    Examples
    --------
    >>> from bpcore.distributed.shards import with_rows
    >>> with_rows("X", [5, 6]), with_rows("X", {5, 6})
    Traceback (most recent call last):
        ...
    TypeError: X must hold real numbers; got set
    """
    try:
        len(given), len(given[:1])
    except Exception:
        given = arrays.as_array(name, given)
        if given.ndim == 0:
            raise ValueError(f"{name} must have rows; got a single number") from None
    return given


def taken(given: Any, at: slice | NDArray[np.int64]) -> Any:
    """Rows of an array, a table, a column or a list; None stays None.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.distributed.shards import taken
    >>> taken([5, 6, 7], slice(1, 3)), taken(None, slice(1, 3))
    ([6, 7], None)
    """
    if given is None:
        return None
    if hasattr(given, "iloc"):
        return given.iloc[at]
    if isinstance(at, slice) or hasattr(given, "shape"):
        return given[at]
    return arrays.as_array("X", given)[at]


class Shards:
    """The training data of a fit on several processes.

    Attributes
    ----------
    sizes : tuple of int
        The rows of every shard.
    own : mapping of int to Batch
        The shards of this process, by their numbers.
    """

    def __init__(self, sizes: tuple[int, ...], own: Mapping[int, Batch]) -> None:
        self.sizes, self.own = sizes, own

    def __len__(self) -> int:
        return sum(self.sizes)

    def __repr__(self) -> str:
        return f"<{len(self.own)} of {len(self.sizes)} shards, {len(self):,} rows>"
