"""Training on several processes of this machine against one, and a model of clusters.

python -m bench.distributed --json distributed.json

Each case runs by mpiexec on 1, 2 and 4 processes with one thread each and the same
shards, so with the same bits.  The times of a step are medians over steps of the
fastest round, in process 0: all of it, and what it spends in exchanges, waiting for
others included.  More
processes than cores share them: there is no gain to be seen then, but the exchange.

The model takes from these measurements the seconds of a row, of the optimizer's step
and of a message, and the bandwidth from the network.  Its step on P processes::

    T = rows C / P + U / P + 2 (P - 1) / P (G / bandwidth + G / copy) + 2 (P - 1) M

with G bytes of gradient, which each process sends in parts, and receives as parameters.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

import bpcore as bp

from . import machine, records, report

#: Sizes of the network, and rows of a shard's mini-batch.
CASES = {
    "784-128-10, 8 x 32": ([784, 128, 10], 32),
    "784-1024-1024-10, 8 x 32": ([784, 1024, 1024, 10], 32),
    "784-1024-1024-10, 8 x 256": ([784, 1024, 1024, 10], 256),
}
SHARDS = 8
PROCESSES = (1, 2, 4)
#: Bytes a second of 1, 10 and 100 Gb/s.
NETWORKS = {"1 Gb/s": 1.25e8, "10 Gb/s": 1.25e9, "100 Gb/s": 1.25e10}
#: Seconds of a message on a network: of its latency, and of the library's code.
LATENCY = 20e-6


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    if options.worker:
        found = measure(*CASES[options.worker], options.steps)
        if (
            "mpi4py" not in sys.modules
            or sys.modules["mpi4py"].MPI.COMM_WORLD.rank == 0
        ):
            print(json.dumps(found))
        return
    where = machine.describe()
    print(machine.headline(where) + "\n")
    results = {
        name: best_of(name, options.rounds, options.steps)
        for name in options.cases or CASES
    }
    print(table(results) + "\n")
    models = {name: Model(*CASES[name], found) for name, found in results.items()}
    print(check(results, models) + "\n")
    print(break_even(models) + "\n")
    print(weak_scaling(models))
    record = {**where, "settings": {"task": "distributed"}, "results": results}
    if options.json:
        records.write(options.json, record)


def best_of(name, rounds, steps):
    """The times of a case on each number of processes, of its fastest round."""
    found = {}
    for _ in range(rounds):
        for count in PROCESSES:
            times = run(name, count, steps)
            found[count] = min(found.get(count, times), times, key=lambda t: t["step"])
    return found


def run(name, count, steps):
    """The times of a case on so many processes."""
    found = shutil.which("mpiexec", path=Path(sys.executable).parent)
    mpiexec = found or shutil.which("mpiexec")
    command = [sys.executable, "-m", "bench.distributed", "--worker", name]
    command += ["--steps", str(steps)]
    if count > 1:
        command = [mpiexec, "-n", str(count), *command]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(next(line for line in text.splitlines() if line[:1] == "{"))


def measure(sizes, rows, steps):
    """Median seconds of a step of this process, and of its exchange."""
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


class Model:
    """Seconds of a step, from measurements on this machine."""

    def __init__(self, sizes, rows, results):
        alone = results[1]
        self.bytes = 4 * alone["parameters"]
        self.update = alone["update"]
        self.row = (alone["step"] - alone["update"]) / (SHARDS * rows)
        #: Copies of a message in memory, on both sides.
        self.copy = 4e9

    def exchange(self, processes, bandwidth):
        """Seconds of the exchanges of a step."""
        share = (processes - 1) / processes
        transfer = 2 * share * self.bytes * (1 / bandwidth + 1 / self.copy)
        return transfer + 2 * (processes - 1) * LATENCY

    def step(self, rows, processes, bandwidth):
        """Seconds of a step of so many rows."""
        work = rows * self.row + self.update
        return work / processes + self.exchange(processes, bandwidth) * (processes > 1)

    def least_rows(self, processes, bandwidth):
        """Rows of a step from which so many processes are as fast as one."""
        saved = 1 - 1 / processes
        cost = self.exchange(processes, bandwidth) - saved * self.update
        return max(0.0, cost / (saved * self.row))


def table(results):
    """The measured times."""
    rows = [["milliseconds a step", "processes", "all", "exchange", "speed-up"]]
    for name, of_case in results.items():
        for count, found in of_case.items():
            speed = of_case[1]["step"] / found["step"]
            numbers = (1e3 * found["step"], 1e3 * found["exchange"], speed)
            rows.append([name, str(count), *(f"{number:.2f}" for number in numbers)])
    return report.table(rows)


def check(results, models):
    """The model against what was measured, with this machine's memory as network."""
    rows = [["milliseconds a step", "processes", "measured", "model"]]
    cores = len(os.sched_getaffinity(0))
    for name, of_case in results.items():
        size = SHARDS * CASES[name][1]
        for count in PROCESSES[1:]:
            model = models[name]
            work = (size * model.row + model.update) / min(count, cores)
            expected = work + model.exchange(count, model.copy)
            measured = of_case[count]["step"]
            rows.append(
                [name, str(count), f"{1e3 * measured:.2f}", f"{1e3 * expected:.2f}"]
            )
    return report.table(rows)


def break_even(models):
    """Rows of a step from which several processes are faster."""
    rows = [["rows a step to break even", "processes", *NETWORKS]]
    for name, model in models.items():
        for count in (2, 8, 64):
            least = (model.least_rows(count, speed) for speed in NETWORKS.values())
            rows.append(
                [name.partition(",")[0], str(count), *(f"{n:,.0f}" for n in least)]
            )
    return report.table(rows)


def weak_scaling(models):
    """The share of the time that is work, with 256 rows a step in each process."""
    rows = [["work at 256 rows a process", "processes", *NETWORKS]]
    for name, model in models.items():
        for count in (4, 32, 256, 1024):
            alone = 256 * model.row + model.update
            shares = (
                alone / model.step(256 * count, count, speed)
                for speed in NETWORKS.values()
            )
            rows.append(
                [name.partition(",")[0], str(count), *(f"{s:.0%}" for s in shares)]
            )
    return report.table(rows)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", nargs="+", choices=[*CASES], help="only these")
    parser.add_argument("--steps", type=int, default=60, help="steps of each case")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest counts")
    parser.add_argument("--json", type=Path, help="a file for the results")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
