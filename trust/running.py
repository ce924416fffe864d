"""Threads of Python that run, those of `_thread.start_new_thread` too."""

import time
from _thread import _count as running

__all__ = ["none_left", "running"]


def none_left(before, seconds=1.0):
    """Wait for no more threads than `before`; whether there are none after so long."""
    end = time.monotonic() + seconds
    while running() > before:
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True
