"""The k-th allocation fails, for every k of every public call.

The call must then give the right result, or MemoryError with a network that is as
before, or as after the call, or, for a fit, after one of its mini-batches or epochs;
and the next call must be right. Trials run in a process of their own, since an error in
C would end it: what it prints is counted, and if it dies another goes on behind the
trial that ended it.
"""

import faulthandler
import gc
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback

from trust import campaign
from trust.failing import memory as failing_memory

#: Seconds after which a trial is taken for one that does not end.
ENDLESS = 60
#: Of so many trials one is repeated, to find what leaks: a few times until caches are
#: full, then as often as counts.
EVERY, WARM, REPEATED = 64, 50, 20


def run(seconds):
    """Every kind of allocation, and every call."""
    yield limited()
    counts = {
        kind: campaign.Count(f"allocations of {kind} that fail in {{}} calls")
        for kind in failing_memory.KINDS
    }
    with tempfile.TemporaryDirectory() as folder:
        environment = failing_memory.environment(folder)
        if environment is None:
            print("There is no C compiler: nothing was tried.")
            return
        environment["TMPDIR"] = folder
        ends, job, first = time.monotonic() + seconds, 0, 0
        while job is not None:
            rest = max(1.0, ends - time.monotonic())
            job, first = process(counts, environment, job, first, rest)
    names = len(jobs()) // len(counts)
    for count in counts.values():
        count.name = count.name.format(names)
        yield count


def jobs():
    """Each call with each kind of allocation."""
    from trust.failing.calls import CALLS

    return [(kind, name) for name in CALLS for kind in failing_memory.KINDS]


def process(counts, environment, job, first, seconds):
    """Trials in one process; returns where to go on if it died, else None."""
    command = [sys.executable, "-m", "trust.allocations", "--trials"]
    command += [str(job), str(first), str(seconds)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    at = job, first
    for line in done.stdout.splitlines():
        *at, kind, name, k, result = json.loads(line)
        if result != "begun":
            fault = result and f"allocation {k} of {kind} in {name}: {result}"
            counts[kind].add(fault)
    if done.returncode == 0:
        return None, None
    last = " ".join(done.stderr.split("\n")[-12:])
    counts[jobs()[at[0]][0]].add(f"{at}: exit status {done.returncode}: {last}")
    return at[0], at[1] + 1


def limited():
    """Work in processes whose address space is nearly used up (RLIMIT_AS)."""
    count = campaign.Count("processes with little address space left")
    for megabytes in (0, 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128):
        child = os.fork()
        if child == 0:
            status = 2
            try:
                from trust.failing.calls import large_work

                status = large_work(megabytes << 20)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        count.add(None if status == 0 else f"{megabytes} MB left: status {status}")
    return count


# --- in the process -------------------------------------------------------------------


def trials(job, first, seconds):
    """Print a line before each trial, and one with what was wrong after it."""
    faulthandler.enable()
    memory, everything = failing_memory.Memory(), jobs()
    ends = time.monotonic() + seconds
    for j in range(job, len(everything)):
        share = (ends - time.monotonic()) / (len(everything) - j)
        trials_of(memory, j, everything[j], first if j == job else 0, share)


def trials_of(memory, j, job, first, seconds):
    """Let the allocations of a call fail, in random order, for some seconds."""
    from trust.failing.calls import CALLS

    kind, call, ends = job[0], CALLS[job[1]], time.monotonic() + seconds
    allowed, subject = call.expected(), call.make()
    with memory.failing(kind, 1 << 60):
        call.function(subject)
    numbers = [*range(1, memory.seen + 1)]
    random.Random(0).shuffle(numbers)
    for i in range(first, len(numbers)):
        if i and time.monotonic() > ends:
            break
        k = numbers[i]
        print(json.dumps([j, i, *job, k, "begun"]), flush=True)
        faulthandler.dump_traceback_later(ENDLESS, exit=True)
        fault = trial(memory, kind, call, k, *allowed)
        if i % EVERY == EVERY - 1:
            fault = fault or leak(
                memory, lambda k=k: trial(memory, kind, call, k, *allowed)
            )
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps([j, i, *job, k, fault]), flush=True)


def trial(memory, kind, call, k, before, after, between, many=1):
    """What is wrong after the allocation k of a call has failed, or None."""
    subject, error = call.make(), None
    with memory.failing(kind, k, many):
        try:
            call.function(subject)
        except BaseException as raised:
            error = raised
    if error is not None and not is_allowed(error):
        return last_lines(error)
    name = error and type(error).__name__
    error = None  # with its frames
    gc.collect()
    found = call.state(subject)
    if found == after:
        return None
    if name is None:
        return "no error, and another result"
    if found != before:
        whole = found in between
        return None if whole else f"after {name} neither as before nor as after"
    call.function(subject)
    return None if call.state(subject) == after else f"after {name} the next is wrong"


def leak(memory, again):
    """What grows with every repetition, once caches are full, or None."""
    for _ in range(WARM):
        again()
    used = []
    for _ in range(2):
        gc.collect()
        used.append((sys.getallocatedblocks(), memory.used() // 16))
        for _ in range(REPEATED):
            again()
    grown = [after - before for before, after in zip(*used, strict=True)]
    leaks = max(grown) >= REPEATED
    return f"{grown} blocks of Python, of C in {REPEATED} times" if leaks else None


def is_allowed(error):
    """Whether it is a MemoryError, or what Python or NumPy raise in place of one."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_allowed, error.exceptions))
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SystemError) and frames:  # of NumPy, without its MemoryError
        return frames[-1].filename.endswith(".py")
    return isinstance(error, MemoryError) or "can't allocate" in str(error)


def last_lines(error):
    """The error and the last frames that led to it."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    at = ", ".join(f"{f.filename[-30:]}:{f.lineno} {f.name}" for f in frames)
    return f"{type(error).__name__}: {error!s:.200} at {at}"


if __name__ == "__main__":
    if "--trials" in sys.argv:
        job, first, seconds = sys.argv[2:]
        trials(int(job), int(first), float(seconds))
        sys.exit()
    campaign.main("Memory may run out at any allocation.", run, 900)
