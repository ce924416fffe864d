"""Writing a file whole: a crash leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable
from typing import Any

#: Bytes above which room for a file is reserved.
LARGE = 1 << 20

#: Anything that ``open`` takes as a path.
Path = str | os.PathLike[str]


def write_whole(
    path: Path, parts: Iterable[Any], *, size: int = 0, sync: bool = True
) -> None:
    """Write bytes to a file, or leave it as it was.

    They are written to a new file beside it, which is flushed to the disk and then
    renamed.  A symbolic link stays one: the file that it names is replaced.  The
    permissions of a file that is replaced are kept.

    Parameters
    ----------
    path : path
    parts : iterable of bytes or of contiguous arrays
        Written one after the other.
    size : int
        Their bytes, if they are many: room for them is reserved first.
    sync : bool
        Whether to wait until the disk has the bytes.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from bpcore.files.whole import write_whole
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.txt")
    ...     write_whole(path, [b"one ", b"two"])
    ...     print(path.read_text(), len(list(path.parent.iterdir())))
    one two 1
    """
    path = os.path.realpath(os.fsdecode(path))
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "Not a regular file, which could be replaced", path)
    beside = os.path.join(folder, f".bpcore-{secrets.token_hex(6)}.part")
    try:
        file = open(beside, "xb", buffering=0)  # noqa: SIM115 -- closed below
    except FileNotFoundError:
        raise FileNotFoundError(
            errno.ENOENT, "No such file or directory", path
        ) from None
    try:
        with file:
            with contextlib.suppress(OSError):  # there is no such file yet
                os.chmod(beside, stat.S_IMODE(os.stat(path).st_mode))
            _reserve(file.fileno(), size)
            for part in parts:
                rest = memoryview(part)
                rest = rest.cast("B") if rest.nbytes else memoryview(b"")
                while rest:
                    rest = rest[file.write(rest) :]
            if sync:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    if sync:
        _sync_folder(folder)


def _reserve(descriptor: int, size: int) -> None:
    """Reserve room on the disk for a large file, where the system can.

    Without it some file systems write the file at once when it is renamed, and a full
    disk shows only after most of the file was written.
    """
    if size >= LARGE and hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
                raise


def _sync_folder(folder: str) -> None:
    """Wait until the disk has the new name, where a folder can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
