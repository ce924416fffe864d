"""Team: the processes that train a network together, and what they exchange."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from bpcore.errors import ProcessError

Bytes = NDArray[np.uint8]
Result = TypeVar("Result")


class Transport(Protocol):
    """Messages between processes; see `Team` for its use."""

    rank: int
    size: int

    def post(
        self, sends: Sequence[Bytes | None], receives: Sequence[Bytes | None]
    ) -> list[Any]:
        """Begin to send to each rank and to receive from each; returns the requests.

        Both ends know the number of bytes.  Messages between two processes arrive in
        the order in which they were begun.
        """

    def wait(self, requests: list[Any]) -> None:
        """Wait until all are done.

        Raises
        ------
        ProcessError
            If another process has failed.
        """

    def limit_silence(self, timeout: float) -> None:
        """Set the seconds of silence after which a process counts as lost."""

    def fail(self, error: BaseException) -> None:
        """Let all other processes raise a ProcessError, now or when they wait next."""

    def close(self) -> None:
        """End, together with all others if nothing has failed."""


class Alone:
    """The transport of a single process."""

    rank, size = 0, 1

    def post(
        self, sends: Sequence[Bytes | None], receives: Sequence[Bytes | None]
    ) -> list[Any]:
        """Nothing to do."""
        return []

    def wait(self, requests: list[Any]) -> None:
        """Nothing to do."""

    def limit_silence(self, timeout: float) -> None:
        """Nobody to wait for."""

    def fail(self, error: BaseException) -> None:
        """Nobody to be notified."""

    def close(self) -> None:
        """Nothing to do."""


class Team:
    """The processes of a fit: `size` of them, this one is `rank`.

    Every method but `run_apart` must be called by all of them, in the same order.

    Examples
    --------
    >>> from bpcore.distributed.team import Alone, Team
    >>> with Team(Alone()) as team:
    ...     team.all_gather("a"), team.broadcast(lambda: "b")
    (['a'], 'b')
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.rank, self.size = transport.rank, transport.size
        #: Whether a process has failed: then nothing can be exchanged any more.
        self.failed = False

    def __repr__(self) -> str:
        return f"<Team: process {self.rank} of {self.size}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if value is not None and not self.failed and not _is_common(value):
                self.fail(value)
            if not self.failed:
                self.all_gather(None)  # no process leaves while others need it
        finally:
            self.transport.close()

    def fail(self, error: BaseException) -> None:
        """Note that this process cannot go on, and notify the others."""
        self.failed = True
        if self.size > 1:
            self.transport.fail(error)

    def limit_silence(self, timeout: float) -> None:
        """See `Transport.limit_silence`."""
        self.transport.limit_silence(timeout)

    @property
    def others(self) -> list[int]:
        """The ranks of the other processes."""
        return [rank for rank in range(self.size) if rank != self.rank]

    # --- exchanges --------------------------------------------------------------------

    def exchange(
        self, sends: Sequence[Bytes | None], receives: Sequence[Bytes | None]
    ) -> None:
        """Send to each rank and receive from each; returns when done."""
        self.wait(self.post(sends, receives))

    def post(
        self, sends: Sequence[Bytes | None], receives: Sequence[Bytes | None]
    ) -> list[Any]:
        """See `Transport.post`."""
        return self.transport.post(sends, receives)

    def wait(self, requests: list[Any]) -> None:
        """See `Transport.wait`."""
        try:
            self.transport.wait(requests)
        except ProcessError:
            self.failed = True
            raise

    def all_gather(self, item: Any) -> list[Any]:
        """The items of all processes, in order of their ranks."""
        if self.size == 1:
            return [item]
        own = _pickled(item)
        lengths = np.zeros(self.size, np.int64)
        lengths[self.rank] = len(own)
        self._gather_rows(lengths[:, None].view(np.uint8))
        found = [np.empty(length, np.uint8) for length in lengths]
        found[self.rank] = own
        self._to_all(own, found)
        return [pickle.loads(item.tobytes()) for item in found]

    def broadcast(self, make: Callable[[], Result]) -> Result:
        """The result of a function that process 0 calls; its error ends the others."""
        if self.size == 1:
            return make()
        item = self.run_apart(make) if self.rank == 0 else None
        length = np.zeros(1, np.int64)
        own = _pickled(item)
        if self.rank == 0:
            length[0] = len(own)
        self._from_first(length.view(np.uint8))
        if self.rank != 0:
            own = np.empty(length[0], np.uint8)
        self._from_first(own)
        if self.rank == 0:
            return item  # type: ignore[return-value]
        return pickle.loads(own.tobytes())

    def run_apart(self, function: Callable[[], Result]) -> Result:
        """Call a function that only this process runs; an error ends all processes."""
        try:
            return function()
        except BaseException as error:
            self.fail(error)
            raise

    def gather_numbers(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """The arrays of all processes, one after the other."""
        if self.size == 1:
            return own
        return np.concatenate(self.all_gather(own))

    def gather_parts(
        self, array: NDArray[Any], ends: Sequence[tuple[int, int]]
    ) -> None:
        """Complete an array of which each process has written its part."""
        if self.size == 1:
            return
        parts = [array[first:end].view(np.uint8) for first, end in ends]
        own = parts[self.rank]
        sends = [own if len(own) else None] * self.size
        receives = [part if len(part) else None for part in parts]
        self.exchange(sends, receives)

    def gather_to_first(self, item: Any) -> list[Any] | None:
        """The items of all processes in process 0, None in the others."""
        own = _pickled(item)
        lengths = np.zeros(self.size, np.int64)
        lengths[self.rank] = len(own)
        self._gather_rows(lengths[:, None].view(np.uint8))
        found = [np.empty(length, np.uint8) for length in lengths]
        nothing: list[Bytes | None] = [None] * self.size
        if self.rank:
            self.exchange([own, *nothing[1:]], nothing)
            return None
        self.exchange(nothing, [None, *found[1:]])
        return [item, *(pickle.loads(each.tobytes()) for each in found[1:])]

    def together(self, function: Callable[[], Result]) -> Result:
        """Call a function in every process; if one raises, all do, and nothing is lost.

        Those where it does not raise raise a ProcessError naming the first that did.
        """
        error: Exception | None = None
        try:
            result = function()
        except Exception as raised:
            error = raised
        texts = self.all_gather(None if error is None else in_words(error))
        if error is not None:
            raise common(error)
        for rank, text in enumerate(texts):
            if text is not None:
                raise common(ProcessError(f"process {rank} failed: {text}", rank))
        return result

    # --- parts of exchanges -----------------------------------------------------------

    def _gather_rows(self, rows: NDArray[np.uint8]) -> None:
        """Complete an array of which each process has written its row."""
        self._to_all(rows[self.rank], list(rows))

    def _to_all(self, own: Bytes, found: list[Bytes]) -> None:
        self.exchange([own] * self.size, found)

    def _from_first(self, item: Bytes) -> None:
        """Send an array of process 0 to all others."""
        nothing: list[Bytes | None] = [None] * self.size
        if self.rank == 0:
            self.exchange([item] * self.size, nothing)
        else:
            self.exchange(nothing, [item, *nothing[1:]])


def in_words(error: BaseException) -> str:
    """The error with its type, in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def common(error: Exception) -> Exception:
    """The error, marked as one that all processes raise at the same place."""
    error.__dict__["bpcore_common"] = True
    return error


def _is_common(error: BaseException) -> bool:
    return getattr(error, "bpcore_common", False)


def _pickled(item: Any) -> Bytes:
    return np.frombuffer(bytearray(pickle.dumps(item, protocol=5)), np.uint8)
