"""Failing allocations, in short: a few of some calls."""

import json
import subprocess
import sys

import pytest

from trust import failing_memory

#: A program that lets some allocations of a few calls fail.
PROGRAM = """
import json
from trust import allocations, failing_memory
from trust.allocating import CALLS

memory = failing_memory.Memory()
for name in ("train_step of a list", "optimizer", "fit", "save"):
    call = CALLS[name]
    expected = call.expected()
    for kind in failing_memory.KINDS:
        subject = call.make()
        with memory.failing(kind, 1 << 60):
            call.function(subject)
        step = max(1, memory.seen // 12)
        for k in range(1, memory.seen + 1, step):
            fault = allocations.trial(memory, kind, call, k, *expected)
            print(json.dumps([name, kind, k, fault]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the library needs glibc")
def test_calls_with_failing_allocations(tmp_path):
    environment = failing_memory.environment(tmp_path)
    if environment is None:
        pytest.skip("no C compiler")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line for line in found if line[3] is not None] == []
    assert len(found) > 30 and {kind for _, kind, *_ in found} == {"C", "Python"}
