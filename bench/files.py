"""Time of saving and loading a network, compared with NumPy's files of the same bytes.

python -m bench.files --json files.json

The network has ten million parameters and plain SGD, so that its file has the bytes of
its parameters and a little more.  Neither waits for the disk.  The files lie in a
temporary folder, in the page cache.  All cores may be used: large files are read by
several threads, and checked while they are written.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import numpy as np

import bpcore as bp

from . import machine, records, report

#: 10,005,000 parameters.
SIZES = (2000, 2000, 2000, 1000)


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    where = machine.describe()
    print(machine.headline(where) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), options.rounds)
    print(table(results))
    record = {**where, "settings": {"task": "files"}, "results": results}
    if options.json:
        records.write(options.json, record)


def measure(folder, rounds):
    """Milliseconds of each action, and ratios within a round, as JSON data."""
    net = bp.Network(SIZES, rng=0)
    numbers = net.parameters.copy()
    net.save(folder / "net.bpc", sync=False)
    np.save(folder / "numbers.npy", numbers)
    same = bp.load(folder / "net.bpc")
    assert (same.parameters == numbers).all()
    actions = {
        "save": lambda: net.save(folder / "net.bpc", sync=False),
        "numpy.save": lambda: np.save(folder / "numbers.npy", numbers),
        "load": lambda: bp.load(folder / "net.bpc"),
        "numpy.load": lambda: np.load(folder / "numbers.npy"),
    }
    times = {name: [] for name in actions}
    order = random.Random(0)
    for _ in range(rounds):
        # The pages that one has freed are in the caches when the next takes them.
        for name in order.sample([*actions], len(actions)):
            times[name].append(_seconds(actions[name]))
    # By itself, since the others leave nothing in the caches.
    mapped = [_seconds(lambda: bp.load(folder / "net.bpc", mmap=True))
              for _ in range(10 * rounds)]  # fmt: skip
    times["load, mmap"] = mapped
    ratios = {"save": "numpy.save", "load": "numpy.load"}
    return [
        {
            "action": name,
            "parameters": net.parameters.size,
            "ms": 1e3 * median(values),
            "quartiles_ms": [1e3 * q for q in quantiles(values)[::2]],
            "over_numpy": _ratio(values, times[ratios[name]])
            if name in ratios
            else None,
        }
        for name, values in times.items()
    ]


def _seconds(action):
    """Seconds of an action; what it returns is freed afterwards."""
    begun = time.perf_counter()
    result = action()
    seconds = time.perf_counter() - begun
    del result
    return seconds


def _ratio(values, others):
    """The median of the ratios within a round."""
    return median(a / b for a, b in zip(values, others, strict=True))


def table(results):
    """One line for each action."""
    rows = [("action", "ms", "quartiles", "over NumPy")]
    for result in results:
        low, high = result["quartiles_ms"]
        ratio = result["over_numpy"]
        rows.append(
            (
                result["action"],
                report.number(result["ms"]),
                f"{report.number(low)} to {report.number(high)}",
                "" if ratio is None else f"{ratio:.2f}",
            )
        )
    return report.table(rows)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.files",
        description="Time saving and loading a network.",
    )
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--json", metavar="FILE", help="file for all figures")
    return parser


if __name__ == "__main__":
    main()
