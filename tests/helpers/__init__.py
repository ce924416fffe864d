"""Functions and data that tests of several subjects share."""

import pickle
import re
import weakref
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore.network import OWN, Network

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"

#: The compiled library, and its reference in NumPy.
LIBRARIES = [bp.Network, bp.reference.Network]
each_library = pytest.mark.parametrize(
    "Network", LIBRARIES, ids=["compiled", "reference"]
)


def short(value):
    """A value as the id of a test: one line, without addresses in memory."""
    name = getattr(value, "__qualname__", str(value))
    text = re.sub(r" at 0x[0-9a-f]+|array\(|\s+", " ", name).strip()
    return text if len(text) < 80 else f"{text[:77]}..."


def golden(name):
    """The arrays of a golden file."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def everything(net):
    """All that a network is, as bytes: equal where every bit is.

    Functions, which may be among the settings, by their names.
    """
    state = Network.__getstate__(net)
    stored = state.pop(OWN)
    try:
        lr = net.lr
    except Exception as error:  # a schedule of the caller's that fails now
        lr = error
    settings = repr((stored.pop("design"), stored.pop("optimizer"), lr))
    return pickle.dumps((state, stored, settings))


def trained(net):
    """All that training changes, as bytes; networks may differ in their settings."""
    return pickle.dumps((net.learner.state.to_arrays(), net.lr))


def chooses_threads(net):
    """Whether the network, and so every copy of it, has n_threads="auto"."""
    return net.__getstate__()[OWN]["n_threads"] == "auto"


def recorded_bars(monkeypatch):
    """The tqdm bars that are made from now on and live; a closed one is disabled."""
    tqdm, bars = pytest.importorskip("tqdm").tqdm, weakref.WeakSet()
    init = tqdm.__init__

    def recorded(self, *arguments, **settings):
        bars.add(self)
        init(self, *arguments, **settings)

    monkeypatch.setattr(tqdm, "__init__", recorded)
    return bars


def fourth_powers(a, y):
    """A custom loss."""
    return ((a - y) ** 4).sum(axis=1), 4 * (a - y) ** 3


def softmax(z):
    """The softmax of each row, in NumPy."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Values:
    """A metric that returns these values, one after the other; may be copied."""

    def __init__(self, *values, name="score"):
        self.__name__, self.left = name, list(values)

    def __call__(self, y, a):
        return self.left.pop(0)


def reporting(kind, flag):
    """For np.errstate(call=...): floating-point errors become failures."""
    raise AssertionError(f"NumPy reported {kind}")
