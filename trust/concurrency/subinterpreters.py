"""Several interpreters in a process: one has the library, the others an error."""

from trust.children.programs import python

#: What the compiled modules say where they cannot be imported.
MESSAGES = ("only be loaded into one interpreter", "does not support loading in sub")

PROGRAM = """
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import bpcore as bp

def train():
    return bp.Network([3, 4, 2], rng=0).train_step(np.ones((4, 3)), np.ones((4, 2)))

INSIDE = '''
import warnings
warnings.simplefilter("ignore")
try:
    import bpcore
except ImportError as error:
    print("ImportError", error, flush=True)
'''
before = train()
try:
    import _interpreters as interpreters
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    run = interpreters.run_string
for _ in range(3):
    number = interpreters.create()
    run(number, INSIDE)
    interpreters.destroy(number)
print("trained", train() == before)
"""


def fault():
    """What was wrong with an import in other interpreters, or None."""
    ended = python("-c", PROGRAM, timeout=120)
    *lines, last = ended.stdout.splitlines() or [""]
    if ended.returncode or last != "trained True":
        return f"status {ended.returncode}: {ended.stdout} {ended.stderr}"
    clear = [line for line in lines if any(text in line for text in MESSAGES)]
    return None if len(clear) == len(lines) == 3 else f"said {lines}"
