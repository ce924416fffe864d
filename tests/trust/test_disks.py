"""Failing disks and killed processes, in short."""

import pytest

pytest.importorskip("resource", reason="not on Windows")

from helpers.programs import lines_of, needs_preloading
from trust.campaign import Count
from trust.disks import killed, limits
from trust.failing import disk

PROGRAM = """
from trust.disks import calls
calls(("save", "to_c"), most=3)
"""


@needs_preloading
def test_calls_of_the_system_that_fail(tmp_path):
    printed = lines_of(PROGRAM, disk.environment(tmp_path))
    assert {*printed} == {"right"} and len(printed) > 20


def test_processes_that_are_killed_leave_whole_files(tmp_path):
    counts = [*killed(str(tmp_path), 5, ("save", "to_onnx"))]
    assert [count.failed for count in counts] == [0, 0]


def test_limits(tmp_path):
    count = Count("limits")
    limits(count, str(tmp_path), ("save", "to_c"))
    assert (count.tried, count.failed) == (6, 0)
