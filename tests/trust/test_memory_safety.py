"""Short forms of the campaign of memory safety."""

import sys

import pytest

from trust import memory_safety

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="mprotect, mallinfo2")


@linux_only
def test_objects_that_lie_or_meddle():
    count = memory_safety.hooks()
    assert count.tried > 300 and count.failed == 0


@linux_only
@pytest.mark.parametrize("name", memory_safety.RANDOM)
def test_random_calls(name):
    process = memory_safety.program(name, "0", "30")
    assert memory_safety.ended(process) is None
