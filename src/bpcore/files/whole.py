"""Writing a file whole: a crash leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterable
from typing import Any

from bpcore.forks import write_at

#: Bytes from which on room for a file is reserved.
LARGE = 1 << 20
#: Linux's FALLOC_FL_KEEP_SIZE.
KEEP_SIZE = 1
#: Errors that say that a file would be too large.
NO_ROOM = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

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
    ChildProcessError
        In a child of a fork meanwhile: its parent writes the file.

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
    path = replaceable(path)
    folder = os.path.dirname(path)
    beside = os.path.join(folder, f".bpcore-{secrets.token_hex(6)}.part")
    process, at = os.getpid(), 0
    try:
        with open(beside, "xb", buffering=0) as file:
            with contextlib.suppress(OSError):  # there is no such file yet
                os.chmod(beside, stat.S_IMODE(os.stat(path).st_mode))
            _reserve(file.fileno(), size)
            for part in parts:
                rest = memoryview(part)
                rest = rest.cast("B") if rest.nbytes else memoryview(b"")
                while rest:
                    count = write_at(file, rest, at)
                    rest, at = rest[count:], at + count
            if sync:
                os.fsync(file.fileno())
        if os.getpid() != process:  # a handler of a signal may fork meanwhile
            why = "Written by the parent of this process, which forked meanwhile"
            raise ChildProcessError(errno.ECHILD, why, path)
        os.replace(beside, path)
    except BaseException as error:
        if os.getpid() == process:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        if isinstance(error, OSError) and error.filename == beside:
            raise OSError(error.errno, error.strerror, path) from None
        raise
    if sync:
        _sync_folder(folder)


def replaceable(path: Path) -> str:
    """The file that a path names, through links; raises if it cannot be replaced.

    Raises
    ------
    OSError
        If it is a folder, a device, a pipe or a circle of links, or is in no folder, or
        in one that cannot be written.

    Examples
    --------
    >>> import os
    >>> from bpcore.files.whole import replaceable
    >>> replaceable(os.devnull)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    OSError: [Errno 22] Not a regular file, which could be replaced: ...
    """
    path = os.path.realpath(os.fsdecode(path))
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "Links that lead to each other", path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "Is a directory", path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "Not a regular file, which could be replaced", path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "Permission denied", folder)
    return path


def _reserve(descriptor: int, size: int) -> None:
    """Reserve room on the disk for a large file, whose length stays 0, on Linux.

    Without it some file systems write the whole file to the disk when it is renamed.
    Python's ``os.posix_fallocate`` sets the length too, and ext4 then takes nearly
    twice as long for the bytes.
    """
    if size < LARGE or sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    for name in ("fallocate64", "fallocate"):  # the second has 64 bits in musl only
        if hasattr(library, name):
            first, length = ctypes.c_int64(0), ctypes.c_int64(size)
            failed = getattr(library, name)(descriptor, KEEP_SIZE, first, length)
            if failed and ctypes.get_errno() in NO_ROOM:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            return


def _sync_folder(folder: str) -> None:
    """Wait until the disk has the new name, where a folder can be opened."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
