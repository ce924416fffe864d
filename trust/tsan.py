"""Threads under the thread sanitizer: no data race in the compiled modules.

    python -m trust.tsan

Builds the modules with ``BPCORE_TSAN=1`` in a temporary folder, for which it needs GCC,
libtsan and Cython, and trains there under ``LD_PRELOAD=libtsan.so``.  Python and NumPy
are built without the sanitizer, so that only reports with a frame of bpcore count.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from trust import campaign
from trust.children.programs import ROOT, failure, python
from trust.concurrency import many_networks, one_network, work

#: Calls that take a usable time under the sanitizer.
NAMES = tuple(name for name in work.CALLS if name not in ("trace", "fit, Checkpoint"))

#: Prints a line of JSON for each round: the part's name, and what was wrong or null.
PROGRAM = "import sys; from trust import tsan; tsan.inside(float(sys.argv[1]))"

OPTIONS = "exitcode=0 halt_on_error=0 report_signal_unsafe=0 history_size=5"


def run(seconds):
    """Build, train in threads, count the rounds and the reports."""
    library = subprocess.run(
        ["gcc", "-print-file-name=libtsan.so"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        log = Path(folder, "report")
        variables = {
            "LD_PRELOAD": library,
            "PYTHONPATH": f"{folder}/src{os.pathsep}{ROOT}",
            "TSAN_OPTIONS": f"{OPTIONS} log_path={log}",
            "OPENBLAS_NUM_THREADS": "1",
        }
        yield from counts(python("-c", PROGRAM, str(seconds), variables=variables))
        count = campaign.Count("reports of the thread sanitizer in bpcore", tried=1)
        own, others = reports(Path(folder))
        for report in own:
            count.failed += 1
            print(report, flush=True)
        count.note = f"{others} of Python and NumPy only"
        yield count


def build(folder):
    """Install the library with the sanitizer in ``folder/src``, from a copy."""
    copy = folder / "copy"
    copy.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.so"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--target", folder / "src", copy],
        env=os.environ | {"BPCORE_TSAN": "1", "BPCORE_NATIVE": "1"},
        check=True,
    )


def inside(seconds):
    """The parts of `trust.threads`, in this process."""
    for seed in range(max(2, round(seconds / 10))):
        loss = work.squared if seed % 2 else None
        fault = one_network.fault_of(seconds / 40, 4, seed, loss)[2]
        print(json.dumps(["one network in 4 threads", fault]), flush=True)
    for fault in many_networks.rounds(seconds, 4, NAMES):
        print(json.dumps(["8 networks in 8 threads", fault]), flush=True)


def counts(ended):
    """Counts of the rounds, by their part."""
    found = {}
    for line in ended.stdout.splitlines():
        name, fault = json.loads(line)
        found.setdefault(name, campaign.Count(name)).add(fault)
    yield from found.values()
    count = campaign.Count("the process under the sanitizer ended well")
    count.add(failure(ended))
    yield count


def reports(folder):
    """Reports with a frame of bpcore, and the number of all others."""
    text = "".join(path.read_text() for path in folder.glob("report*"))
    each = [part for part in text.split("=" * 18) if "ThreadSanitizer" in part]
    own = [part for part in each if "bpcore" in part]
    return own, len(each) - len(own)


if __name__ == "__main__":
    campaign.main("Threads have no data race in the compiled modules.", run, 60)
