"""The k-th allocation fails, for every k of every public call.

The call must then give the right result, or MemoryError with a network that is as
before, or as after the call, or, for a fit, after one of its mini-batches or epochs;
and the next call must be right. Trials run in processes of their own, since an error in
C would end them: what a process prints is counted, and if it dies another goes on
behind the trial that ended it. There is one for each core at a time, each with an equal
part of the allocations of each call.

Other libraries have faults of this kind too. They are printed and counted apart, in the
note of a count, if the fault can only be theirs: `others` has the rules.
"""

import faulthandler
import gc
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from trust import campaign
from trust.failing import memory as failing_memory
from trust.failing import others

#: Seconds after which a trial is taken for one that does not end.
ENDLESS = 20
#: Of so many trials one is repeated, to find what leaks: a few times until caches are
#: full, then in rounds, each of which must leave more memory in use than the last.
EVERY, WARM, REPEATED, ROUNDS = 512, 50, 20, 4
#: Held while trials are counted.
COUNTING = threading.Lock()
#: No fault.
RIGHT = None, None


def run(seconds):
    """Every kind of allocation, and every call."""
    yield limited()
    names = len(jobs()) // len(failing_memory.KINDS)
    counts = {
        kind: Tried(f"allocations of {kind} that fail in {names} calls")
        for kind in failing_memory.KINDS
    }
    with tempfile.TemporaryDirectory() as folder:
        environment = failing_memory.environment(folder)
        if environment is None:
            print("There is no C compiler: nothing was tried.")
            return
        environment["TMPDIR"] = folder
        ends, parts = time.monotonic() + seconds, len(os.sched_getaffinity(0))
        with ThreadPoolExecutor(parts) as pool:
            done = [
                pool.submit(processes, counts, environment, (part, parts), ends)
                for part in range(parts)
            ]
        for each in done:
            each.result()
    yield from counts.values()


class Tried(campaign.Count):
    """A count whose note has the faults of other libraries."""

    def add(self, fault, other=None):
        """Count one trial; `other` is the library whose fault it is, if not ours."""
        if other is None:
            super().add(fault)
            return
        super().add()
        print(f"Of {other}, not of bpcore: {fault}", flush=True)
        self.of_others = Counter({other: 1}) + getattr(self, "of_others", Counter())
        found = ", ".join(f"{name} {n}" for name, n in self.of_others.most_common())
        self.note = f"faults of others: {found}"


def jobs():
    """Each call with each kind of allocation."""
    from trust.failing.calls import CALLS

    return [(kind, name) for kind in failing_memory.KINDS for name in CALLS]


def processes(counts, environment, part, ends):
    """A part of the trials of each job, in one process after another."""
    job, first = 0, 0
    while job is not None:
        rest = max(1.0, ends - time.monotonic())
        job, first = process(counts, environment, part, job, first, rest)


def process(counts, environment, part, job, first, seconds):
    """Trials in one process; returns where to go on if it died, else None."""
    command = [sys.executable, "-m", "trust.allocations", "--trials"]
    command += [*map(str, part), str(job), str(first), str(seconds)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    with COUNTING:
        return counted(counts, part, job, first, done)


def counted(counts, part, job, first, done):
    """Count the trials of a process that has ended; returns as `process`."""
    at, kind = None, None
    for line in done.stdout.splitlines():
        *at, kind, name, k, fault, other = json.loads(line)
        if fault != "begun":
            told = fault and f"allocation {k} of {kind} in {name}: {fault}"
            counts[kind].add(told, other)
    if done.returncode == 0:
        return None, None
    if at is None:
        raise RuntimeError(f"{jobs()[job]} from {first} on: {done.stderr}")
    frames = others.frames_at_end(done.stderr)
    told = ", ".join(map(":".join, frames[:4]))
    counts[kind].add(
        f"{at} in {name}: exit status {done.returncode} at {told}",
        others.at_end(frames, done.stderr),
    )
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


def trials(part, parts, job, first, seconds):
    """Print a line before each trial, and one with what was wrong after it."""
    memory = failing_memory.Memory()
    faulthandler.enable()
    ends, everything = time.monotonic() + seconds, jobs()
    for j in range(job, len(everything)):
        share = (ends - time.monotonic()) / (len(everything) - j)
        part_of = part, parts
        trials_of(memory, j, everything[j], part_of, first if j == job else 0, share)


def trials_of(memory, j, job, part_of, first, seconds):
    """Let a part of the allocations of a call fail, in random order, for some time."""
    trial, ends = Trial(memory, *job), time.monotonic() + seconds
    numbers, (part, parts) = [*range(1, trial.allocations() + 1)], part_of
    random.Random(0).shuffle(numbers)
    numbers = numbers[part::parts]
    for i in range(first, len(numbers)):
        if i and time.monotonic() > ends:
            break
        k = numbers[i]
        print(json.dumps([j, i, *job, k, "begun", None]), flush=True)
        faulthandler.dump_traceback_later(ENDLESS, exit=True)
        found = trial.run(k)
        if i % EVERY == EVERY - 1 and found == RIGHT:
            faulthandler.dump_traceback_later(20 * ENDLESS, exit=True)
            found = trial.leak(k)
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps([j, i, *job, k, *found]), flush=True)


class Trial:
    """A call during which an allocation fails.

    Each method returns what was wrong, or None, and the library whose fault it is, or
    None if it is ours.
    """

    def __init__(self, memory, kind, name):
        from trust.failing.calls import CALLS

        self.memory, self.kind, self.call = memory, kind, CALLS[name]
        self.before, self.after, self.between = self.call.expected()

    def allocations(self):
        """The number of allocations in the call."""
        subject = self.call.make()
        with self.memory.failing(self.kind, 1 << 60):
            self.call.function(subject)
        return self.memory.seen

    def run(self, k, many=1):
        """Let allocation k fail, and `many` in all."""
        call = self.call
        subject, error = call.make(), None
        with self.memory.failing(self.kind, k, many):
            try:
                call.function(subject)
            except BaseException as raised:
                error = raised
        if error is not None and not is_allowed(error):
            return last_lines(error), others.of_error(error, self.memory)
        name = error and type(error).__name__
        error = None  # with its frames
        gc.collect()
        found = call.state(subject)
        if found == self.after:
            return RIGHT
        if name is None:
            return "no error, and another result", None
        if found != self.before:
            whole = found in self.between
            return RIGHT if whole else (f"after {name} neither before nor after", None)
        call.function(subject)
        right = call.state(subject) == self.after
        return RIGHT if right else (f"after {name} the next is wrong", None)

    def leak(self, k):
        """Repeat it: find what grows each time, also when caches are full."""
        for _ in range(WARM):
            self.run(k)
        for _ in range(ROUNDS):
            before = self._used()
            runs = [self._left(k) for _ in range(REPEATED)]
            grown = [n - m for m, n in zip(before, self._used(), strict=True)]
            if max(grown) < REPEATED:
                return RIGHT
        told = f"{grown} blocks of Python, of C more after {REPEATED} times"
        return told, self._leaking(runs, k)

    def _left(self, k):
        """The blocks that one trial leaves, and whose allocation failed in it."""
        before = self._counts()
        self.run(k)
        left = [n - m for m, n in zip(before, self._counts(), strict=True)]
        own = self.memory.within_own()
        return left, None if own else others.library(self.memory.module())

    def _leaking(self, runs, k):
        """The library that leaks, or None if it is bpcore.

        The allocation k is not the same one each time. It is our leak if more is left
        on average by the times that one of our compiled modules was at work.
        """
        own = [left for left, library in runs if library is None]
        left = max(map(sum, zip(*own, strict=True)), default=0)
        if left >= max(len(own), 1) or self._is_kept(k):
            return None
        return next((library for _, library in runs if library is not None), None)

    def _is_kept(self, k):
        """Whether objects from before keep more each time: a leak of Python code."""
        gc.collect()
        old = gc.get_objects()  # kept, so that no new one gets the id of an old one
        before = {id(each) for each in old}
        for _ in range(REPEATED):
            self.run(k)
        gc.collect()
        new = [each for each in gc.get_objects() if id(each) not in before]
        ids = {id(each) for each in new}
        keepers = [each for each in gc.get_referrers(*new) if id(each) in before]
        kept = [id(each) in ids for each in gc.get_referents(*keepers)]
        return sum(kept) >= REPEATED

    def _used(self):
        """Blocks of Python and of C in use, without those that Python keeps."""
        gc.collect()
        sys._clear_type_cache()
        return self._counts()

    def _counts(self):
        """Blocks of Python and of C in use, with Python's caches."""
        gc.collect()
        return sys.getallocatedblocks(), self.memory.used() // 16


def is_allowed(error):
    """Whether it is a MemoryError, or the error that Python raises in place of one."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_allowed, error.exceptions))
    in_place = re.fullmatch(r"can't (allocate .*lock|start new thread)", str(error))
    return isinstance(error, MemoryError) or in_place is not None


def last_lines(error):
    """The error and the last frames that led to it."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    at = ", ".join(f"{f.filename[-30:]}:{f.lineno} {f.name}" for f in frames)
    return f"{type(error).__name__}: {error!s:.200} at {at}"


if __name__ == "__main__":
    if "--trials" in sys.argv:
        *numbers, seconds = sys.argv[2:]
        trials(*map(int, numbers), float(seconds))
        sys.exit()
    campaign.main("Memory may run out at any allocation.", run, 3600)
