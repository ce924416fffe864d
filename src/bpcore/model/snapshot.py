"""Snapshot: a copy of arrays, in memory or in a temporary file if they are large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import forks

#: Copies of more bytes than this lie in a temporary file.
IN_MEMORY = 1 << 20
#: Bytes that are read at a time to see whether a file can be read.
PIECE = 1 << 20


class Snapshot:
    """A copy of some arrays, which may be taken again and again.

    In memory it would double what a large network takes, so above 1 MiB it lies in a
    temporary file, or in memory if no file can be written.  After a fork a process and
    its child share the file, so that neither writes to it again.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.model.snapshot import Snapshot
    >>> a = np.zeros(2)
    >>> with Snapshot() as snapshot:
    ...     snapshot.take([a])
    ...     a += 1
    ...     snapshot.restore([a])
    >>> a
    array([0., 0.])
    """

    def __init__(self) -> None:
        self._copies: list[NDArray[Any]] = []
        self._file: Any = None
        self._forks = 0
        self._is_whole = False

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def take(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Copy C-contiguous arrays, in place of the copy before.

        If it fails or is interrupted, there is no copy until the next one.
        """
        self._is_whole = False
        self._take(arrays)
        self._is_whole = True

    def _take(self, arrays: Sequence[NDArray[Any]]) -> None:
        if sum(array.nbytes for array in arrays) > IN_MEMORY and self._write(arrays):
            self._copies = []
            return
        if [copy.shape for copy in self._copies] != [array.shape for array in arrays]:
            self._copies = []  # freed first
            self._copies = [np.empty_like(array) for array in arrays]
        for copy, array in zip(self._copies, arrays, strict=True):
            copy[...] = array

    def restore(
        self,
        arrays: Sequence[NDArray[Any]],
        before_writing: Callable[[], None] | None = None,
    ) -> None:
        """Write the copy back into the arrays.

        `before_writing` is called once the copy is known to be readable.

        Raises
        ------
        OSError
            If the file cannot be read; the arrays are as they were.
        RuntimeError
            If no copy was taken, or the last one not to its end; likewise.
        """
        if not self._is_whole:
            raise RuntimeError("there is no whole copy to restore")
        if not self._copies:
            # All of it first into memory that is not needed, a piece at a time.
            piece = memoryview(bytearray(PIECE))
            size = sum(array.nbytes for array in arrays)
            self._read(piece[: min(PIECE, left)] for left in range(size, 0, -PIECE))
        if before_writing is not None:
            before_writing()
        if self._copies:
            for array, copy in zip(arrays, self._copies, strict=True):
                array[...] = copy
        else:
            self._read(array.data.cast("B") for array in arrays)

    def _read(self, parts: Iterable[memoryview]) -> None:
        """Read the file from its beginning into these parts of memory."""
        at = 0
        for rest in parts:
            while rest:
                count = forks.read_at(self._file, rest, at)
                if not count:
                    raise OSError("the temporary file of this fit has been cut short")
                rest, at = rest[count:], at + count

    def _write(self, arrays: Sequence[NDArray[Any]]) -> bool:
        """Whether the arrays could be written to the file."""
        try:
            if self._file is None or self._forks != forks.count:
                import tempfile  # only here: most networks are small

                now = forks.count
                file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
                self.__exit__()
                self._file, self._forks = file, now
            at = 0
            for array in arrays:
                rest = array.data.cast("B")
                while rest:
                    count = forks.write_at(self._file, rest, at)
                    rest, at = rest[count:], at + count
        except (OSError, ImportError):  # the latter while Python ends
            return False
        return True
