"""Threads of Python that each do one piece of work.

They are started without `threading.Thread`, which stands no interrupts and no lack of
memory: its ``start`` waits for ever for a thread that has no memory to begin, and an
interrupt in it, or in the wait for an `Event`, leaves a thread that seems to begin, or
raises "release unlocked lock".
"""

from __future__ import annotations

import contextvars
import math
import threading
import time
import weakref
from _thread import start_new_thread
from collections.abc import Callable
from functools import partial

from bpcore.interrupts import SLICE, raise_if_stopped

#: Seconds after an interrupt in which another one is ignored: threads are stopping, and
#: only a callback can take longer.
PATIENCE = 1.0


class Worker:
    """A thread that calls `work`, in the context of the caller (its np.errstate).

    Parameters
    ----------
    work : callable

    Attributes
    ----------
    error : BaseException or None
        What `work` has raised.

    Examples
    --------
    >>> from bpcore.workers import Worker
    >>> worker = Worker(lambda: print("done"))
    >>> worker.start()
    >>> worker.wait()
    done
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._over = False  # whether the end was noticed
        self._ended = threading.Lock()
        self._ended.acquire()
        call = partial(contextvars.copy_context().run, self._run, work)
        # Only the thread has the call while it runs, and no frame: so it is freed when
        # the thread ends, for want of memory too.
        self._calls, self._called = [call], weakref.ref(call)

    def start(self) -> None:
        """Start the thread; RuntimeError if the system allows no more."""
        start_new_thread(self._calls.pop(), ())

    def ended(self, seconds: float) -> bool:
        """Wait up to so many seconds; whether it has ended, or was not started."""
        if self._calls or self._over or self._called() is None:
            return True
        self._over = self._ended.acquire(timeout=seconds) or self._called() is None
        return self._over

    def wait(self) -> None:
        """Wait until it has ended."""
        while not self.ended(SLICE):
            pass

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            self.error = error
        finally:
            self._ended.release()


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
    workers: list[Worker] = []
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


def _start(workers: list[Worker], work: Callable[[], None], count: int) -> None:
    """Start `count` threads, or as many as the system allows."""
    for i in range(count):
        workers.append(Worker(work))
        try:
            workers[i].start()
        except RuntimeError:  # "can't start new thread"
            if i == 0:
                raise
            return
