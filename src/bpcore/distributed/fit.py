"""fit: training on several processes, with the same bits on any number of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from numpy.typing import ArrayLike

from bpcore import checks
from bpcore.distributed.agreement import threads_of_each
from bpcore.distributed.mpi import team_of
from bpcore.distributed.preparation import prepare
from bpcore.distributed.training import ShardedFit
from bpcore.files.native.fit_file import read_resumed
from bpcore.network import Network, learner_of
from bpcore.training.history import History
from bpcore.training.learner import Learner


def fit(
    net: Network,
    X: ArrayLike | Callable[[int], Any] | Iterable[Any],
    y: ArrayLike | None = None,
    *,
    shards: int = 8,
    comm: Any = None,
    timeout: float = 30.0,
    **options: Any,
) -> History:
    """Train a network on the processes that ``mpiexec`` started, or on one.

    The rows lie in `shards` consecutive parts, each shuffled by a stream of its own.  A
    step takes one mini-batch from each, and adds their gradients in one fixed order,
    that of ``Network.fit(accumulate=shards)``.  So the result depends on `shards`, but
    not on the number of processes: parameters, optimizer state and history have the
    same bits on 1, 2, 4, ... of them.

    Parameters
    ----------
    net : Network
        The same in every process: give it the same `rng`.
    X, y : array-like
        As for ``Network.fit``: all rows, of which each process reads its shards only,
        as arrays, memory maps or tables.  Or X alone as a function: ``X(k)`` returns
        (X, y) or (X, y, sample_weight) of shard k, and is called once for each shard
        of this process.  Or X alone as an iterable that yields these for the shards of
        this process, in order: process r of N has ``shards // N`` of them, from
        ``shards // N * r`` on.  It is iterated over once, before training begins.
        Data of the network's dtype in C order is used in place.
    shards : int
        A multiple of the number of processes.
    comm : mpi4py.MPI.Comm, optional
        The processes.  By default all that were started together by ``mpiexec`` or
        ``srun``; this process alone without one of them, and then without mpi4py.
    timeout : float
        Seconds of silence after which another process counts as lost.
    **options
        As for ``Network.fit``.  `batch_size` is that of a shard's mini-batch: a step
        has up to ``shards * batch_size`` rows.  `validation` must be given in every
        process, and is measured by process 0, which also calls the `callbacks` and
        shows the progress; metrics need it.  `resume` names a file that process 0 can
        read, of a fit with the same `shards` on any number of processes.  Not
        `accumulate`, `batch_callbacks`, `steps_per_epoch` and numerical gradients.

    Returns
    -------
    History
        The same in every process.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the processes differ in their version,
        dtype, network, settings or fused multiply-add; nothing has changed in any.
    ProcessError
        If another process raised an error or was lost; it names the process.  The
        parameters are those of the last step, the optimizer's state begins anew, and
        the processes end when the program does.
    DivergenceError
        As in ``Network.fit``, in every process.
    ImportError
        If there are several processes and mpi4py is missing.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> from bpcore import distributed
    >>> X = np.linspace(-1, 1, 64)[:, None]
    >>> net = bp.Network([1, 8, 1], optimizer=bp.Adam(0.05), rng=0)
    >>> history = distributed.fit(net, X, X**2, shards=4, epochs=30, progress=False)
    >>> bool(history.loss[-1] < 0.02)
    True
    """
    with team_of(comm) as team:
        learner, seconds = team.together(partial(_checked, net, timeout))
        team.limit_silence(seconds)
        prepared = prepare(team, learner, net, X, y, shards, options, read_resumed)
        wanted = learner.engine.n_threads
        threads = threads_of_each(team, wanted)
        try:
            learner.engine.use_threads(threads)
            return ShardedFit(
                learner, net, prepared.given, prepared.resumed, prepared.data, team
            ).run()
        finally:
            learner.engine.use_threads(wanted)


def _checked(net: Network, timeout: float) -> tuple[Learner, float]:
    """The learner of the network and the timeout, both checked."""
    checks.instance("net", net, Network)
    return learner_of(net), checks.number("timeout", timeout, above=0.0)
