"""Random calls, while finalizers make further calls of the same network.

    python -m trust.safety.finalizers FIRST COUNT

Python's garbage collector may run wherever memory is taken, and then calls the
finalizers of what it frees: a user's code in the middle of any call. Here it runs at
almost every object, and each run frees one whose finalizer makes a random call of the
network in use, or frees the memory of arrays that the call was given.

CPython 3.11's context variables do not stand this while one of them is set: an
``np.errstate`` in a finalizer, within another one, ends the process also without this
library. There the finalizers do nothing.
"""

import gc
import sys

import numpy as np

from trust.safety.random_calls import Case, main
from trust.safety.subject import shrink

#: Files of Python that set context variables.
SETTERS = ("bpcore/errstate.py", "_core/_ufunc_config.py")


class Garbage:
    """An object in a cycle with itself, whose finalizer makes a call."""

    def __init__(self, case):
        self.itself, self.case = self, case

    def __del__(self):
        case = self.case
        if case.is_over:
            return
        if not sys._getframe(1).f_code.co_filename.endswith(SETTERS):
            case.finalize()
        Garbage(case)


class Interfered(Case):
    """A case of random calls in which finalizers take part."""

    def __init__(self, seed):
        super().__init__(seed)
        self.given, self.error = [], None
        self.is_over = self.is_finalizing = False
        self.often = float(self.one([0.01, 0.1, 0.5]))

    def array(self, *shape, dtype=None):
        array = super().array(*shape, dtype=dtype)
        if isinstance(array, np.ndarray) and not self.is_finalizing:
            self.given.append(array)
        return array

    def run(self):
        before = gc.get_threshold()
        Garbage(self)
        gc.set_threshold(int(self.one([1, 2, 5])), 2, 1)
        try:
            super().run()
        finally:
            gc.set_threshold(*before)
            self.is_over = True
        if self.error is not None:
            raise self.error
        self.net.predict(np.zeros((3, self.net.sizes[0])))

    def call(self):
        if not self.is_finalizing:
            self.given.clear()
        super().call()

    def finalize(self):
        """What a finalizer does now and then: one call, or less memory for another."""
        if self.is_finalizing or not self.likely(self.often):
            return
        self.is_finalizing = True
        try:
            if self.likely(0.2) and self.given:
                shrink(self.given.pop())
            else:
                self.call()
        except SystemError as error:
            self.error = error
        except Exception as error:
            str(error)
        finally:
            self.is_finalizing = False


if __name__ == "__main__":
    main(Interfered)
