"""Forks: what a process shares with its children.

A file that was open at a fork has one position for both, and its bytes belong to
neither alone from then on.
"""

from __future__ import annotations

import os
from typing import Any

#: The forks of this process so far, and of those that it is a child of.
count = 0


def _count() -> None:
    global count  # noqa: PLW0603
    count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_count, after_in_child=_count)


def read_at(file: Any, out: memoryview, at: int) -> int:
    """Read bytes of an unbuffered file from a place on; returns their number.

    Examples
    --------
    >>> import tempfile
    >>> from bpcore.forks import read_at, write_at
    >>> with tempfile.TemporaryFile(buffering=0) as file:
    ...     count = write_at(file, memoryview(b"abc"), 0)
    ...     out = bytearray(2)
    ...     count, read_at(file, memoryview(out), 1), out
    (3, 2, bytearray(b'bc'))
    """
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [out], at)
    file.seek(at)
    count: int = file.readinto(out)
    return count


def write_at(file: Any, data: memoryview, at: int) -> int:
    """Write bytes to an unbuffered file from a place on; returns their number.

    Examples
    --------
    >>> import tempfile
    >>> from bpcore.forks import write_at
    >>> with tempfile.TemporaryFile(buffering=0) as file:
    ...     write_at(file, memoryview(b"abc"), 0)
    3
    """
    if hasattr(os, "pwrite"):
        return os.pwrite(file.fileno(), data, at)
    file.seek(at)
    count: int = file.write(data)
    return count
