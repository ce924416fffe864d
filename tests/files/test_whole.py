"""Which files can be replaced."""

import errno
import os

import pytest

import bpcore as bp
from bpcore.files.whole import replaceable, write_whole
from trust.children.forked import Child

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("ends", [True, False])
def test_a_child_does_not_touch_the_file_of_its_parent(tmp_path, ends):
    """A handler of a signal may fork while a file is written."""
    path, children = tmp_path / "a.txt", []

    def parts():
        yield b"one "
        children.append(Child(20))
        if children[0].here and ends:
            raise SystemExit
        if not children[0].here:
            assert children[0].result() == (b"done", None)
        yield b"two"

    try:
        write_whole(path, parts())
    except (SystemExit, ChildProcessError):
        assert children[0].here
    finally:
        if children[0].here:
            children[0].end(lambda: b"done")
    assert path.read_text() == "one two"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
