"""Work in several threads, none of which outlives a call."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.model.threads import automatic

#: Most threads that read a file; more are no faster.
MOST_THREADS = 4


class Later:
    """An array that a thread computes while others are written.

    Parameters
    ----------
    compute : callable
        Returns the array.
    shape : tuple
    dtype : dtype

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.native.parallel import Later
    >>> Later(lambda: np.zeros(2), (2,), np.dtype(float)).array()
    array([0., 0.])
    """

    def __init__(
        self,
        compute: Callable[[], NDArray[Any]],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._found: list[Any] = []
        self._thread = started(self._run, compute)

    @property
    def nbytes(self) -> int:
        """The bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def array(self) -> NDArray[Any]:
        """The array, when it is there; raises what the thread has raised."""
        self.join()
        (found,) = self._found
        if isinstance(found, BaseException):
            raise found
        return np.asarray(found)

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, compute: Callable[[], NDArray[Any]]) -> None:
        try:
            self._found.append(compute())
        except BaseException as error:
            self._found.append(error)


def in_threads(work: Callable[[int, int], None], size: int, least: int) -> None:
    """Call ``work(first, stop)`` for parts of 0 .. size, each in a thread of its own.

    There are as many threads as cores that the process may use, at most `MOST_THREADS`,
    and each has at least `least` of the work.  They have ended when it returns.

    Examples
    --------
    >>> from bpcore.files.native.parallel import in_threads
    >>> in_threads(lambda first, stop: print(first, stop), size=10, least=100)
    0 10
    """
    count = max(1, min(MOST_THREADS, automatic(), size // least))
    ends = [size * i // count for i in range(count + 1)]
    threads: list[threading.Thread | None] = []
    try:
        threads += [started(work, *part) for part in itertools.pairwise(ends[1:])]
        work(0, ends[1])
    finally:
        for thread in threads:
            if thread is not None:
                thread.join()


def started(work: Callable[..., object], *arguments: Any) -> threading.Thread | None:
    """A thread that does the work; None where none can start, and it is done here.

    Examples
    --------
    >>> from bpcore.files.native.parallel import started
    >>> started(print, "done").join()
    done
    """
    thread = threading.Thread(target=work, args=arguments)
    try:
        thread.start()
    except RuntimeError:  # at the end of the interpreter, at a limit, in WebAssembly
        work(*arguments)
        return None
    return thread
