"""Shards: consecutive parts of the training rows, of which some are here."""

from __future__ import annotations

from collections.abc import Mapping

from bpcore.batches.batch import Batch


def bounds(n: int, count: int) -> list[tuple[int, int]]:
    """The first row and the end of each of `count` shards of n rows.

    Examples
    --------
    >>> from bpcore.distributed.shards import bounds
    >>> bounds(10, 4)
    [(0, 2), (2, 5), (5, 7), (7, 10)]
    """
    return [(n * k // count, n * (k + 1) // count) for k in range(count)]


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
