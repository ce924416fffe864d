"""The way back from a diverging fit, in memory or in a temporary file."""

import tempfile

import numpy as np
import pytest

import bpcore as bp
from bpcore.model import snapshot
from bpcore.model.snapshot import Snapshot


@pytest.fixture(params=["memory", "file", "no file"])
def place(request, monkeypatch):
    """Where copies go: a file is what large ones go to, if it can be written."""
    if request.param != "memory":
        monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    if request.param == "no file":

        def refuse(**settings):
            raise PermissionError("read-only")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    return request.param


def test_what_was_taken_last_comes_back(place):
    arrays = [np.arange(5.0), np.arange(6, dtype="float32").reshape(2, 3)]
    with Snapshot() as kept:
        for _ in range(2):
            arrays[0] += 1
            kept.take(arrays)
        expected = [array.copy() for array in arrays]
        for array in arrays:
            array[...] = np.nan
        kept.restore(arrays)
        assert (kept._file is not None) == (place == "file")
        assert bool(kept._copies) == (place != "file")
    for array, right in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, right)
    if place == "file":
        assert kept._file.closed


def test_a_disk_that_fills_up_on_the_way(monkeypatch):
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    a = np.arange(3.0)
    with Snapshot() as kept:
        kept.take([a])

        class Full:
            def seek(self, at):
                raise OSError("no space left")

        kept._file = Full()
        a += 1
        kept.take([a])
        a += 1
        kept.restore([a])
    assert a.tolist() == [1, 2, 3]


def test_a_disk_that_has_room_again(monkeypatch):
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    a = np.arange(3.0)
    with Snapshot() as kept:
        with monkeypatch.context() as full:
            full.setattr(Snapshot, "_write", lambda self, arrays: False)
            kept.take([a])
        a += 1
        kept.take([a])
        a += 1
        kept.restore([a])
    assert a.tolist() == [1, 2, 3]


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
