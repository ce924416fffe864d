"""Work in several threads, none of which outlives a call."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.model.threads import usable
from bpcore.workers import Worker

#: Most threads that read a file; more are no faster.
MOST_THREADS = 4


class Later:
    """An array that a thread computes, from `begin` on, while others are written.

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
    >>> later = Later(lambda: np.zeros(2), (2,), np.dtype(float))
    >>> later.begin()
    >>> later.array()
    array([0., 0.])
    """

    def __init__(
        self,
        compute: Callable[[], NDArray[Any]],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._compute = compute
        self._found: list[Any] = []
        self._worker: Worker | None = None

    @property
    def nbytes(self) -> int:
        """The bytes of the array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def begin(self) -> None:
        """Start the thread."""
        self._worker = Worker(self._run)
        begin(self._worker, self._run)

    def array(self) -> NDArray[Any]:
        """The array, when it is there; raises what the thread has raised."""
        self.join()
        if not self._found:  # the thread had no memory to begin
            self._run()
        found = self._found[-1]
        if isinstance(found, BaseException):
            raise found
        return np.asarray(found)

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._worker is not None:
            self._worker.wait()

    def _run(self) -> None:
        try:
            self._found.append(self._compute())
        except BaseException as error:
            self._found.append(error)


def for_each(work: Callable[[Any], object], jobs: Iterable[Any], most: int) -> None:
    """Call ``work(job)`` for each job, in several threads.

    There are as many threads as cores that the process may use, at most `most` and
    `MOST_THREADS`; they have ended when it returns.  The caller takes jobs from the
    front, the others from the end: threads that fill the same page of memory would wait
    for each other.  After an error no other job begins, and the first error is raised.

    Examples
    --------
    >>> from bpcore.files.native.parallel import for_each
    >>> for_each(print, ["one", "two"], most=1)
    one
    two
    """
    left = deque(jobs)
    errors: list[BaseException] = []

    def run(take: Callable[[], Any]) -> None:
        try:
            while left:
                try:
                    job = take()
                except IndexError:  # another thread has taken the last one
                    break
                work(job)
        except BaseException as error:
            errors.append(error)
            left.clear()

    from_end = partial(run, left.pop)
    workers: list[Worker] = []
    try:
        for _ in range(min(most, MOST_THREADS, usable()) - 1):
            workers.append(Worker(from_end))
            begin(workers[-1], from_end)
        run(left.popleft)
    finally:
        left.clear()
        for worker in workers:
            worker.wait()
    if errors:
        raise errors[0]


def begin(worker: Worker, work: Callable[[], object]) -> None:
    """Start a thread that somebody holds already; where none can start, do the work.

    Examples
    --------
    >>> from bpcore.files.native.parallel import begin
    >>> from bpcore.workers import Worker
    >>> worker = Worker(lambda: print("done"))
    >>> begin(worker, lambda: print("done"))
    >>> worker.wait()
    done
    """
    try:
        worker.start()
    except RuntimeError:  # at the end of the interpreter, at a limit, in WebAssembly
        work()
