"""The peak memory of a training run, compared with its minimum.

python -m bench.memory 784-128-10 --batch 128 --json memory.json

Each run is made twice, each time in its own process: once to measure allocated memory,
and once to measure the growth of resident memory. The measurement starts after the data
are made and before the network is, and so includes the network.
"""

import argparse

from . import footprint, machine, pinning, records, report, targets, verdicts
from .case import Case
from .command import net_name

TABLE = tuple(dict.fromkeys((t.at["net"], t.at["batch"]) for t in targets.of("memory")))


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle()
    where = machine.describe()
    print(machine.headline(where) + "\n")
    cases = [(name, options.batch) for name in options.nets] or TABLE
    results = [
        measure(Case(net, batch, options.dtype), path)
        for net, batch in cases
        for path in footprint.PATHS
    ]
    print(table(results))
    record = {**where, "settings": {"task": "memory"}, "results": results}
    print(f"\n{verdicts.table('memory', record)}")
    if options.json:
        records.write(options.json, record)


def measure(case, path):
    """Minimum and measured bytes of one way of training, as JSON data."""
    needed = footprint.needed(case, path)
    taken = {gauge: footprint.taken(case, path, gauge) for gauge in footprint.GAUGES}
    return {
        "net": case.net,
        "batch": case.batch,
        "dtype": case.dtype,
        "path": path,
        "needed": needed,
        **taken,
        **{f"{gauge}_beyond": peak - needed for gauge, peak in taken.items()},
    }


def table(results):
    """One line for each net and way to train."""
    rows = [("net", "batch", "by", "needs MB", "allocated MB", "resident MB")]
    for result in results:
        megabytes = [
            report.number(result[name] / 1e6) for name in ("needed", *footprint.GAUGES)
        ]
        rows.append((result["net"], str(result["batch"]), result["path"], *megabytes))
    return report.table(rows)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.memory",
        description="Measure the peak memory of training runs.",
    )
    add = parser.add_argument
    add("nets", nargs="*", type=net_name, metavar="NET", help="the whole table if none")
    add("--batch", type=int, default=32, metavar="N", help="rows, for a net given")
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--json", metavar="FILE", help="file for all figures and the machine")
    return parser


if __name__ == "__main__":
    main()
