"""Time that this process was ready to run but waited for a core."""

import contextlib
import os
from pathlib import Path
from time import perf_counter, process_time

_TASKS = Path("/proc/self/task")

#: On Linux, the time that each thread was ready to run and waited is in its schedstat.
_HAS_SCHEDSTAT = Path("/proc/self/schedstat").exists()


def lost():
    """Seconds that threads of this process have waited for a core, all together.

    On other systems the time not on a core is used instead, which is the same for one
    busy thread; with several busy threads it is negative, and lost time is not seen.
    """
    if not _HAS_SCHEDSTAT:
        return perf_counter() - process_time()
    waited = 0
    for task in os.listdir(_TASKS):
        with contextlib.suppress(OSError):  # the thread may just have ended
            waited += int((_TASKS / task / "schedstat").read_text().split()[1])
    return waited * 1e-9
