"""Processes that differ or fail, run by mpiexec: ``python bad_processes.py CASE``.

Each process prints a line with its rank, the type of its error and the message.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from mpi4py import MPI

import bpcore as bp
from bpcore import distributed

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.sharded import QUIET, WIDE, X, Y, classifier, load, make

RANK = MPI.COMM_WORLD.Get_rank()
LAST = MPI.COMM_WORLD.Get_size() - 1


def fit(net=None, X=X, y=Y, **options):
    options = {"shards": 24, "timeout": 5, "epochs": 100_000} | options
    distributed.fit(make() if net is None else net, X, y, **QUIET | options)


def load_and_raise(k):
    if k == 23:
        raise KeyError("no such shard")
    return load(k)


def in_a_while(action, rank=LAST):
    """A function that loads shards; in one process it also begins a timer."""

    def load_and_begin(k):
        if rank == RANK:
            threading.Timer(random.uniform(0.0, 0.7), action).start()
        return load(k)

    return load_and_begin


def end_with(number):
    os.kill(os.getpid(), number)


def kill(rank=LAST):
    fit(X=in_a_while(lambda: end_with(signal.SIGKILL), rank), y=None)


def stall():
    fit(X=in_a_while(lambda: end_with(signal.SIGSTOP)), y=None, timeout=2)


def raise_in_step():
    net = make(loss=RaisesLater() if RANK == LAST else Loss(), output="identity")
    fit(net)


class Loss:
    """A loss that raises nothing; the processes compare its name."""

    def __init__(self):
        self.__qualname__ = "loss"

    def __call__(self, a, y):
        return ((a - y) ** 2).sum(axis=1)


class RaisesLater(Loss):
    """A loss that raises once training runs."""

    calls = 0

    def __call__(self, a, y):
        self.calls += 1
        if self.calls > 60:
            raise OverflowError("too much")
        return super().__call__(a, y)


def raise_in_callback(kind=LookupError):
    def stop(network, history):
        if len(history) == 3:
            raise kind("in the callback")

    fit(callbacks=[stop])


def one(here, elsewhere):
    return here if RANK == LAST else elsewhere


def many(rows=5, factor=1):
    nets = [make(rng=seed) for seed in range(4)]
    bp.fit_many(nets, X[:, :rows] * factor, Y, comm=MPI.COMM_WORLD, epochs=2)


CASES = {
    "run": fit,
    "kill": kill,
    "kill_first": lambda: kill(0),
    "stall": stall,
    "raise_in_step": raise_in_step,
    "raise_in_callback": raise_in_callback,
    "diverges in callback": lambda: raise_in_callback(bp.DivergenceError),
    "load": lambda: fit(X=load_and_raise, y=None),
    "rows": lambda: fit(X=one(X[:, :4], X)),
    "own rows only": lambda: fit(X=X[RANK::3][:60], y=Y[RANK::3][:60]),
    "too few": lambda: fit(X=(load(k) for k in range(one(7, 8))), y=None),
    "too many": lambda: fit(X=[load(k) for k in range(one(9, 8))], y=None),
    "width": lambda: fit(X=[(X[:9, : one(4, 5)], Y[:9])] * 8, y=None),
    "NaN": lambda: fit(X=[(X[:9] / one(0, 1), Y[:9])] * 8, y=None),
    "net": lambda: distributed.fit(one(None, make()), X, Y),
    "timeout": lambda: fit(timeout=one(0, 5)),
    "many networks": lambda: many(rows=one(4, 5)),
    "data of many": lambda: many(factor=one(2, 1)),
    "batch_size": lambda: fit(batch_size=one(9, 8)),
    "shards": lambda: fit(shards=one(12, 24)),
    "shards and processes": lambda: fit(shards=7),
    "dtype": lambda: fit(make(dtype=one("float64", "float32"))),
    "seed": lambda: fit(make(rng=RANK)),
    "optimizer": lambda: fit(make(bp.SGD(one(0.1, 0.2)))),
    "loss": lambda: fit(classifier() if RANK == LAST else make()),
    "validation": lambda: fit(validation=one(None, (X, Y))),
    "validation data": lambda: fit(validation=(X * one(2, 1), Y)),
    "isa": lambda: fit(make(sizes=WIDE)),
}


def main():
    name = sys.argv[1]
    if name == "isa" and RANK == LAST:
        from bpcore.engine import dispatch

        dispatch.use("x86_64_v2")
    start = time.monotonic()
    try:
        CASES[name]()
    except Exception as error:
        seconds = time.monotonic() - start
        text = " ".join(str(error).split())
        line = f"process {RANK} {type(error).__name__} {seconds < 30} {text}\n"
        sys.stdout.write(line)
        sys.stdout.flush()
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
