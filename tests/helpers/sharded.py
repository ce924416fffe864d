"""Fits that must have the same bits on any number of processes; also run by mpiexec.

As a program, ``python sharded.py [NAME ...]`` runs them in every process, and process 0
prints a line with a digest of each, which covers all processes.
"""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

import bpcore as bp
from bpcore import distributed
from bpcore.batches.stream import batch_count
from bpcore.distributed.shards import bounds
from bpcore.schedules import CosineRestarts, ReduceOnPlateau

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.optimizers import OPTIMIZERS

RNG = np.random.default_rng(0)
N = 203
X = RNG.normal(size=(N, 5)).astype("float32")
Y = RNG.normal(size=(N, 3)).astype("float32")
LABELS = RNG.integers(0, 3, N)
WEIGHT = RNG.uniform(0.1, 3, N)
SOME_ZERO = np.where((np.arange(N) // 20) % 3 == 1, 0.0, WEIGHT)
QUIET = {"epochs": 3, "batch_size": 8, "progress": False}
#: More parameters than one part has at least.
WIDE = (5, 300, 30, 3)


def make(optimizer=None, sizes=(5, 37, 3), library=bp, **settings):
    settings = {"activation": "tanh", "rng": 0, **settings}
    optimizer = optimizer or bp.Adam(1e-2)
    return library.Network(sizes, optimizer=optimizer, **settings)


def classifier(optimizer=None, **settings):
    return make(optimizer, loss="cross_entropy", **settings)


class MiniBatches:
    """The mini-batches of a fit on shards, for ``Network.fit(accumulate=shards)``."""

    def __init__(self, net, X, y, shards, size, weight=None):
        self.arrays = [X, y] if weight is None else [X, y, weight]
        self.shards, self.size = shards, size
        self.joins = "batch" in net.learner.design.norms
        self.bits = np.random.PCG64(0)
        self.bits.state = net.learner.state.bits.state
        self.shuffle = net.learner.engine.shuffle

    def __iter__(self):
        seeds, orders = self.bits.random_raw(self.shards), []
        rows = bounds(len(self.arrays[0]), self.shards)
        for seed, (first, end) in zip(seeds, rows, strict=True):
            order = np.arange(end - first)
            words = np.random.PCG64(int(seed)).random_raw(len(order))
            self.shuffle(order, words)
            orders.append(first + order)
        counts = [batch_count(len(order), self.size, self.joins) for order in orders]
        for step in range(max(counts)):
            for order, count in zip(orders, counts, strict=True):
                if step < count:
                    end = None if step == count - 1 else (step + 1) * self.size
                    at = order[step * self.size : end]
                    yield tuple(array[at] for array in self.arrays)


class Halves:
    """A callback that changes the network: it halves the biases of layer 0."""

    def __call__(self, network, history):
        network.biases[0][...] /= 2
        return len(history) == 2


def steps_of_its_own(network, history):
    network.train_step(X[:4], Y[:4])
    if len(history) == 2:
        network.optimizer = bp.Adamax(1e-2)


def learned(net, history):
    """A digest of a network and its history, without seconds."""
    found = hashlib.sha256()
    for name, array in net.learner.state.to_arrays().items():
        found.update(name.encode() + array.tobytes())
    for name, values in sorted(history.to_dict().items()):
        if name != "seconds":
            found.update(f"{name} {np.asarray(values).tolist()}".encode())
    found.update(f"{history.stopped} {history.best_epoch}".encode())
    return found.hexdigest()[:16]


def train(net, X=X, y=Y, *, shards=24, **options):
    return learned(net, distributed.fit(net, X, y, shards=shards, **QUIET | options))


def load(k):
    first, end = bounds(N, 24)[k]
    return X[first:end], Y[first:end], WEIGHT[first:end]


def own_shards():
    """A generator of the shards of this process, all from one buffer."""
    comm = world()
    rank, size = (0, 1) if comm is None else (comm.Get_rank(), comm.Get_size())
    buffer = np.empty((30, 5))
    for k in range(24 // size * rank, 24 // size * (rank + 1)):
        rows, labels, weight = load(k)
        buffer[: len(rows)] = rows
        yield buffer[: len(rows)], labels, weight


def load_unequal(k):
    """Shards of 3 to 52 rows: in each step some have none left."""
    rows = (np.arange(3 + k * 7 % 50) + 11 * k) % N
    return X[rows], Y[rows]


def resumed():
    """Stopped after an epoch, with its file in process 0, and gone on with."""
    from bpcore.distributed.mpi import team_of

    options = {"validation": (X[:40], Y[:40]), "restore_best": True, "min_delta": 0.1}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.bpc")
        train(make(sizes=WIDE), epochs=2, callbacks=[bp.Checkpoint(path)], **options)
        with team_of(None) as team:  # every process has the name of that file
            path = team.broadcast(lambda: path)
        return train(make(sizes=WIDE), epochs=4, resume=path, **options)


def whole_of_resumed():
    options = {"validation": (X[:40], Y[:40]), "restore_best": True, "min_delta": 0.1}
    return train(make(sizes=WIDE), epochs=4, **options)


def diverges():
    net = make(bp.SGD(1e30), output="identity")
    try:
        return train(net)
    except bp.DivergenceError as error:
        arrays = net.learner.state.to_arrays()
        return f"{error} {hashlib.sha256(arrays['parameters'].tobytes()).hexdigest()}"


def twice():
    net = make()
    return train(net), train(net, shuffle=False)


def frozen():
    net = make(bp.Adam(1e-2, clip_norm=0.1), norm="batch", sizes=(5, 20, 9, 3))
    net.frozen = [True, False, False]
    net.lr_factors = [1, (0.5, 2.0), 1]
    return train(net)


def many():
    """Networks spread over processes: results, errors and callbacks' changes."""

    def check(network, history):
        if network is nets[3] and len(history) == 2:
            raise KeyError("mine")
        if network is nets[4]:
            network.optimizer = bp.Adam(0.5)

    rates = [0.1, lambda epoch: 0.2, 1e30, 0.3, 0.4, 0.5, 0.6]
    nets = [make(bp.SGD(lr), output="identity", rng=3) for lr in rates]
    try:
        bp.fit_many(
            nets, X, Y, comm=world(), callbacks=[check], **QUIET | {"epochs": 3}
        )
    except* KeyError as group:
        fitted = group.fitted
    assert [fit.network for fit in fitted] == nets
    return [
        (learned(net, net.history), net.history is history, str(error))
        for net, history, error in fitted
    ]


def small_pieces():
    """Messages in more pieces than one."""
    from bpcore.distributed import mpi

    before, mpi.MOST = mpi.MOST, 1000
    try:
        return train(make(sizes=WIDE, norm="batch"))
    finally:
        mpi.MOST = before


def world():
    """The communicator of mpi4py if there are several processes."""
    from bpcore.distributed.mpi import SIZES

    if not any(name in os.environ for name in SIZES):
        return None
    from mpi4py import MPI

    return MPI.COMM_WORLD


CASES = {
    **{
        f"{type(optimizer).__name__} {i}": lambda optimizer=optimizer: train(
            make(optimizer, sizes=WIDE),
            batch_size=None if optimizer.full_batch else 8,
        )
        for i, optimizer in enumerate(OPTIMIZERS)
    },
    "float64": lambda: train(make(dtype="float64", sizes=WIDE)),
    "clipped, tiny": lambda: train(
        make(bp.SGD(0.1, clip_norm=1e-3), sizes=WIDE), X * 1e-30, Y * 1e-30
    ),
    "noise": lambda: train(make(dropout=0.3, input_noise=0.1)),
    "batch norm": lambda: train(make(norm="batch", sizes=WIDE)),
    "layer norm": lambda: train(make(norm="layer", input_scale=1.0)),
    "frozen": frozen,
    "weights": lambda: train(make(), sample_weight=WEIGHT),
    "some weights 0": lambda: train(make(norm="batch"), sample_weight=SOME_ZERO),
    "class weights": lambda: train(
        classifier(),
        y=LABELS,
        class_weight="balanced",
        sample_weight=WEIGHT,
        validation=0.2,
        metrics=["accuracy"],
    ),
    "best by loss": lambda: train(make(), restore_best=True, patience=1, epochs=6),
    "best by validation": lambda: train(
        make(bp.Adam(0.5)), validation=(X[:50], Y[:50]), restore_best=True, patience=2
    ),
    "schedule": lambda: train(make(bp.Adam(CosineRestarts(0.1, 30, per="step")))),
    "plateau": lambda: train(make(bp.SGD(ReduceOnPlateau(0.5, patience=1))), epochs=6),
    "unequal shards": lambda: train(make(norm="batch"), load_unequal, None),
    "function": lambda: train(make(), load, None),
    "iterable": lambda: train(make(), own_shards(), None),
    "custom loss": lambda: train(
        make(loss=lambda a, y: ((a - y) ** 2).sum(axis=1), output="identity")
    ),
    "callback": lambda: train(make(sizes=WIDE), callbacks=[Halves()]),
    "steps of a callback": lambda: train(
        make(sizes=WIDE), callbacks=[steps_of_its_own], restore_best=True
    ),
    "resumed": resumed,
    "diverges": diverges,
    "many": many,
    "pieces": small_pieces,
    "twice": twice,
    "few rows": lambda: train(make(), X[:30], Y[:30]),
    "threads": lambda: train(make(sizes=WIDE, n_threads=2)),
    "reference": lambda: train(make(library=bp.reference, sizes=WIDE, norm="batch")),
}


def main():
    from bpcore.distributed.mpi import team_of

    names = sys.argv[1:] or [*CASES]
    for name in names:
        found = CASES[name]()
        with team_of(None) as team:
            every = team.all_gather(found)
            if team.rank == 0:
                same = len({str(each) for each in every}) == 1
                print(json.dumps([name, found if same else every]), flush=True)


if __name__ == "__main__":
    main()
