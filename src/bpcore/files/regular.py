"""Reading a whole file: a regular one, of a bounded size."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from bpcore.errors import ModelFileError
from bpcore.files.whole import Path


def read_whole(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most `most` bytes.

    Raises
    ------
    ModelFileError
        If it is a folder, a pipe or a device, or larger.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from bpcore.files.regular import read_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.net")
    ...     size = path.write_bytes(b"FANN")
    ...     read_whole(path, 100)
    b'FANN'
    """
    size = size_of(path)
    if size > most:
        raise ModelFileError(f"must have at most {most:,} bytes; got {size:,}")
    with open(path, "rb") as file:
        return file.read(size)


def size_of(path: Path) -> int:
    """The bytes of a regular file, found without opening it: a pipe would block.

    Raises
    ------
    ModelFileError
        If it is a folder, a pipe or a device.
    OSError
        If there is none.

    Examples
    --------
    >>> from bpcore.files.regular import size_of
    >>> size_of("/")
    Traceback (most recent call last):
        ...
    bpcore.errors.ModelFileError: is a folder, a pipe or a device, and no file
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ModelFileError("is a folder, a pipe or a device, and no file")
    return found.st_size


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Within a ``with`` block, errors of a bad file begin with the file's name.

    Examples
    --------
    >>> from bpcore.files.regular import errors_of
    >>> with errors_of("a.net"):
    ...     raise ValueError("is empty")
    Traceback (most recent call last):
        ...
    bpcore.errors.ModelFileError: a.net: is empty
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise ModelFileError(f"{os.fsdecode(path)}: {error}") from None
