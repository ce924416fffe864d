"""Short forms of the campaign of memory safety."""

import sys

import pytest

import bpcore as bp
from trust import memory_safety
from trust.safety import guided, leaks

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="mprotect, mallinfo2")


@linux_only
def test_objects_that_lie_or_meddle():
    count = memory_safety.hooks()
    assert count.tried > 300 and count.failed == 0


@linux_only
def test_random_calls():
    process = memory_safety.program("random_calls", "0", "30")
    assert memory_safety.ended(process) is None


@linux_only
@pytest.mark.parametrize(
    "name", ["fit by Adam, clipped", "fit ended by a loss's error"]
)
def test_fits_leave_nothing(name):
    used, _ = leaks.growth(leaks.FITS[name], 200)
    assert used <= leaks.NOISE
    assert leaks.traced_growth(leaks.FITS[name], 20) <= leaks.NOISE // 8


@linux_only
def test_a_leak_is_found():
    kept = []
    used, _ = leaks.growth(lambda: kept.append(bytearray(1000)), 300)
    assert used > leaks.NOISE


@pytest.mark.parametrize("suffix", guided.READERS)
def test_changed_files_are_read_or_refused(suffix):
    with guided.Search(suffix) as search:
        before = len(search.reached)
        assert [search.step() for _ in range(15)] == [None] * 15
        assert len(search.reached) > before and len(search.kept) > 1


def test_the_search_finds_an_error(monkeypatch):
    def reader(path):
        if len(path.read_bytes()) % 2:
            raise bp.ModelFileError
        raise KeyError("odd")

    monkeypatch.setitem(guided.READERS, ".net", reader)
    with guided.Search(".net") as search:
        found = [search.step() for _ in range(30)]
    assert any(error is not None and type(error[0]) is KeyError for error in found)
