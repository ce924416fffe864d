"""A few changed files, and an error that is found."""

import pytest

import bpcore as bp
from trust.safety import guided


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
