"""Memory that runs out at a chosen allocation: the library of memory.c.

It is compiled by the C compiler that is there, and must be loaded before all others: a
process with failing memory is a new one, with the environment that `environment` gives.
"""

import ctypes
import os
import subprocess
import sysconfig
from contextlib import contextmanager
from pathlib import Path

import bpcore

#: The allocations that fail: of the C library, or of Python.
KINDS = {"C": 1, "Python": 2}


def compiled(source, folder):
    """Compile a library for LD_PRELOAD; its path, or None without a compiler."""
    library = Path(folder, Path(source).stem + ".so")
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return library


def environment(folder):
    """The environment of a process with failing memory; None without a compiler."""
    library = compiled(Path(__file__).with_suffix(".c"), folder)
    return None if library is None else {**os.environ, "LD_PRELOAD": str(library)}


class Information(ctypes.Structure):
    """The result of glibc's mallinfo2."""

    _fields_ = (
        ("others", ctypes.c_size_t * 7),
        ("uordblks", ctypes.c_size_t),
        ("last", ctypes.c_size_t * 2),
    )


class Memory:
    """Failing memory of this process."""

    def __init__(self):
        self._library = ctypes.CDLL(None)
        self._library.prepare(os.fsencode(Path(bpcore.__file__).parent))
        self._library.failed_module.restype = ctypes.c_char_p
        self._fails = self._library.memory_fails
        self._fails.argtypes = ctypes.c_int, ctypes.c_long, ctypes.c_long
        self._works = self._library.memory_works
        self._works.restype = ctypes.c_long
        self._library.hook_python()
        self._used = self._library.mallinfo2
        self._used.restype = Information
        self.seen = 0

    def used(self):
        """Bytes of the C library's heap in use."""
        return self._used().uordblks

    def module(self):
        """The file of the module whose allocation failed last; "" if Python's own."""
        return os.fsdecode(self._library.failed_module())

    def within_own(self):
        """Whether one of the compiled modules of bpcore was at work then."""
        return bool(self._library.failed_in_own())

    @contextmanager
    def failing(self, kind, first, many=1):
        """Within a ``with`` block, allocations fail from the number `first` on.

        `seen` is then the number of all that there were.
        """
        arguments = KINDS[kind], first, many
        self._fails(*arguments)
        try:
            yield
        finally:
            self.seen = self._ended()

    def _ended(self):
        while True:
            try:
                return self._works()
            except MemoryError:
                continue
