"""Programs that end while daemon threads are at work."""

import random
import time
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory

from trust.children.programs import python

PROGRAM = """
import sys, threading, time
from trust.concurrency import work
name, seconds, ending = sys.argv[1], float(sys.argv[2]), sys.argv[3]
make, call, _ = work.CALLS[name]
begun = threading.Event()

def run():
    net = make()
    while True:
        call(net)
        begun.set()

for _ in range(2):
    threading.Thread(target=run, daemon=True).start()
begun.wait()
time.sleep(seconds)
if ending == "exit":
    sys.exit(0)
"""

#: Seconds after which a program counts as one that hangs.
LONGEST = 60


def fault_of(name, seed):
    """End a program while two daemon threads repeat a call; what was wrong or None."""
    draw = random.Random(seed)
    seconds, ending = draw.uniform(0, 0.1), draw.choice(["exit", "end"])
    arguments = "-c", PROGRAM, name, str(seconds), ending
    with TemporaryDirectory() as folder:
        try:
            ended = python(*arguments, variables={"TMPDIR": folder}, timeout=LONGEST)
        except TimeoutExpired:
            return f"{name}, seed {seed}: it hangs"
    if ended.returncode or ended.stderr:
        return f"{name}, seed {seed}: status {ended.returncode}: {ended.stderr}"
    return None


def trials(seconds, names):
    """Programs for some seconds, at least one for each call; yields what was wrong."""
    end, seed = time.monotonic() + seconds, 0
    while seed < len(names) or time.monotonic() < end:
        yield fault_of(names[seed % len(names)], seed)
        seed += 1
