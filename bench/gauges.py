"""Two measurements of peak memory."""

import contextlib
import ctypes
import resource
import sys
import tracemalloc
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Allocated:
    """Bytes allocated through Python, which include all NumPy arrays."""

    def __init__(self):
        tracemalloc.start()

    def peak(self):
        """Peak of allocated bytes since the gauge was made."""
        return tracemalloc.get_traced_memory()[1]


class Resident:
    """Growth of the resident memory of the process."""

    def __init__(self):
        with contextlib.suppress(OSError, AttributeError):
            # Otherwise freed memory would be used again, without visible growth.
            ctypes.CDLL(None).malloc_trim(0)
        with contextlib.suppress(OSError):
            _CLEAR.write_text("5")  # resets the peak (VmHWM)
        self._before = _resident("VmRSS")

    def peak(self):
        """Peak of resident bytes, minus those at the beginning."""
        return _resident("VmHWM") - self._before


def _resident(field):
    """A field of the status of this process; on other systems than Linux its peak.

    That peak may be above the resident memory at the beginning, and hide some growth.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return highest * (1 if sys.platform == "darwin" else 1024)
