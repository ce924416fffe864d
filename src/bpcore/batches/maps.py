"""Rows in memory maps: held open, and read in random order.

The system reads a file in pieces of 128 KiB or so, around a page that is missing.  Of
rows in random order most of each piece is wasted, and if memory is scarce the pieces
drive out one another before they are used.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE = mmap.PAGESIZE

#: How many blocks of this process read a map in random order, by its id.
_readers: dict[int, int] = {}
_lock = threading.RLock()


def _renew() -> None:
    """Only the thread that forked is in a child process."""
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()
    _readers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


@contextmanager
def held_open(*arrays: NDArray[Any] | None) -> Iterator[None]:
    """Within the block, the memory maps of `arrays` cannot be closed: BufferError.

    Arrays do not keep their maps from that.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.maps import held_open
    >>> with held_open(np.ones(3), None):
    ...     pass
    """
    maps = [pages for array in arrays if (pages := map_of(array)) is not None]
    held = [memoryview(pages) for pages in maps]
    try:
        yield
    finally:
        for view in held:
            view.release()


@contextmanager
def random_reads(*arrays: NDArray[Any] | None, wide: bool = False) -> Iterator[None]:
    """Within the block, the system reads single pages of `arrays` in memory maps.

    Their rows are smaller than a page; `wide`: also rows of a page or more, which the
    caller reads ahead.

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
    begun: list[mmap.mmap] = []
    try:
        for pages in maps.values():
            _begin(pages)
            begun.append(pages)
        yield
    finally:
        for pages in begun:
            _end(pages)


def _begin(pages: mmap.mmap) -> None:
    """Read the map in random order, beside others that do already."""
    with _lock:
        count = _readers[id(pages)] = _readers.get(id(pages), 0) + 1
        if count == 1:
            _advise(pages, "MADV_RANDOM")


def _end(pages: mmap.mmap) -> None:
    """Read it in order again, unless others still read it in random order."""
    with _lock:
        count = _readers.pop(id(pages), 1) - 1
        if count:
            _readers[id(pages)] = count
        else:
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
    while isinstance(base, np.ndarray | memoryview):
        base = base.obj if isinstance(base, memoryview) else _base_of(base)
    return base if isinstance(base, mmap.mmap) else None


def _base_of(array: NDArray[Any]) -> Any:
    """The base of an array, whatever a derived class has in its place."""
    return np.ndarray.base.__get__(array)


def _advise(pages: mmap.mmap, advice: str, *where: int) -> None:
    """Give advice, where the system takes any: it need not follow."""
    if hasattr(mmap, advice):
        with contextlib.suppress(OSError, ValueError):
            pages.madvise(getattr(mmap, advice), *where)
