"""Reading a whole file: a regular one, of a bounded size."""

from __future__ import annotations

import os
import stat

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
    shown = os.fspath(path)
    found = os.stat(path)  # before it is opened: opening a pipe waits for a writer
    if not stat.S_ISREG(found.st_mode):
        raise ModelFileError(f"{shown}: is not a file but a folder, pipe or device")
    if found.st_size > most:
        raise ModelFileError(
            f"{shown}: must have at most {most:,} bytes; got {found.st_size:,}"
        )
    with open(path, "rb") as file:
        return file.read(found.st_size)
