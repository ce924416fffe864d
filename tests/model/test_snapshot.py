"""Snapshots, to which a fit that diverges returns: in memory or in a temporary file."""

import os
import sys
import tempfile
import time
import tracemalloc
from functools import partial

import numpy as np
import pytest

import bpcore as bp
from bpcore.model import snapshot
from bpcore.model.snapshot import Snapshot
from trust.children.forked import Child


class File:
    """A temporary file on a disk that may be full."""

    def __init__(self, make, settings):
        self.file, self.full = make(**settings), False

    def close(self):
        self.file.close()

    def fileno(self):
        if self.full:
            raise OSError("no space left")
        return self.file.fileno()


@pytest.fixture
def files(monkeypatch):
    """The temporary files that are made from now on."""
    found, make = [], tempfile.TemporaryFile

    def recorded(**settings):
        found.append(File(make, settings))
        return found[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", recorded)
    return found


@pytest.fixture(params=["memory", "file", "no file"])
def place(request, files, monkeypatch):
    """Where copies go: large ones to a file, if it can be written."""
    if request.param != "memory":
        monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    if request.param == "no file":

        def refuse(**settings):
            raise PermissionError("read-only")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    return request.param


def test_what_was_taken_last_comes_back(place, files):
    arrays = [np.arange(5.0), np.arange(6, dtype="float32").reshape(2, 3)]
    with Snapshot() as kept:
        for _ in range(2):
            arrays[0] += 1
            kept.take(arrays)
        expected = [array.copy() for array in arrays]
        for array in arrays:
            array[...] = np.nan
        kept.restore(arrays)
        assert len(files) == (place == "file")
    for array, right in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, right)
    assert all(each.file.closed for each in files)


def test_a_copy_in_a_file_takes_no_memory(place):
    a = np.zeros(10**5)
    with Snapshot() as kept:
        tracemalloc.start()
        try:
            kept.take([a])
            assert (tracemalloc.get_traced_memory()[0] > a.nbytes // 2) == (
                place != "file"
            )
        finally:
            tracemalloc.stop()


def test_a_disk_that_fills_up_on_the_way(files, monkeypatch):
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    a = np.arange(3.0)
    with Snapshot() as kept:
        kept.take([a])
        files[0].full = True
        a += 1
        kept.take([a])
        a += 1
        kept.restore([a])
    assert a.tolist() == [1, 2, 3]


def no_memory(*args, **settings):
    raise MemoryError


@pytest.mark.parametrize("large", [False, True])
def test_a_copy_that_failed_is_not_restored(files, monkeypatch, large):
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0 if large else 10**6)
    a, b = np.arange(3.0), np.arange(4.0)
    with Snapshot() as kept:
        kept.take([a])
        if large:
            files[0].full = True
        with monkeypatch.context() as patch, pytest.raises(MemoryError):
            patch.setattr(snapshot.np, "empty_like", no_memory)
            kept.take([a + 1, b])
        for arrays in [a], [a, b]:
            with pytest.raises(RuntimeError, match="no whole copy"):
                kept.restore(arrays)
        assert (a.tolist(), b.tolist()) == ([0, 1, 2], [0, 1, 2, 3])
        kept.take([a])
        kept.restore([a])


@pytest.mark.parametrize("full_after", [1, 2])
def test_a_fit_without_disk_and_memory_ends_as_it_says(files, monkeypatch, full_after):
    """The best epoch cannot be copied: the network is in the state after it."""
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 3.0])

    def fill(net, history):
        if len(history) == full_after:
            for file in files:
                file.full = True
            monkeypatch.setattr(snapshot.np, "empty_like", no_memory)

    nets = [bp.Network([1, 1], optimizer=bp.SGD(0.01), rng=0) for _ in "ab"]
    settings = {"validation": (X, y), "restore_best": True, "progress": False}
    with pytest.raises(MemoryError):
        nets[0].fit(X, y, epochs=9, callbacks=[fill], **settings)
    monkeypatch.undo()
    history = nets[0].history
    nets[1].fit(X, y, epochs=len(history), progress=False)
    assert history.stopped == "error" and history.restored == len(history)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_a_disk_that_has_room_again(files, monkeypatch):
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    a = np.arange(3.0)
    with Snapshot() as kept:
        kept.take([a])
        files[0].full = True
        kept.take([a])
        files[0].full = False
        a += 1
        kept.take([a])
        a += 1
        kept.restore([a])
    assert a.tolist() == [1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("first", ["child", "parent"])
def test_parent_and_child_have_copies_of_their_own(monkeypatch, first):
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    a = np.arange(1000.0)
    with Snapshot() as kept:
        kept.take([a])

        def change(number):
            kept.restore([a])  # the copy before the fork
            assert a.tolist() == np.arange(1000.0).tolist()
            a[...] = number
            kept.take([a])
            a[...] = np.nan
            kept.restore([a])
            return a.tobytes()

        child = Child()
        if child.here:
            if first == "parent":
                time.sleep(0.2)
            child.end(partial(change, 1))
        if first == "child":
            found = child.result()
        assert change(2) == np.full(1000, 2.0).tobytes()
        if first == "parent":
            found = child.result()
        kept.restore([a])
    assert found == (np.ones(1000).tobytes(), None)
    assert a.tolist() == [2] * 1000


def test_a_fit_that_diverges_goes_back(place):
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 3.0])
    nets = [
        bp.Network([1, 1], optimizer=bp.SGD(3.0, momentum=0.9), rng=0) for _ in "ab"
    ]
    with pytest.raises(bp.DivergenceError) as caught:
        nets[0].fit(X, y, epochs=1000, progress=False)
    nets[1].fit(X, y, epochs=caught.value.epoch - 1, progress=False)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert (
        nets[0].learner.state.optimizer_arrays.tobytes()
        == nets[1].learner.state.optimizer_arrays.tobytes()
    )


def test_no_module_can_be_imported_while_python_ends(monkeypatch):
    monkeypatch.setitem(sys.modules, "tempfile", None)
    a = np.arange(float(snapshot.IN_MEMORY))
    with Snapshot() as copy:
        copy.take([a])
        a[:] = 0
        copy.restore([a])
    assert (a == np.arange(float(snapshot.IN_MEMORY))).all()
