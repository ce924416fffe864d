"""Which files can be replaced."""

import errno
import os

import pytest

import bpcore as bp
from bpcore.files.whole import replaceable, write_whole

MODES = {
    "no writing": os.W_OK,
    "no entering": os.X_OK,
    "neither": os.W_OK | os.X_OK,
}


@pytest.mark.parametrize("refused", MODES)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_that_cannot_be_written(refused, is_there, tmp_path, monkeypatch):
    path = tmp_path / "a.bpc"
    if is_there:
        path.write_bytes(b"old")
    folder, seen = os.path.realpath(tmp_path), []

    def access(path, mode, **_):
        seen.append(path)
        return path != folder or not mode & MODES[refused]

    monkeypatch.setattr(os, "access", access)
    for call in (
        lambda: replaceable(path),
        lambda: write_whole(path, [b"new"]),
        lambda: bp.Network([1, 1]).save(path),
    ):
        with pytest.raises(PermissionError) as caught:
            call()
        error = caught.value
        assert (error.errno, error.filename) == (errno.EACCES, folder)
    assert set(seen) == {folder}
    assert [each.name for each in tmp_path.iterdir()] == ["a.bpc"] * is_there


def test_a_folder_that_can_be_written(tmp_path):
    path = tmp_path / "a.txt"
    assert replaceable(path) == os.path.realpath(path)
