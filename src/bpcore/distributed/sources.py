"""Sources of shards: whole arrays, a function that loads shards, or an iterable."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays, checks
from bpcore.batches.batch import Batch
from bpcore.batches.split import split
from bpcore.batches.stream import is_stream
from bpcore.distributed.shards import bounds
from bpcore.losses import as_targets
from bpcore.training.learner import Learner

#: X, y and the weights of the rows, or None.
Rows = tuple[Any, Any, Any]

FLOAT32 = np.dtype(np.float32)


class Source(Protocol):
    """Where the rows of a process's shards come from."""

    #: What must be the same in all processes.
    common: str

    def rows(self, k: int, count: int) -> Rows:
        """The rows of shard k of `count`; called once for each, in order."""


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
        self.weight = None if weight is None else with_rows("sample_weight", weight)
        self.chosen = None if mask is None else np.flatnonzero(mask)
        named = {"X": self.X, "y": self.y, "sample_weight": self.weight}
        lengths = {name: len(it) for name, it in named.items() if it is not None}
        for name, length in lengths.items():
            if length != lengths["X"]:
                raise ValueError(
                    f"{name} must have {lengths['X']} rows, as X; got {length}"
                )
        self.common = _summary(self.X, lengths["X"])

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

    common = ""

    def __init__(self, load: Callable[[int], Any]) -> None:
        self.load = load

    def rows(self, k: int, count: int) -> Rows:
        """The rows of shard k."""
        return _three(f"X({k}) must return", k, self.load(k))


class Yielded:
    """The shards of this process, as an iterable yields them, in order.

    Parameters
    ----------
    shards : iterable of (X, y) or (X, y, weight)
    own : range
        Their numbers.
    """

    common = ""

    def __init__(self, shards: Iterable[Any], own: range) -> None:
        self.iterator, self.own = iter(shards), own

    def rows(self, k: int, count: int) -> Rows:
        """The rows of shard k, the next one."""
        expected = f"X must yield the {len(self.own)} shards of this process"
        rows = None
        for item in self.iterator:
            rows = _three("X must yield", k, item)
            break
        if rows is None:
            raise ValueError(f"{expected}; got {k - self.own.start}")
        if k == self.own[-1]:
            for _ in self.iterator:
                raise ValueError(f"{expected}; got more")
        return rows


def _three(expected: str, k: int, found: Any) -> Rows:
    """X, y and the weights or None of shard k, from what a caller gave."""
    expected += f" (X, y) or (X, y, sample_weight) of shard {k}"
    if not isinstance(found, tuple | list):
        raise TypeError(f"{expected}; got {type(found).__name__}")
    if len(found) not in (2, 3):
        raise ValueError(f"{expected}; got {len(found)} entries")
    X, y, *weight = found
    return X, y, weight[0] if weight else None


def _summary(X: Any, n: int) -> str:
    """The number of rows, and a checksum of the first and the last, in any dtype."""
    ends = [taken(X, slice(at, at + 1)) for at in (0, max(n - 1, 0))]
    rows = [arrays.cast(arrays.as_array("X", end), FLOAT32) for end in ends]
    total = zlib.crc32(b"".join(row.tobytes() for row in rows))
    return f"{n} rows (checksum {total:08x})"


def with_rows(name: str, given: Any) -> Any:
    """`given` if slices of it are rows, else an array of it.

    Examples
    --------
    >>> from bpcore.distributed.sources import with_rows
    >>> with_rows("X", [5, 6])
    [5, 6]
    >>> with_rows("y", {5, 6})
    Traceback (most recent call last):
        ...
    TypeError: y must be an array of rows; got set
    """
    try:
        len(given), len(given[:1])
    except Exception:
        if is_stream(given, None):
            pairs = "; without y it may yield (X, y) of each shard" * (name == "X")
            got = type(given).__name__
            raise TypeError(
                f"{name} must be an array of rows; got {got}{pairs}"
            ) from None
        given = arrays.as_array(name, given)
        if given.ndim == 0:
            raise ValueError(f"{name} must have rows; got a single number") from None
    return given


def taken(given: Any, at: slice | NDArray[np.int64]) -> Any:
    """Rows of an array, a table, a column or a list; None stays None.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.distributed.sources import taken
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


def source_of(
    learner: Learner, X: Any, y: Any, given: Mapping[str, Any], own: range
) -> tuple[Source, Any, Any]:
    """Where the rows are, the validation data, and the targets of all training rows."""
    weight, validation = given["sample_weight"], given["validation"]
    by_fraction = validation is not None and not isinstance(validation, tuple | list)
    if y is None and (callable(X) or is_stream(X, y)):
        if weight is not None or by_fraction:
            name = "sample_weight" if weight is not None else "validation as a fraction"
            raise ValueError(
                f"{name} needs arrays; X is a function or an iterable of shards"
            )
        return Loaded(X) if callable(X) else Yielded(X, own), validation, None
    if y is None:
        raise TypeError(
            "y must be given, unless X is a function that loads shards or an iterable "
            "of them; got None"
        )
    design = learner.design
    source = Arrays(X, y, weight)
    X, y, weight, n = source.X, source.y, source.weight, len(source)
    needs_targets = by_fraction or isinstance(given["class_weight"], str)
    targets = None
    if needs_targets:
        targets = as_targets("y", y, n, design.sizes[-1], design.loss, learner.dtype)
    if not by_fraction:
        return source, validation, targets
    fraction = checks.number("validation", validation, above=0.0, below=1.0)
    assert targets is not None
    rows = Batch(np.empty((n, 0), learner.dtype), targets)
    rest, _, mask = split(rows, fraction, design, learner.engine.shuffle)
    held = np.flatnonzero(mask)
    data = [taken(given_, held) for given_ in (X, y, weight) if given_ is not None]
    return Arrays(X, y, weight, ~mask), tuple(data), rest.y
