"""Failing allocations, in short: a few of some calls."""

import json

from helpers.programs import lines_of, needs_preloading
from trust.failing import memory as failing_memory

#: A program that lets some allocations of a few calls fail.
PROGRAM = """
import json
from trust import allocations
from trust.failing import memory as failing_memory
from trust.failing.calls import CALLS

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


@needs_preloading
def test_calls_with_failing_allocations(tmp_path):
    printed = lines_of(PROGRAM, failing_memory.environment(tmp_path))
    found = [json.loads(line) for line in printed]
    assert [line for line in found if line[3] is not None] == []
    assert len(found) > 30 and {kind for _, kind, *_ in found} == {"C", "Python"}
