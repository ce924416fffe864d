"""Failing allocations, in short: a few of some calls."""

import json
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import bpcore
from helpers.programs import lines_of, needs_preloading
from trust.failing import memory as failing_memory
from trust.failing import others

#: A program that lets some allocations of a few calls fail.
PROGRAM = """
import json
from trust import allocations
from trust.failing import memory as failing_memory

memory = failing_memory.Memory()
for name in ("train_step of a list", "optimizer", "fit", "save"):
    for kind in failing_memory.KINDS:
        trial = allocations.Trial(memory, kind, name)
        last = trial.allocations()
        for k in range(1, last + 1, max(1, last // 12)):
            fault, other = trial.run(k)
            print(json.dumps([name, kind, k, fault, other]))
"""

#: A program that prints whose allocation of a call has failed, for every k.
WHOSE = """
import json
from pathlib import Path
import numpy as np
from bpcore.engine.engine import zeroed
from trust.failing import memory as failing_memory

CALLS = {
    "of Python": lambda: [*map(str, range(3))],
    "of NumPy": lambda: np.zeros(70_000),
    "of bpcore": lambda: zeroed(70_000),
}
memory = failing_memory.Memory()
for kind in failing_memory.KINDS:
    for name, call in CALLS.items():
        call()
        with memory.failing(kind, 1 << 60):
            call()
        for k in range(1, memory.seen + 1):
            try:
                with memory.failing(kind, k):
                    call()
            except MemoryError:
                pass
            module = Path(memory.module()).name.split(".")[0]
            print(json.dumps([name, module, memory.within_own()]))
"""


@needs_preloading
def test_calls_with_failing_allocations(tmp_path):
    printed = lines_of(PROGRAM, failing_memory.environment(tmp_path))
    found = [json.loads(line) for line in printed]
    ours = [line for line in found if line[3] is not None and line[4] is None]
    assert ours == []
    assert len(found) > 30 and {kind for _, kind, *_ in found} == {"C", "Python"}


@needs_preloading
def test_whose_allocation_has_failed(tmp_path):
    found = {
        tuple(json.loads(line))
        for line in lines_of(WHOSE, failing_memory.environment(tmp_path))
    }
    assert ("of Python", "", False) in found
    assert ("of NumPy", "_multiarray_umath", False) in found
    assert ("of bpcore", "engine", True) in found
    assert not any(own for name, _, own in found if name != "of bpcore")


STDLIB = sysconfig.get_path("stdlib")
OWN = str(Path(bpcore.__file__).parent / "many.py")
NUMPY = np.__file__


@pytest.mark.parametrize(
    ("error", "module", "other"),
    [
        (SystemError(), NUMPY, "numpy"),
        (SystemError(), "", "Python"),
        (SystemError(), OWN, None),
        (ValueError(), NUMPY, None),
    ],
)
def test_whose_error_it_is(error, module, other):
    memory = SimpleNamespace(module=lambda: module)
    assert others.of_error(error, memory) == other


@pytest.mark.parametrize(
    ("frames", "other"),
    [
        ([(NUMPY, "zeros"), (OWN, "work")], "numpy"),
        ([(f"{STDLIB}/threading.py", "wait"), (OWN, "ended")], None),
        ([(f"{STDLIB}/threading.py", name) for name in ("wait", "start")], "Python"),
        ([(OWN, "work"), (NUMPY, "zeros")], None),
        ([], None),
    ],
)
def test_whose_end_of_a_process_it_is(frames, other):
    assert others.at_end(frames) == other
