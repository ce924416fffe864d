"""What a Checkpoint renames and replaces: files, as many as there are."""

import errno
import os

import numpy as np
import pytest

import bpcore as bp

X = np.linspace(-1, 1, 6).reshape(3, 2)


def fit(*callbacks):
    net = bp.Network([2, 2], rng=0)
    before = net.parameters.copy()
    try:
        net.fit(X, X, epochs=3, callbacks=callbacks, progress=False)
    except OSError:
        assert np.array_equal(net.parameters, before)  # before anything is computed
        raise
    return net


def folder(path):
    path.mkdir()
    (path / "mine").write_text("mine")


def pipe(path):
    os.mkfifo(path)


def link_to_a_device(path):
    path.symlink_to("/dev/full")


def in_a_file(path):
    path.parent.rmdir()
    path.parent.write_text("a file")


def in_no_folder(path):
    path.parent.rmdir()


TARGETS = [folder, pipe, link_to_a_device, in_a_file, in_no_folder]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["net.bpc", "net.best.bpc"])
def test_what_is_no_file_stays_where_it_is(target, name, tmp_path):
    path = tmp_path / "folder" / "net.bpc"
    path.parent.mkdir()
    target(path.with_name(name))
    before = sorted(tmp_path.rglob("*"))
    saving = bp.Checkpoint(path, keep=3, best=True)
    with pytest.raises(OSError):
        fit(saving)
    with pytest.raises(OSError):  # called by a user
        saving(bp.Network([2, 2], rng=0), bp.Network([2, 2]).fit(X, X, progress=False))
    if name == "net.bpc":
        assert sorted(tmp_path.rglob("*")) == before


def test_files_that_are_not_there_take_no_time(tmp_path, monkeypatch):
    calls, exists = [], os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda p: calls.append(p) or exists(p))
    fit(bp.Checkpoint(tmp_path / "net.bpc", keep=10**6, sync=False))
    assert len(calls) < 50
    assert len(list(tmp_path.iterdir())) == 3


def test_a_link_to_another_file_system_stays_one(tmp_path, monkeypatch):
    def link(*paths):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    path = tmp_path / "net.bpc"
    path.symlink_to(tmp_path / "real.bpc")
    monkeypatch.setattr(os, "link", link)
    fit(bp.Checkpoint(path, keep=3, sync=False))
    kept = [path, *(path.with_suffix(f".{i}.bpc") for i in (1, 2))]
    assert [bp.load(p).learner.state.epochs for p in kept] == [3, 2, 1]
    assert path.is_symlink() and not any(p.is_symlink() for p in kept[1:])
