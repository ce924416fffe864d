"""Time several threads and one: in a training step, and for several networks.

python -m bench.threads 784-1024-1024-10 --batch 128 --json threads.json

A step uses 1, 2, 4, ... threads, up to one per core, and the number that "auto"
chooses. Then several networks are trained at the same time, each in its own Python
thread, and many small ones by ``fit_many``.
"""

import argparse

from . import abreast, machine, many, pinning, records, report, tables, verdicts, verify
from .case import TABLE, Case
from .command import add_settings, net_name
from .peers import bpcore
from .timing import Spread, interleave


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle(cores=options.cores)
    where = machine.describe()
    print(machine.headline(where) + "\n")
    cases = [Case(net, options.batch, options.dtype) for net in options.nets] or [
        Case(net, batch, options.dtype) for net, batch in TABLE
    ]
    counts = _counts(options.cores)
    steps = [measure(case, counts, options.seconds) for case in cases]
    print(f"{table(steps)}\n", flush=True)
    networks = abreast.measure(counts, options.seconds)
    print(f"{abreast.table(networks)}\n", flush=True)
    fitted = many.measure(counts, options.seconds)
    print(many.table(fitted))
    results = steps + networks + fitted
    print(report.disturbance(results))
    settings = {"task": "threads", "seconds": options.seconds}
    record = {**where, "settings": settings, "results": results}
    print(f"\n{verdicts.table('threads', record)}")
    if options.json:
        records.write(options.json, record)


def measure(case, counts, seconds):
    """Verify a step with each number of threads, then time them all.

    Parameters
    ----------
    case : Case
    counts : list of int
        Numbers of threads, 1 among them; "auto" is added.
    seconds : float
        About how long to time.

    Returns
    -------
    dict
        The figures of one case, as JSON data except for the spreads.
    """
    made = {str(n): bpcore.Peer(case, n_threads=n) for n in (*counts, "auto")}
    error_of = verify.training(case)
    for name, peer in made.items():
        error = error_of(peer)
        if not error <= verify.MOVEMENT[case.dtype]:
            deviation = tables.deviation({"error": error})
            raise SystemExit(f"{case}: bpcore with n_threads={name} {deviation}")
    for name, peer in made.items():
        if not verify.same_bits(peer, made["1"]):
            raise SystemExit(f"{case}: n_threads={name} gives other bits than 1")
    actions = {name: peer.step for name, peer in made.items()}
    samples, robbed = interleave(actions, seconds)
    return {
        "net": case.net,
        "batch": case.batch,
        "dtype": case.dtype,
        "robbed": robbed,
        "threads": {
            name: {
                "seconds": Spread.of(times),
                "speedup": Spread.of(samples["1"] / times),
            }
            for name, times in samples.items()
        },
    }


def table(results):
    """One line for each net and number of threads."""
    rows = [("net", "batch", "threads", "us", "quartiles", "over one", "quartiles")]
    for result in results:
        for name, figures in result["threads"].items():
            rows.append(
                (
                    result["net"],
                    str(result["batch"]),
                    name,
                    *report.microseconds(figures["seconds"]),
                    *report.ratio(figures["speedup"]),
                )
            )
    return report.table(rows)


def _counts(cores):
    """1, 2, 4, ... and all cores."""
    return sorted({2**power for power in range(cores.bit_length())} | {cores})


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.threads",
        description="Time training steps with several threads and with one.",
    )
    add = parser.add_argument
    add("nets", nargs="*", type=net_name, metavar="NET", help="the whole table if none")
    add("--batch", type=int, default=32, metavar="N", help="rows, for a net given")
    add("--dtype", choices=("float32", "float64"), default="float32")
    cores = pinning.allowed_cores()
    add("--cores", type=int, default=cores, help="at most; all if not given")
    add_settings(add, 3.0)
    return parser


if __name__ == "__main__":
    main()
