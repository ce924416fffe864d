"""Callgrind, which runs Cachegrind's model of caches: counts of parts of one process.

The process marks the ends of its parts by calls of `os.getppid`, which is cheap and
which nothing else calls; Callgrind writes one file of counts for each.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MARK = os.getppid

#: Without these, the hash seed and the number of threads would change the counts.
_REPEATABLE = {
    "PYTHONHASHSEED": "0",
    "BPCORE_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

#: Vectors that Valgrind does not know: with AVX-512 it hides them, and nothing runs.
UNKNOWN_SETS = ("x86_64_v4",)


class Unavailable(Exception):
    """Valgrind is missing, or fails; the message says which."""


def run(module, arguments, isa, caches):
    """The counts of ``python -m module arguments`` in a simulated machine.

    Parameters
    ----------
    module : str
    arguments : list of str
    isa : str
        Instruction set for bpcore.
    caches : dict of str to str
        Size, ways and bytes per line of "D1" and of "LL", as in ``"32768,8,64"``.

    Returns
    -------
    list of dict of str to int
        As `parse` returns them, for every part that ends with a mark, in their order.

    Raises
    ------
    Unavailable
        If Valgrind is not installed, or the run fails.
    """
    if shutil.which("valgrind") is None:
        raise Unavailable("Valgrind (valgrind) is not installed")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "counts"
        command = [
            *("valgrind", "--tool=callgrind", "--cache-sim=yes"),
            *(f"--{level}={cache}" for level, cache in caches.items()),
            *(f"--dump-before={MARK.__name__}", f"--callgrind-out-file={written}"),
            *(sys.executable, "-m", module, *arguments),
        ]
        environment = {**os.environ, **_REPEATABLE, "BPCORE_ISA": isa}
        try:
            subprocess.run(
                command, check=True, env=environment, capture_output=True, text=True
            )
        except subprocess.CalledProcessError as error:
            last = error.stderr.strip().splitlines()[-1:]
            raise Unavailable(f"valgrind failed: {' '.join(last)}") from None
        numbered = {
            int(path.suffix[1:]): path for path in written.parent.glob("counts.*")
        }
        return [parse(numbered[part].read_text()) for part in sorted(numbered)]


def parse(text):
    """The totals of a file that Callgrind writes.

    Parameters
    ----------
    text : str
        The content of the file, with a line of events and a summary.

    Returns
    -------
    dict of str to int
        By name of the event: ``"Ir"`` instructions, ``"D1mr"`` and ``"D1mw"`` misses of
        reads and writes in the first level, ``"DLmr"`` and ``"DLmw"`` in the last.
    """
    events = re.search(r"^events: (.*)$", text, re.MULTILINE)
    counts = re.search(r"^summary: (.*)$", text, re.MULTILINE)
    if events is None or counts is None:
        raise Unavailable("what Valgrind wrote has no events and summary")
    # Zeros at the end are left out.
    found = dict.fromkeys(events[1].split(), 0)
    found.update(zip(found, map(int, counts[1].split()), strict=False))
    return found
