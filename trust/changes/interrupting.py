"""Ways to end a call: at a point of its Python code, at a time, or where a stack ends.

Python handles signals at few points only: where a function begins, after a call, and at
jumps back. `Points` counts them in a call, and raises at one of them an error that a
signal's handler or a failing allocation raises there. `by_timer` and `by_thread` send
real signals. `by_depth` leaves room for a few frames on Python's stack.
"""

import dis
import itertools
import os
import signal
import sys
import threading
import time
from functools import cache

#: Modules of Python whose own code an error may leave half done: only real signals come
#: there.
WITHOUT = ("threading", "weakref", "_weakrefset")
#: Instructions after which Python handles signals.
CALLS = ("CALL", "CALL_FUNCTION_EX", "CALL_KW")


class Points:
    """Count the points of a call, and raise an error at one of them.

    Parameters
    ----------
    at : int, optional
        The number of the point, from 1 on; none by default.
    error : type of exception
    within : tuple of str
        Points of modules whose names begin with one of these.
    deep : bool
        Whether those of what they call in Python count too, as dataclasses.replace.

    Attributes
    ----------
    count : int
        Points so far.
    """

    def __init__(self, at=None, error=KeyboardInterrupt, within=("bpcore",), deep=True):
        self.at, self.error, self.within, self.deep = at, error, within, deep
        self.count, self.where = 0, None

    def call(self, function):
        """Call it; returns whether the error, or one in its place, ended it."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            function()
        except BaseException:
            if self.where is None:
                raise
            return True
        finally:
            sys.settrace(before)
        return False

    def _enter(self, frame, event, argument):
        """The tracer of a function that begins."""
        module = frame.f_globals.get("__name__") or ""
        if module in WITHOUT:
            return None
        own = module.startswith(self.within)
        if self.deep and not own and frame.f_back is not None:
            own = isinstance(getattr(frame.f_back.f_trace, "points", None), Points)
        if not own:
            return None
        self._point(frame)
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return _Frame(self)

    def _point(self, frame):
        self.count += 1
        if self.count == self.at:
            self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            raise self.error(f"point {self.at}")


class _Frame:
    """The tracer within a function."""

    def __init__(self, points):
        self.points, self.last = points, -1

    def __call__(self, frame, event, argument):
        if event == "opcode":
            last, self.last = self.last, frame.f_lasti
            if (last, frame.f_lasti) in _points(frame.f_code):
                self.points._point(frame)
        return self


@cache
def _points(code):
    """Pairs of offsets of instructions between which signals are handled.

    Only if both belong to the same ``try`` or ``with``, since the error is raised as if
    by the first one.
    """
    parsed = dis.Bytecode(code)
    handlers = [
        (each.start, each.end, each.target) for each in parsed.exception_entries
    ]

    def handler(at):
        return next((to for start, end, to in handlers if start <= at < end), None)

    found, instructions = set(), [*parsed]
    for each, after in itertools.pairwise(instructions):
        to = after.offset
        if "BACKWARD" in each.opname:
            to = each.argval
        elif each.opname not in CALLS:
            continue
        if handler(each.offset) == handler(to):
            found.add((each.offset, to))
    return found


def by_timer(function, seconds):
    """Call it with a real SIGINT after some seconds; returns whether it was ended."""

    def send():
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))

    return _with_handler(function, signal.SIGALRM, send, _stop_timer)


def by_thread(function, seconds):
    """The same with a signal that another thread sends to the process."""
    over = threading.Event()

    def kill():
        if not over.wait(seconds):
            os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=kill)

    def end():
        over.set()
        thread.join()

    return _with_handler(function, signal.SIGUSR1, thread.start, end)


def _stop_timer():
    signal.setitimer(signal.ITIMER_REAL, 0)


def _with_handler(function, number, send, end):
    """Call a function while a signal is sent whose handler raises once."""
    armed = True

    def handler(*_):
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    before = signal.signal(number, handler)
    interrupted = False
    try:
        try:
            send()
            function()
        finally:
            armed = False
    except KeyboardInterrupt:
        interrupted = True
    end()
    signal.signal(number, before)
    return interrupted


def by_depth(function, room):
    """Call it with a recursion limit that leaves room for so many frames.

    Returns whether RecursionError ended it, or an error that says it was its cause.
    """
    before, frame, depth = sys.getrecursionlimit(), sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    try:
        sys.setrecursionlimit(depth + room)
        function()
    except Exception as error:
        sys.setrecursionlimit(before)
        cause = error
        while cause is not None and not isinstance(cause, RecursionError):
            cause = cause.__cause__
        if cause is None:
            raise
        return True
    finally:
        sys.setrecursionlimit(before)
    return False


def duration(function):
    """Seconds of a call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
