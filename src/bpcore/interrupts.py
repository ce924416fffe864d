"""Interrupts: Ctrl-C, and an event by which another thread stops this one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds of work between two checks for an interrupt.
SLICE = 0.05

#: How often `complete` calls a function that raises an Exception.
ATTEMPTS = 3


def complete(action: Callable[[], None]) -> None:
    """Call a function until it returns, then raise the first interrupt of it.

    For actions that must not be left half done: an interrupt (Ctrl-C) may come at any
    line, more than once.  If the action raises an Exception three times, that is
    raised.

    Examples
    --------
    >>> from bpcore.interrupts import complete
    >>> interrupts = [KeyboardInterrupt(), KeyboardInterrupt()]
    >>> def restore():
    ...     while interrupts:
    ...         raise interrupts.pop()
    ...     print("restored")
    >>> try:
    ...     complete(restore)
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    restored
    interrupted
    """
    errors: list[BaseException] = []
    done = False
    while not done:
        try:  # for interrupts inside the inner `except`
            while not done:
                try:
                    action()
                    done = True
                except BaseException as error:
                    errors.append(error)
                    if _fails(errors):
                        done = True
        except BaseException as error:
            errors.append(error)
    if errors:
        raise errors[-1] if _fails(errors) else errors[0]


def _fails(errors: list[BaseException]) -> bool:
    """Whether an action has been tried often enough."""
    return sum(isinstance(error, Exception) for error in errors) >= ATTEMPTS


class Stopped(BaseException):
    """Ends the work of a thread whose stop event was set."""


class _Thread(threading.local):
    stop: threading.Event | None = None


_thread = _Thread()


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Stop training and evaluation in this thread when the event is set.

    Examples
    --------
    >>> import threading
    >>> from bpcore.interrupts import raise_if_stopped, stopped_by
    >>> event = threading.Event()
    >>> with stopped_by(event):
    ...     raise_if_stopped()
    ...     event.set()
    ...     raise_if_stopped()
    Traceback (most recent call last):
        ...
    bpcore.interrupts.Stopped
    """
    before, _thread.stop = _thread.stop, event
    try:
        yield
    finally:
        _thread.stop = before


def raise_if_stopped() -> None:
    """Raise `Stopped` if this thread's event is set.

    Called by the engine between slices of time, and between epochs, evaluations of
    L-BFGS and evaluations of a central difference.
    """
    if _thread.stop is not None and _thread.stop.is_set():
        raise Stopped
