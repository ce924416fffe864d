"""Time a traced step, a record of gradient flow, and a stored-gradient step.

python -m bench.tracing --json tracing.json

The stored-gradient step is ``net.apply(net.gradients(X, y))``: the same arithmetic, and
one array of gradients. A trace stores all other arrays too, and does not change the
network.
"""

import argparse

import bpcore

from . import machine, pinning, records, report, verdicts
from .case import LEARNING_RATE, MOMENTUM, Case
from .command import add_settings
from .peers import bpcore as own
from .timing import Spread, interleave

NETS = (("2-16-2", 1), ("4-64-64-2", 32), ("784-128-10", 128))
NETS += (("784-1024-1024-10", 128),)

#: Optimizers by name; each with one thread and with one thread per core.
OPTIMIZERS = {
    "SGD": bpcore.SGD(LEARNING_RATE, momentum=MOMENTUM),
    "Adam": bpcore.Adam(1e-4),
}


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle(cores=options.cores)
    where = machine.describe()
    print(machine.headline(where) + "\n")
    results = [
        measure(Case(*line), name, threads, options.seconds)
        for line in NETS
        for name in OPTIMIZERS
        for threads in sorted({1, options.cores})
    ]
    print(table(results))
    print(report.disturbance(results))
    settings = {"task": "tracing", "seconds": options.seconds}
    record = {**where, "settings": settings, "results": results}
    print(f"\n{verdicts.table('tracing', record)}")
    if options.json:
        records.write(options.json, record)


def measure(case, optimizer, threads, seconds):
    """Compare the bits of both steps, then time them.

    Returns
    -------
    dict
        The figures of one case, as JSON data except for the spreads.
    """
    peer = own.Peer(case, optimizer=OPTIMIZERS[optimizer], n_threads=threads)
    net, X, y = peer._net, case.X, case.y
    trace = bpcore.trace(net, X, y)
    net.apply(net.gradients(X, y))
    for stepped, traced in (
        (net.weights, trace.after.weights),
        (net.biases, trace.after.biases),
    ):
        if any(
            a.tobytes() != b.tobytes() for a, b in zip(stepped, traced, strict=True)
        ):
            raise SystemExit(f"{case}: the traced step has other bits than the step")
    flow = bpcore.GradientFlow(X, y)
    actions = {
        "stored": lambda: net.apply(net.gradients(X, y)),
        "trace": lambda: bpcore.trace(net, X, y),
        "flow": lambda: flow.record(net, 1),
    }
    samples, robbed = interleave(actions, seconds)
    return {
        "net": case.net,
        "batch": case.batch,
        "dtype": case.dtype,
        "optimizer": optimizer,
        "threads": threads,
        "robbed": robbed,
        "steps": {
            name: {
                "seconds": Spread.of(times),
                "over_stored": Spread.of(times / samples["stored"]),
            }
            for name, times in samples.items()
        },
    }


def table(results):
    """One line for each net, optimizer, number of threads, and way of a step."""
    head = ("net", "batch", "optimizer", "threads", "", "us", "quartiles")
    rows = [(*head, "over stored", "quartiles")]
    for result in results:
        for name, figures in result["steps"].items():
            rows.append(
                (
                    *(str(result[key]) for key in ("net", "batch", "optimizer")),
                    str(result["threads"]),
                    name,
                    *report.microseconds(figures["seconds"]),
                    *report.ratio(figures["over_stored"]),
                )
            )
    return report.table(rows)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.tracing",
        description="Time a traced step and a stored-gradient step.",
    )
    add = parser.add_argument
    cores = pinning.allowed_cores()
    add("--cores", type=int, default=cores, help="at most; all if not given")
    add_settings(add, 1.0)
    return parser


if __name__ == "__main__":
    main()
