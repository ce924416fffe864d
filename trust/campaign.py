"""The command line of a campaign, its counts, and the file of its results."""

import argparse
import sys
import time
import traceback
from dataclasses import asdict, dataclass

from bench import machine, records


@dataclass
class Count:
    """Trials of one kind, and how many of them failed.

    Parameters
    ----------
    name : str
        What was tried, in a few words.
    tried, failed : int
    note : str
        A further figure, as in "largest error 1.3 ulp".
    """

    name: str
    tried: int = 0
    failed: int = 0
    note: str = ""

    def add(self, fault=None):
        """Count one trial; `fault` is a text that says how to repeat a failure."""
        self.tried += 1
        if fault is not None:
            self.failed += 1
            print(f"FAILED {self.name}: {fault}", flush=True)

    def __str__(self):
        """One line of text."""
        about = f"  ({self.note})" if self.note else ""
        return f"{self.tried:>12,} tried {self.failed:>6,} failed  {self.name}{about}"


def main(promise, run, seconds):
    """Run a campaign from the command line.

    Parameters
    ----------
    promise : str
        The promise that is tried, one sentence.
    run : callable
        Takes the seconds that the campaign may last, about; yields `Count`.
    seconds : float
        Their default.
    """
    options = _parser(promise, seconds).parse_args()
    where = machine.describe()
    print(f"{promise}\n{machine.headline(where)}\n", flush=True)
    began = time.monotonic()
    counts = []
    try:
        for count in run(options.seconds):
            counts.append(count)
            print(count, flush=True)
    except Exception:  # what was counted before it stays
        traceback.print_exc()
        counts.append(Count("the campaign's own program ended by an error", 1, 1))
    lasted = time.monotonic() - began
    if options.json:
        settings = {"promise": promise, "seconds": round(lasted, 1)}
        results = [asdict(count) for count in counts]
        records.write(options.json, {**where, "settings": settings, "results": results})
    failed = sum(count.failed for count in counts)
    tried = sum(count.tried for count in counts)
    print(f"\n{tried:,} tried, {failed:,} failed, {lasted:.0f} s")
    sys.exit(failed > 0)


def _parser(promise, seconds):
    parser = argparse.ArgumentParser(description=promise)
    parser.add_argument("--seconds", type=float, default=seconds, help="about")
    parser.add_argument("--json", metavar="FILE", help="file for the counts")
    return parser
