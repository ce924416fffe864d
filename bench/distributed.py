"""Training on several processes of this machine against one, and a model of clusters.

python -m bench.distributed --json distributed.json

Each case runs by mpiexec on 1, 2 and 4 processes with one thread each and the same
shards, so with the same bits.  As root on Linux, two processes also run on two hosts
that are simulated on this machine (hosts.py), with a network of 1 and of 10 Gb/s
between them, with and without the overlap of exchange and backpropagation.

The times of a step are medians over steps of the fastest round, in process 0: all of
it, and what it spends in exchanges, waiting for others included.  More processes than
cores share them: there is no gain to be seen then, but the exchange.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import bpcore as bp

from . import machine, records, report
from .distributed_model import (
    COPY,
    NETWORKS,
    Model,
    break_even,
    crossing,
    weak_scaling,
)
from .hosts import Hosts
from .mpiexec import is_open_mpi, launcher

NETS = {"784-128-10": [784, 128, 10], "784-1024-1024-10": [784, 1024, 1024, 10]}
#: Rows of a shard's mini-batch.
ROWS = (16, 64, 256)
SHARDS = 8
#: Networks: processes, whether exchange and backpropagation overlap, and for simulated
#: hosts the rate and the burst of their interfaces.
MEMORY = "memory"
RUNS = {
    MEMORY: ([(1, True), (2, True), (4, True)], None),
    "1 Gb/s": ([(2, True), (2, False)], ("1gbit", "1mb")),
    "10 Gb/s": ([(2, True), (2, False)], ("10gbit", "8mb")),
}


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    if options.worker:
        net, rows = options.worker
        found = measure(NETS[net], int(rows), options.steps, not options.whole)
        if (
            "mpi4py" not in sys.modules
            or sys.modules["mpi4py"].MPI.COMM_WORLD.rank == 0
        ):
            print(json.dumps(found))
        return
    where = machine.describe()
    print(machine.headline(where) + "\n")
    results = []
    for net in options.nets or NETS:
        for network, (runs, limits) in RUNS.items():
            results += on_network(net, network, runs, limits, options)
    print(table(results) + "\n")
    models = {}
    for alone in (found for found in results if found["processes"] == 1):
        models.setdefault(alone["net"], []).append(Model(alone))
    print(measured_break_even(results) + "\n")
    print(break_even(models) + "\n")
    print(weak_scaling(models))
    record = {**where, "settings": {"task": "distributed"}, "results": results}
    if options.json:
        records.write(options.json, record)


def on_network(net, network, runs, limits, options):
    """The fastest times of a net on one network, for all rows; none where it cannot."""
    with contextlib.ExitStack() as stack:
        how = []
        if limits is not None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            try:
                if is_open_mpi():
                    raise OSError("the options for hosts are MPICH's")
                hosts = stack.enter_context(Hosts(folder))
            except OSError as error:
                print(f"{network}: {error}")
                return []
            hosts.slow(*limits)
            how = hosts.options(2)
        found = {}
        for _ in range(options.rounds):
            for rows in ROWS:
                for count, overlaps in runs:
                    times = run(net, rows, count, overlaps, how, options.steps)
                    key = rows, count, overlaps
                    before = found.get(key, times)
                    found[key] = min(before, times, key=lambda t: t["step"])
    names = "rows", "processes", "overlap"
    return [
        {"net": net, "network": network}
        | dict(zip(names, (SHARDS * key[0], *key[1:]), strict=True))
        | times
        for key, times in found.items()
    ]


def run(net, rows, count, overlaps, how, steps):
    """The times of a net on so many processes."""
    command = [sys.executable, "-m", "bench.distributed", "--worker", net, str(rows)]
    command += ["--steps", str(steps), *([] if overlaps else ["--whole"])]
    if count > 1:
        command = [*launcher(count, *how), *command]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(next(line for line in text.splitlines() if line[:1] == "{"))


def measure(sizes, rows, steps, overlaps=True):
    """Median seconds of a step of this process, and of its exchange.

    If it does not overlap, gradients are sent when all layers are computed.
    """
    from bpcore.distributed.epochs import ShardedEpochs
    from bpcore.distributed.team import Team

    times, waits, updates = [], [0.0], []
    step, wait = ShardedEpochs.make_step, Team.wait
    descend = ShardedEpochs.descend

    def timed_wait(team, requests):
        start = time.perf_counter()
        wait(team, requests)
        waits[-1] += time.perf_counter() - start

    def timed_step(epochs, *arguments):
        waits.append(0.0)
        start = time.perf_counter()
        step(epochs, *arguments)
        times.append(time.perf_counter() - start)

    def timed_descend(epochs, *arguments):
        start, waited = time.perf_counter(), waits[-1]
        descend(epochs, *arguments)
        spent = time.perf_counter() - start
        updates.append(spent - (waits[-1] - waited))

    ShardedEpochs.make_step, Team.wait = timed_step, timed_wait
    ShardedEpochs.descend = timed_descend
    if not overlaps:
        ShardedEpochs.sends_layers = False
    rng = np.random.default_rng(0)
    n = SHARDS * rows * steps
    X = rng.random((SHARDS * rows * 4, sizes[0]), np.float32)
    y = rng.integers(0, sizes[-1], len(X))
    net = bp.Network(
        sizes, loss="cross_entropy", optimizer=bp.Adam(), rng=0, n_threads=1
    )
    bp.distributed.fit(
        net, X, y, shards=SHARDS, batch_size=rows, epochs=n // len(X), progress=False
    )
    skipped = len(times) // 5  # the first steps allocate
    return {
        "step": median(times[skipped:]),
        "exchange": median(waits[1:][skipped:]),
        "update": median(updates[skipped:]),
        "parameters": net.parameters.size,
    }


def table(results):
    """The measured times, and what the model expects."""
    head = ["milliseconds a step", "rows", "network", "processes", "all", "exchange"]
    lines = [[*head, "speed-up", "model"]]
    alone = {(f["net"], f["rows"]): f for f in results if f["processes"] == 1}
    cores = len(os.sched_getaffinity(0))
    for found in results:
        of_one = alone[found["net"], found["rows"]]
        model, count, network = Model(of_one), found["processes"], found["network"]
        speed = NETWORKS.get(network, COPY)
        expected = model.step(found["rows"], count, speed, cores)
        numbers = [
            *(1e3 * found["step"], 1e3 * found["exchange"]),
            *(of_one["step"] / found["step"], 1e3 * expected),
        ]
        how = "" if found["overlap"] else ", no overlap"
        names = [found["net"], f"{found['rows']:,}", network + how, str(count)]
        lines.append([*names, *(f"{number:.2f}" for number in numbers)])
    return report.table(lines)


def measured_break_even(results):
    """Rows of a step from which two processes are faster, measured and by the model."""
    lines = [["rows to break even, 2 processes", "network", "measured", "model"]]
    for net in dict.fromkeys(found["net"] for found in results):
        own = [found for found in results if found["net"] == net and found["overlap"]]
        alone = [found for found in own if found["processes"] == 1]
        for network in dict.fromkeys(found["network"] for found in own):
            several = [
                found
                for found in own
                if found["network"] == network and found["processes"] == 2
            ]
            measured = crossing(
                [found["rows"] for found in alone],
                [found["step"] for found in alone],
                [found["step"] for found in several],
            )
            speed = NETWORKS.get(network, COPY)
            least = [Model(found).least_rows(2, speed) for found in alone]
            span = f"{min(least):,.0f} to {max(least):,.0f}"
            lines.append([net, network, measured, span])
    return report.table(lines)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", nargs="+", choices=[*NETS], help="only these")
    parser.add_argument("--steps", type=int, default=40, help="steps of each case")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest counts")
    parser.add_argument("--json", type=Path, help="a file for the results")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
