"""Failing allocations, in short: a few of some calls."""

import json
import re
import subprocess
import sys
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
ROOT = Path(__file__).parents[2]
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
@pytest.mark.parametrize("crashed", [False, True])
def test_whose_end_of_a_process_it_is(frames, other, crashed):
    lines = [f'  File "{file}", line 7 in {name}' for file, name in frames]
    idle = [
        "Thread 0x1 (most recent call first):",
        f'  File "{STDLIB}/a.py", line 1 in a',
    ]
    this = ["Current thread 0x2:" if crashed else "Thread 0x2:", *lines]
    printed = [*this, *idle] if crashed else [*idle, *this]
    found = others.frames_at_end("\n".join(["Fatal error", *printed]))
    assert [(file, name) for file, _, name in found] == frames
    assert others.at_end(found) == other


@pytest.mark.parametrize(
    ("file", "printed", "other"),
    [
        (__file__, f"allocation failed in: {NUMPY}", "numpy"),
        (__file__, f"allocation failed in: {NUMPY} (own)", None),
        (__file__, f"allocation failed in: {OWN}", None),
        (__file__, "", None),
        (OWN, f"allocation failed in: {NUMPY}", None),
    ],
)
def test_whose_crash_in_c_it_is(file, printed, other):
    """That the campaign called itself: of the library whose allocation failed."""
    assert others.at_end([(file, 7, "work")], f"Fatal error\n{printed}\n") == other


@needs_preloading
def test_a_crash_prints_whose_allocation_failed(tmp_path):
    program = """
import ctypes, faulthandler
import numpy as np
from trust.failing import memory as failing_memory

memory = failing_memory.Memory()
faulthandler.enable()
try:
    with memory.failing("C", 1):
        np.zeros(70_000)
except MemoryError:
    ctypes.string_at(0)
"""
    environment = failing_memory.environment(tmp_path)
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    frames = others.frames_at_end(done.stderr)
    assert done.returncode < 0 and frames
    assert re.search(r"^allocation failed in: .*multiarray", done.stderr, re.M)


#: A program in which Python code keeps objects whenever memory fails.
KEEPS = """
import json
from trust import allocations
from trust.failing import calls, memory

kept = []
def work(net):
    try:
        return [bytearray(100) for _ in range(9)]
    except MemoryError:
        if keeps:
            kept.append([[] for _ in range(30)])
        raise

calls.CALLS["work"] = calls.of_network(work, lambda found: b"1")
trial = allocations.Trial(memory.Memory(), "Python", "work")
trial.allocations()
for keeps in (False, True):
    print(json.dumps(trial.leak(5)))
"""


@needs_preloading
def test_what_python_code_keeps_is_a_leak_of_ours(tmp_path):
    printed = lines_of(KEEPS, failing_memory.environment(tmp_path))
    nothing, leak = map(json.loads, printed)
    assert nothing == [None, None]
    assert "blocks of Python" in leak[0] and leak[1] is None
