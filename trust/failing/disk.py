"""A disk that fails at a chosen call: the library of disk.c."""

import ctypes
import errno
import os
from contextlib import contextmanager
from pathlib import Path

from trust.failing.memory import compiled

#: Kinds of calls, as in disk.c.
KINDS = {"write": 1, "fsync": 2, "rename": 4, "open": 8, "read": 16, "fallocate": 32}
#: Ways in which a call of each kind fails: an error, or -1 for one byte only.
ERRORS = {
    "write": (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR, -1),
    "fsync": (errno.EIO, errno.ENOSPC),
    "rename": (errno.EACCES, errno.ENOSPC, errno.ESTALE),
    "open": (errno.EMFILE, errno.EACCES, errno.EINTR),
    "read": (errno.EIO, errno.EINTR, -1),
    "fallocate": (errno.ENOSPC, errno.EOPNOTSUPP),
}


def environment(folder):
    """The environment of a process with a failing disk; None without a compiler."""
    library = compiled(Path(__file__).with_suffix(".c"), folder)
    return None if library is None else {**os.environ, "LD_PRELOAD": str(library)}


def named(error):
    """An error's name."""
    return "one byte" if error == -1 else errno.errorcode[error]


class Disk:
    """The failing disk of this process."""

    def __init__(self):
        library = ctypes.CDLL(None)
        self._fails, self._works = library.disk_fails, library.disk_works
        self._fails.argtypes = ctypes.c_int, ctypes.c_long, ctypes.c_int
        self._works.restype = ctypes.c_long
        self.seen = 0

    @contextmanager
    def failing(self, kind, first, error):
        """Within a ``with`` block, a call of the kind fails; `seen` is their number."""
        self._fails(KINDS[kind], first, error)
        try:
            yield
        finally:
            self.seen = self._works()
