"""One piece of work in several threads of Python, all of which end before the call."""

from __future__ import annotations

import contextvars
import math
import os
import threading
import time
import weakref
from collections.abc import Callable

from bpcore.interrupts import SLICE, raise_if_stopped

#: Seconds after an interrupt in which another one is ignored: threads are stopping, and
#: only a callback can take longer.
PATIENCE = 1.0


def in_threads(work: Callable[[], None], count: int, stop: threading.Event) -> None:
    """Call `work` in up to `count` new threads, and return when all have ended.

    There are fewer where the system allows no more.  After an interrupt, `stop` is set:
    then `work` must soon end.

    Raises
    ------
    BaseException
        The interrupt, or the first error of `work`, when all threads have ended.
    RuntimeError
        If no thread can start.

    Examples
    --------
    >>> import threading
    >>> from bpcore.workers import in_threads
    >>> numbers, taken = iter(range(100)), []
    >>> in_threads(lambda: taken.extend(numbers), 2, threading.Event())
    >>> len(taken)
    100
    """
    workers: list[_Worker] = []
    errors: list[BaseException] = []
    end = math.inf
    try:
        while True:
            try:
                if errors:
                    stop.set()
                    end = min(end, time.monotonic() + PATIENCE)
                else:
                    _start(workers, work, count)
                for worker in workers:
                    while not worker.ended(SLICE):
                        if not errors:
                            raise_if_stopped()
                break
            except BaseException as error:
                errors.append(error)
                if time.monotonic() > end:
                    raise
        errors += [worker.error for worker in workers if worker.error is not None]
        if errors:
            raise errors[0]
    finally:
        stop.set()


def _start(workers: list[_Worker], work: Callable[[], None], count: int) -> None:
    """Start `count` threads, or as many as the system allows."""
    for i in range(len(workers), count):
        worker = _Worker(work, f"bpcore_{i}")
        workers.append(worker)
        try:
            worker.thread.start()
        except RuntimeError:  # "can't start new thread"
            if i == 0:
                raise
            return


class _Alive:
    """An object that a thread has; it is freed with the thread, however that ends."""


class _Worker:
    """A thread that calls `work`, in the context of the caller (its np.errstate)."""

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self.error: BaseException | None = None  # of `work`
        self._work, self._process = work, os.getpid()
        # Thread.join is not enough: if interrupted, it may mark a thread as ended.
        self._ended = threading.Event()
        alive = _Alive()
        self._alive = weakref.ref(alive)
        run = contextvars.copy_context().run
        self.thread = threading.Thread(target=run, args=(self._run, alive), name=name)

    def _run(self, alive: _Alive) -> None:
        try:
            self._work()
        except BaseException as error:  # a failing allocation, for example
            self.error = error
        finally:
            # A callback may fork: nobody waits in the child, where the event's lock may
            # be the caller's.
            if os.getpid() == self._process:
                self._ended.set()

    def ended(self, seconds: float) -> bool:
        """Wait up to so many seconds; whether the thread has ended, or never began.

        Without an ident it has not begun; if it does, `stop` is set.  Without memory it
        ends outside of `_run`, and sets no event.
        """
        if self.thread.ident is None:
            return True
        if not self._ended.wait(seconds) and self._alive() is not None:
            return False
        self.thread.join()
        return True
