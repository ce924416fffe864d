"""Messages by MPI (mpi4py), and the choice of the processes of a fit.

Only sends and receives between two processes are used, none of them blocking: MPI's
reductions have an order of their own, and its blocking calls wait for ever for a
process that has ended.  Whoever waits checks now and then whether all are alive
(liveness.py).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any

from bpcore.distributed.liveness import Liveness
from bpcore.distributed.team import Alone, Bytes, Team, in_words
from bpcore.errors import ProcessError
from bpcore.quoting import quoted

#: Environment variables that launchers of MPI set: the number of processes.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMIX_SIZE")

#: The tag of all messages, on a communicator of our own.
TAG = 1

#: Most bytes of one message: MPI counts bytes in 32 bits.
MOST = 1 << 30

#: Seconds of silence after which a process counts as lost, unless a fit sets others.
TIMEOUT = 30.0

#: Seconds in which all processes must begin a fit.
TO_BEGIN = 600.0

#: Seconds for the other processes to raise their errors, before all are ended.
GRACE = 2.0

#: Seconds for MPI_Abort, after which the process just ends.
TO_ABORT = 10.0

#: Seconds of waiting before the first sleep, and of the longest sleep.  A sleep is a
#: small part of the time waited so far, so that it adds as little.
SPINNING, LONGEST, PART = 200e-6, 1e-3, 1 / 8


def team_of(comm: Any) -> Team:
    """The processes of a communicator; None stands for all that mpiexec started.

    Raises
    ------
    TypeError, ValueError
        If it is no communicator, or one without this process.
    ImportError
        If there are several and mpi4py is missing.
    """
    if comm is None:
        if not any(int(os.environ.get(name) or 1) > 1 for name in SIZES):
            return Team(Alone())
        try:
            from mpi4py import MPI  # not needed by a single process
        except ImportError:
            raise ImportError(
                "several processes were started by MPI, and need mpi4py to train "
                "together: pip install bpcore[mpi]"
            ) from None
        comm = MPI.COMM_WORLD
    if not all(hasattr(comm, name) for name in ("Idup", "Isend", "Irecv", "Get_size")):
        raise TypeError(
            "comm must be a communicator of mpi4py, such as MPI.COMM_WORLD, or None; "
            f"got {quoted(comm)}"
        )
    if not comm or comm.Is_inter():
        raise ValueError(
            "comm must be of this process and others in one group; got "
            f"{'an intercommunicator' if comm else 'a null communicator'}"
        )
    return Team(Processes(comm) if comm.Get_size() > 1 else Alone())


class Processes:
    """The transport of processes by MPI.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        It is duplicated, so that no message mixes with others.
    """

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI

        self.mpi, self.process = MPI, os.getpid()
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self.liveness: Liveness | None = None
        self.begun, self.limit = time.monotonic(), TO_BEGIN
        try:
            self.begin(comm)
        except BaseException:
            abort_at_exit(MPI)
            raise

    def begin(self, comm: Any) -> None:
        """Wait for all processes, and connect them for signs of life."""
        self.comm, request = comm.Idup()
        self.wait([request])
        self.begun, self.limit = time.monotonic(), TIMEOUT  # all are here
        self.comm.Set_errhandler(self.mpi.ERRORS_RETURN)
        liveness = Liveness(self.rank, self.size, TIMEOUT)
        team = Team(self)  # of exchanges at the beginning
        hosts = team.all_gather(socket.gethostname())
        address = team.broadcast(partial(liveness.listen, hosts))
        liveness.begin(address)
        self.liveness = liveness
        team.all_gather(None)  # all are connected

    @property
    def is_own(self) -> bool:
        """Whether this is the process that began, not a child of it by a fork."""
        return os.getpid() == self.process

    def require_own(self) -> None:
        """Raise a ProcessError in a child."""
        if not self.is_own:
            raise ProcessError(
                "a child process by fork cannot go on with a fit on several processes; "
                "its parent does"
            )

    def post(
        self, sends: Sequence[Bytes | None], receives: Sequence[Bytes | None]
    ) -> list[Any]:
        self.require_own()
        requests = []
        for rank, array in enumerate(receives):
            if array is not None and rank != self.rank:
                requests += [
                    self.comm.Irecv(piece, source=rank, tag=TAG)
                    for piece in _pieces(array)
                ]
        for shift in range(1, self.size):  # not all to the same one first
            rank = (self.rank + shift) % self.size
            array = sends[rank]
            if array is not None:
                requests += [
                    self.comm.Isend(piece, dest=rank, tag=TAG)
                    for piece in _pieces(array)
                ]
        return requests

    def wait(self, requests: list[Any]) -> None:
        self.require_own()
        done: Callable[[list[Any]], bool] = self.mpi.Request.Testall
        start = time.perf_counter()
        while True:
            try:
                if done(requests):
                    return
            except self.mpi.Exception as error:
                self.require_alive(patient=True)
                raise ProcessError(f"MPI failed: {error}") from error
            self.require_alive()
            waited = time.perf_counter() - start
            time.sleep(0 if waited < SPINNING else min(PART * waited, LONGEST))

    def require_alive(self, patient: bool = False) -> None:
        """Raise a ProcessError if another process has failed."""
        if self.liveness is not None:
            try:
                self.liveness.require_all(patient)
            except ProcessError:
                abort_at_exit(self.mpi)
                raise
        elif time.monotonic() - self.begun > self.limit:
            abort_at_exit(self.mpi)
            raise ProcessError(
                f"not all of {self.size} processes have begun this fit within "
                f"{self.limit:g} seconds"
            )

    def limit_silence(self, timeout: float) -> None:
        if self.liveness is not None:
            self.liveness.limit_silence(timeout)

    def fail(self, error: BaseException) -> None:
        if not self.is_own:
            return
        abort_at_exit(self.mpi)
        if self.liveness is not None:
            self.liveness.fail(in_words(error))

    def close(self) -> None:
        if not self.is_own:
            return
        failed = self.liveness is None or self.liveness.failure is not None
        if self.liveness is not None:
            self.liveness.close()
        if not failed:
            self.comm.Free()


def _pieces(array: Bytes) -> list[Bytes]:
    """The array in pieces that MPI can count."""
    if len(array) <= MOST:
        return [array]
    return [array[first : first + MOST] for first in range(0, len(array), MOST)]


_aborts: list[bool] = []


def abort_at_exit(mpi: Any) -> None:
    """End all processes of mpiexec when this program ends.

    After a failure MPI_Finalize, which mpi4py calls then, would wait for ever.
    """
    if not _aborts:
        import atexit

        _aborts.append(True)
        atexit.register(_abort, mpi, os.getpid())


def _abort(mpi: Any, process: int) -> None:
    import signal
    import sys

    if os.getpid() != process:
        return
    if hasattr(signal, "alarm"):  # MPI_Abort waits where the network is gone
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(ceil(GRACE + TO_ABORT))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if not mpi.Is_finalized():
        time.sleep(GRACE)
        mpi.COMM_WORLD.Abort(1)
