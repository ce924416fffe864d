"""Interrupts (Ctrl-C) at lines of the library's code."""

import sys


class Interrupts:
    """Raise at the lines of these numbers, counted from the beginning of a call.

    Lines of modules whose names begin with one of `within` are counted.
    """

    def __init__(self, *lines, within):
        self.lines, self.count, self.within = set(lines), 0, within

    def trace(self, frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(self.within):
            return None
        if event == "line":
            self.count += 1
            if self.count in self.lines:
                raise KeyboardInterrupt
        return self.trace

    def go_on(self, frame, event, argument):
        """Set the tracer again: Python removes it when it raises."""
        if sys.gettrace() is None:
            sys.settrace(self.trace)
            while frame is not None:
                frame.f_trace = self.trace
                frame = frame.f_back

    def call(self, function):
        """Whether it was interrupted."""
        before = sys.gettrace(), sys.getprofile()
        sys.settrace(self.trace)
        sys.setprofile(self.go_on)
        try:
            function()
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(before[1])
            sys.settrace(before[0])
        return False
