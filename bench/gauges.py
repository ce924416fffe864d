"""Two ways to see how much memory a piece of code takes at most, from a fresh start."""

import contextlib
import ctypes
import resource
import sys
import tracemalloc
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Allocated:
    """Bytes allocated through Python, which are those of all of NumPy's arrays."""

    def __init__(self):
        tracemalloc.start()

    def peak(self):
        """The most that was allocated at one time since the gauge was made."""
        return tracemalloc.get_traced_memory()[1]


class Resident:
    """Growth of the memory that the system has given, whoever in the process asked."""

    def __init__(self):
        with contextlib.suppress(OSError, AttributeError):
            # What was freed and kept for later would be used again without growth.
            ctypes.CDLL(None).malloc_trim(0)
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")  # the highest mark starts again from here
        self._before = _resident("VmRSS")

    def peak(self):
        """The most that was resident at one time, beyond that at the beginning."""
        return _resident("VmHWM") - self._before


def _resident(field):
    """A field of the status of this process; elsewhere than on Linux, its highest mark.

    That mark may lie above what is resident at the beginning and hide some growth.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest * (1 if sys.platform == "darwin" else 1024)
