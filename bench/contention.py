"""A clock that runs only while other work has the cores that this process wants."""

import contextlib
import os
from pathlib import Path
from time import perf_counter, process_time

_TASKS = Path("/proc/self/task")

#: Linux says for every thread how long it was ready to run and had to wait.
_TELLS = Path("/proc/self/schedstat").exists()


def lost():
    """Seconds that threads of this process have waited for a core, all together.

    Elsewhere than on Linux the time off the core is taken instead, which is the same
    for one busy thread; several busy threads make it run backwards, and what they lose
    goes unnoticed.
    """
    if not _TELLS:
        return perf_counter() - process_time()
    waited = 0
    for task in os.listdir(_TASKS):
        with contextlib.suppress(OSError):  # the thread may just have ended
            waited += int((_TASKS / task / "schedstat").read_text().split()[1])
    return waited * 1e-9
