"""Fits on several processes of which one is killed, at any moment.

    python -m trust.lost_processes [--seconds S] [--json FILE]

Each trial starts `killed_run` on 2 to 4 processes and ends one of them with SIGKILL: at
any moment, the start included, when mpiexec may end the others; or once the fit has
begun, unseen by mpiexec.  Then each of the others must raise an error that names the
lost process, and end within 30 seconds.  The fit goes on from its checkpoint on another
number of processes, and must have the bits of one that nothing has stopped.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.mpiexec import environment, launcher, mpiexec

from trust import campaign
from trust.campaign import Count

#: Most seconds from the kill to the end of all processes.
LIMIT = 30.0
#: Most seconds of a fit that nothing stops.
PATIENCE = 200.0


def run(seconds):
    """Kill processes for so many seconds."""
    if mpiexec() is None:
        sys.exit("there is no mpiexec")
    with tempfile.TemporaryDirectory() as folder:
        whole = digests(started(1, folder))
    counts = {
        True: Count("killed once the fit has begun, unseen by mpiexec"),
        False: Count("killed at any moment"),
    }
    resumed = Count("gone on with from the checkpoint, same bits as never stopped")
    longest, end, seed = 0.0, time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for unseen, count in counts.items():
            seed += 1
            with tempfile.TemporaryDirectory() as folder:
                took, fault = trial(folder, seed, unseen)
                longest = max(longest, took)
                count.add(fault and f"{seed=}, {unseen=}: {fault}")
                found = digests(started(1 + seed % 4, folder))
                wrong = found != whole
                resumed.add(f"{seed=}, {unseen=}: {found}" if wrong else None)
    for count in counts.values():
        count.note = f"at most {longest:.0f} s from the kill to the end of all"
    yield from (*counts.values(), resumed)


def trial(folder, seed, unseen):
    """Kill one process; the seconds until all have ended, and a fault or None."""
    rng = random.Random(seed)
    count = rng.randint(2, 4)
    victim, delay = rng.randrange(count), rng.uniform(0.0, 4.0)
    running = started(count, folder, unseen)
    ready = [Path(folder, f"{rank}{'.begun' * unseen}") for rank in range(count)]
    while not all(path.is_file() and pid_in(folder, i) for i, path in enumerate(ready)):
        if running.poll() is not None:
            return 0.0, "the program has not begun"
        time.sleep(0.005)
    pids = [pid_in(folder, rank) for rank in range(count)]
    time.sleep(delay * (0.5 if unseen else 1.0))
    killed = time.monotonic()
    if not is_python(pids[victim]):
        running.communicate(timeout=PATIENCE)
        return 0.0, None  # the fit was faster
    os.kill(pids[victim], signal.SIGKILL)
    while any(map(is_python, pids)) and time.monotonic() < killed + 2 * LIMIT:
        time.sleep(0.02)
    took = time.monotonic() - killed
    left = [rank for rank in range(count) if is_python(pids[rank])]
    for rank in left:
        os.kill(pids[rank], signal.SIGKILL)
    said, _ = running.communicate(timeout=PATIENCE)
    if left or took > LIMIT:
        return took, f"processes {left} had not ended after {took:.0f} s"
    return took, wrong_lines(said.splitlines(), victim, count - 1 if unseen else 0)


def wrong_lines(lines, victim, least):
    """What is wrong with what the others print: `least` errors, all of the victim."""
    errors = [line for line in lines if "Error" in line]
    if not all(f"process {victim} was lost" in line for line in errors):
        return f"process {victim} was killed, but: {errors}"
    finished = any("Error" not in line for line in lines if "proc" in line)
    if len(errors) < least and not finished:
        return f"only these raised an error: {errors}"
    return None


def started(count, folder, unseen=False):
    """The program on so many processes, started."""
    program = ["-m", "trust.concurrency.killed_run", folder]
    start = launcher(count, unseen=unseen) if count > 1 else []
    return subprocess.Popen(
        [*start, sys.executable, *program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(),
    )


def digests(running):
    """What all processes of a run have printed: one digest if all is well."""
    said, _ = running.communicate(timeout=PATIENCE)
    lines = [line.split(" ", 2)[2] for line in said.splitlines() if "process" in line]
    return {*lines}


def pid_in(folder, rank):
    """The process of a rank, 0 if it has not written it yet."""
    path = Path(folder, str(rank))
    return int(path.read_text() or 0) if path.is_file() else 0


def is_python(pid):
    """Whether a process of the program is alive."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and "killed_run" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


if __name__ == "__main__":
    campaign.main(
        "A lost process ends all within 30 seconds; the fit goes on to the same bits.",
        run,
        1200,
    )
