"""Calls with a bad argument: the error that they raise, and that nothing changes."""

import pickle

import numpy as np
import pytest

import bpcore as bp
import helpers

RNG = np.random.default_rng(0)
#: Zeros and ones, so that every dtype holds the same numbers.
X = RNG.integers(2, size=(6, 3)).astype("float32")
LABELS = np.array([0, 1, 1, 0, 1, 1])
TARGETS = np.eye(2, dtype="float32")[LABELS]
WEIGHTS = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
TWO_EPOCHS = {"epochs": 2, "batch_size": 4, "progress": False}


def small(Network, loss="cross_entropy", **settings):
    """A 3-4-2 network whose optimizer has a state that is not zero."""
    net = Network([3, 4, 2], loss=loss, rng=0, **settings)
    net.optimizer = bp.SGD(0.1, momentum=0.9)
    net.train_step(X, TARGETS)
    return net


def everything(net, *arguments):
    """Everything that a refused call must not change, as bytes."""
    changes = helpers.everything(net), net.learner.accumulate, net.learner.engine.lr
    return pickle.dumps((changes, X, LABELS, TARGETS, WEIGHTS, arguments))


def message(argument, expected, got):
    got = rf"(got|\[.* give) .*({got})"
    return rf"(?s)^({argument})\b.* (must|needs) .*({expected}).*; {got}"


def assert_refused(net, call, argument, error, expected, got, *arguments):
    before = everything(net, *arguments)
    with pytest.raises(error, match=message(argument, expected, got)):
        call()
    assert everything(net, *arguments) == before


def table(rows):
    """Parametrize by a dict of rows, with its keys for names."""
    names = "bad, error, expected, got"
    return pytest.mark.parametrize(names, rows.values(), ids=list(rows))


def settings(rows):
    """Parametrize by rows that begin with a dict of settings, which gives the id."""
    names = [str(row[0]).partition(" at 0x")[0][:40] for row in rows]
    return pytest.mark.parametrize("bad, error, expected, got", rows, ids=names)


class Sparse:
    """A matrix that NumPy cannot convert, as those of scipy.sparse."""

    shape = (6, 3)

    def __len__(self):
        raise TypeError("sparse array length is ambiguous")


def spoilt(array, value):
    """A copy of the array with one value in its middle replaced."""
    copy = np.array(array, np.result_type(array, type(value)))
    copy[(3, 1)[: copy.ndim]] = value
    return copy


BINARY = "binary_cross_entropy"
LABEL_SHAPE, TARGET_SHAPE = r"\(6,\)", r"shape \(6, 2\)"
WHOLE_NUMBERS = ("epochs", "batch_size", "patience", "accumulate")


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array):
    """The same numbers at an odd address in memory."""
    room = np.zeros(array.nbytes + 1, "u1")[1:].view(array.dtype).reshape(array.shape)
    room[...] = array
    return room
