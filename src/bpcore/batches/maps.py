"""Rows in memory maps that are read in random order.

The system reads a file in pieces of 128 KiB or so, around a page that is missing.  Of
rows in random order most of each piece is wasted, and if memory is scarce the pieces
drive out one another before they are used.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE = mmap.PAGESIZE


@contextmanager
def random_reads(*arrays: NDArray[Any] | None, wide: bool = False) -> Iterator[None]:
    """Within the block, the system reads single pages of `arrays` in memory maps.

    Their rows are smaller than a page, or if `wide`, of any size: then they should be
    read ahead.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.maps import random_reads
    >>> with random_reads(np.ones(3), None):
    ...     pass
    """
    maps = {
        id(pages): pages
        for array in arrays
        if (pages := map_of(array)) is not None
        and array is not None
        and (wide or array[:1].nbytes < PAGE)
    }
    try:
        for pages in maps.values():
            _advise(pages, "MADV_RANDOM")
        yield
    finally:
        for pages in maps.values():
            _advise(pages, "MADV_NORMAL")


class MappedRows:
    """Rows of a page or more in a memory map, which the system reads ahead.

    All those that were named are read at the same time.

    Parameters
    ----------
    pages : mmap
    array : array (n, ...), C-contiguous, in `pages`
    """

    def __init__(self, pages: mmap.mmap, array: NDArray[Any]) -> None:
        start = np.frombuffer(pages, np.uint8).__array_interface__["data"][0]
        self._pages, self._size = pages, array[:1].nbytes
        self._start = array.__array_interface__["data"][0] - start

    def read_ahead(self, numbers: NDArray[np.int64]) -> None:
        """Let the system read the rows with these numbers, without waiting."""
        first = self._start + numbers * self._size
        begin = first // PAGE * PAGE
        lengths = first + self._size - begin
        for at, length in zip(begin.tolist(), lengths.tolist(), strict=True):
            _advise(self._pages, "MADV_WILLNEED", at, length)


def mapped_rows(*arrays: NDArray[Any] | None) -> list[MappedRows]:
    """Those of the arrays that lie in memory maps and have rows of a page or more.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.maps import mapped_rows
    >>> mapped_rows(np.ones((3, 4096)))
    []
    """
    return [
        MappedRows(pages, array)
        for array in arrays
        if (pages := map_of(array)) is not None
        and array is not None
        and array[:1].nbytes >= PAGE
    ]


def map_of(array: NDArray[Any] | None) -> mmap.mmap | None:
    """The memory map in which an array lies."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return base


def _advise(pages: mmap.mmap, advice: str, *where: int) -> None:
    """Give advice, where the system takes any: it need not follow."""
    if hasattr(mmap, advice):
        with contextlib.suppress(OSError, ValueError):
            pages.madvise(getattr(mmap, advice), *where)
