"""Arrays of the engine's calls while each of Python's allocations fails in turn."""

import json
import re
from pathlib import Path

import pytest

from helpers.programs import lines_of, needs_preloading
from trust.failing import memory as failing_memory

ROOT = Path(__file__).parents[3]

#: Each call with every allocation failing; then its arrays have as many references as
#: before, and the error is a MemoryError.
PROGRAM = """
import json, sys
import numpy as np
import bpcore as bp
from bpcore.engine.engine import pinned
from trust.failing import memory as failing_memory

memory = failing_memory.Memory()
net = bp.Network([3, 4, 2], norm="batch", n_threads=1, rng=0)
engine, state = net.learner.engine, net.learner.state
#: Made anew, since NumPy keeps what it found out about an array's buffer.
def arrays():
    rows = np.ones((5, 3), "f4"), np.ones((5, 2), "f4")
    return [*rows, np.ones(5), np.zeros(30, "f4")]

calls = {
    "pinned": lambda X, y, weight, g: pinned(X, y, weight, g, g[:2]),
    "evaluate": lambda X, y, weight, g: engine.evaluate(X, y, weight),
    "train_step": lambda X, y, weight, g: engine.train_step(X, y, weight),
    "tape_size": lambda *arrays: engine.tape_size(5, True),
    "apply": lambda X, y, weight, g: engine.apply(
        np.zeros_like(state.parameters), None, 5),
    "sums_of_squares": lambda X, y, weight, g: engine.sums_of_squares(g, 1.0),
}
for name, call in calls.items():
    found, k, error = set(), 0, True
    while error is not None:
        k += 1
        held = arrays()
        before = [sys.getrefcount(array) for array in held]
        error = None
        try:
            with memory.failing("Python", k):
                call(*held)
        except BaseException as raised:
            error = type(raised).__name__
            found.add(error)
        if [sys.getrefcount(array) for array in held] != before:
            found.add(f"references lost at {k}")
        if memory.seen < k:
            break
    print(json.dumps([name, k, sorted(found)]))
"""


@needs_preloading
def test_a_failing_allocation_is_a_memory_error_and_loses_no_reference(tmp_path):
    printed = lines_of(PROGRAM, failing_memory.environment(tmp_path))
    found = [json.loads(line) for line in printed]
    assert [name for name, k, _ in found if k < 2] == []
    assert {name: errors for name, _, errors in found} == {
        name: ["MemoryError"] for name, *_ in found
    }


def comprehensions(text):
    """Lines of Cython code with a list comprehension."""
    code = re.sub(r'""".*?"""|#[^\n]*', "", text, flags=re.DOTALL)
    return re.findall(r"\[[^\[\]\n]*(?:\[[^\]]*\][^\[\]\n]*)*\bfor\b[^\n]*", code)


def test_cython_code_appends_no_new_elements_in_a_list_comprehension():
    assert comprehensions("x = [f(a[i], b) for a in c]  # no")
    files = [*ROOT.glob("src/bpcore/**/*.p[yx][xi]")]
    if not files:
        pytest.skip("needs the source tree")
    found = [line for path in files for line in comprehensions(path.read_text())]
    # An element that is converted in place is given up once only.
    assert found == ["[float(factor) for pair in lr_factors for factor in pair]"]
