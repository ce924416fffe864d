"""No call, right or wrong, reads or writes memory that is not its own, or loses any.

    python -m trust.memory_safety [--seconds S] [--json FILE]

What can end a process runs in a process of its own. With the sanitizers built in
(``make sanitize``) the same calls find what a plain build survives.
"""

import re
import shutil
import time

from trust import campaign
from trust.children.programs import THIS, python
from trust.safety import guided, leaks

#: Cases of a process of random calls; seconds that it may take.
AT_A_TIME, PATIENCE = 200, 3600
#: Programs of random calls: what they try, and their part of the time.
RANDOM = {
    "random_calls": ("networks with 12 random calls each", 0.4),
    "finalizers": ("networks with 12 random calls, and others by finalizers", 0.1),
}
#: The C library fills memory that is freed, and checks its lists.
CHECKED = {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "165", "MALLOC_CHECK_": "3"}
VALGRIND = ("valgrind", "--quiet", "--num-callers=12", *THIS)
#: An error of valgrind's in which one of these modules takes part.
OURS = re.compile(r"bpcore/(_kernels|engine/engine)")


def program(name, *arguments, variables=CHECKED, **options):
    """Run a module of `trust.safety`; returns the ended process."""
    command = "-m", f"trust.safety.{name}", *arguments
    return python(*command, variables=variables, timeout=PATIENCE, **options)


def ended(process):
    """Why a process is a failure, as text; None if it said that all is done."""
    lines = process.stdout.split("\n")
    if process.returncode == 0 and "all" in lines:
        return None
    last = [line for line in lines if line][-1:] or ["nothing"]
    return f"status {process.returncode} after {last[0]!r}: {process.stderr[-2000:]}"


def hooks():
    """Objects that lie, or change what the call works on (trust/safety/hooks.py)."""
    count = campaign.Count("objects that lie or meddle")
    process = program("hooks")
    count.tried = process.stdout.count("\n")
    fault = ended(process)
    if fault is not None:
        count.tried -= 1
        count.add(f"python -m trust.safety.hooks: {fault}")
    return count


def random_calls(name, seconds, first=0):
    """Random calls until the time is over (trust/safety/random_calls.py)."""
    what, part = RANDOM[name]
    count = campaign.Count(what)
    end = time.monotonic() + part * seconds
    while time.monotonic() < end:
        process = program(name, str(first), str(AT_A_TIME))
        done = max(process.stdout.count("\n") - 1, 0)
        count.tried += done
        fault = ended(process)
        if fault is not None:
            seed = first + done
            count.add(f"python -m trust.safety.{name} {seed} 1: {fault}")
        first += AT_A_TIME
    return count


def fits(number):
    """Memory after so many fits of each kind (trust/safety/leaks.py)."""
    count = campaign.Count(f"kinds of fits, {number:,} of each, without a leak")
    for name in leaks.FITS:
        process = program("leaks", str(number), name, variables={})
        count.add(
            process.stdout.strip() + process.stderr if process.returncode else None
        )
    return count


def files(seconds):
    """Changed files, guided by the lines that they reach (trust/safety/guided.py)."""
    for suffix in guided.READERS:
        count = campaign.Count(f"changed files, {suffix}, guided by lines reached")
        with guided.Search(suffix) as search:
            end = time.monotonic() + seconds / len(guided.READERS)
            while time.monotonic() < end:
                found = search.step()
                if found is not None:
                    error, data = found
                    found = f"{error!r} by {data[:200]!r} ({len(data)} bytes)"
                count.add(found)
            reached = f"{len(search.reached):,} pairs of lines"
            count.note = f"{reached}, {len(search.kept)} files kept"
        yield count


def valgrind():
    """Errors of valgrind's memcheck in this library, at edge sizes."""
    count = campaign.Count("run of edge sizes under valgrind")
    if shutil.which("valgrind") is None:
        count.note = "valgrind is not installed"
        return count
    settings = {"PYTHONMALLOC": "malloc", "BPCORE_ISA": "x86_64_v3"}
    process = program("edge_sizes", variables=settings, command=VALGRIND)
    errors = re.split(r"==\d+== \n", process.stderr)
    ours = [text for text in errors if OURS.search(text)]
    fault = ended(process)
    count.add("\n".join(ours)[:4000] if ours else fault)
    count.note = f"{len(ours)} errors in this library"
    return count


def run(seconds):
    """All parts, one after the other; the random calls get half of the time."""
    yield hooks()
    for name in RANDOM:
        yield random_calls(name, seconds)
    yield fits(10_000 if seconds >= 3600 else 500 if seconds >= 60 else 100)
    yield from files(seconds / 5)
    if seconds >= 600:  # the import alone takes a minute
        yield valgrind()


if __name__ == "__main__":
    campaign.main(
        "No call, right or wrong, touches memory that is not its own, or loses any.",
        run,
        1200,
    )
