"""Calls that write files, in two versions, and what a file says."""

import copy
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import bpcore as bp
from bpcore.model import snapshot
from trust.digest import digest

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = np.ascontiguousarray(X[:, :2])
QUIET = {"progress": False}
#: What files are called while they are written.
LEFTOVERS = ".bpcore-*.part"


@dataclass
class Writer:
    """A call that writes a file.

    Parameters
    ----------
    name : str
        Of the file.
    write : callable
        Takes what is written, and a path.
    content : callable
        Takes the path; the content of the file, or an error if it cannot be read.
    make : callable
        Takes a seed; what is written.
    """

    name: str
    write: Any
    content: Any
    make: Any

    def versions(self, folder):
        """Two objects to write, and the contents of their files."""
        path, found = os.path.join(folder, "first-" + self.name), []
        for thing in map(self.make, (1, 2)):
            self.write(thing, path)
            found.append((thing, self.content(path)))
            os.unlink(path)
        return found


def network(seed, size=8, **settings):
    """A network with an optimizer's arrays and moments."""
    settings = {"norm": "batch", "optimizer": bp.Adam(0.01), **settings}
    net = bp.Network([3, size, 2], rng=seed, n_threads=1, **settings)
    net.train_step(X, Y)
    return net


def save(net, path):
    net.save(path)


def loaded(path):
    """The parameters of a network in a file."""
    net = bp.load(path)
    return digest(net.parameters)


def text(path):
    """The digest of a file, which must have its end."""
    data = Path(path).read_bytes()
    assert data.rstrip().endswith((b"#endif", b"*/", b"</html>", b";", b"}")), data[-9:]
    return digest(data)


def fann(path):
    return digest(bp.from_fann(path).parameters)


def checkpoint(net, path):
    """The file of a fit that writes one after its epoch."""
    options = {"epochs": 1, "shuffle": False, "callbacks": [bp.Checkpoint(path)]}
    copy.deepcopy(net).fit(X, Y, **options, **QUIET)


def animation(seed):
    net = bp.Network([2, 8, 2], loss="cross_entropy", rng=seed, n_threads=1)
    return bp.animate(net, X[:, :2], [0, 1] * 6, epochs=1, **QUIET)


WRITERS = {
    "save": Writer("a.bpc", save, loaded, network),
    "save, 2 MB": Writer("b.bpc", save, loaded, partial(network, size=20_000)),
    "save without sync": Writer(
        "c.bpc", lambda net, path: net.save(path, sync=False), loaded, network
    ),
    "Checkpoint": Writer("d.bpc", checkpoint, loaded, network),
    "to_onnx": Writer("a.onnx", lambda net, path: net.to_onnx(path), loaded, network),
    "to_c": Writer("a.h", lambda net, path: net.to_c(path), text, network),
    "to_fann": Writer(
        "a.net", bp.to_fann, fann, partial(network, norm=None, activation="tanh")
    ),
    "Animation.save, HTML": Writer(
        "a.html", lambda shown, path: shown.save(path), text, animation
    ),
    "Animation.save, GIF": Writer(
        "a.gif", lambda shown, path: shown.save(path), text, animation
    ),
}


def large_fit():
    """A fit whose backups lie in a temporary file; its parameters."""
    size = snapshot.IN_MEMORY // 16
    net = bp.Network([3, size, 2], rng=0, n_threads=1, optimizer=bp.SGD(0.001))
    net.fit(X, Y, epochs=2, batch_size=6, validation=(X, Y), restore_best=True, **QUIET)
    return digest(net.parameters)


def clean(folder):
    """Remove files that were left; their number."""
    left = [*Path(folder).glob(LEFTOVERS)]
    for path in left:
        os.unlink(path)
    return len(left)
