"""Altered pickles of traces are refused: the kernels read their arrays."""

import pickle

import numpy as np
import pytest

import bpcore as bp

X = np.random.default_rng(0).normal(size=(4, 3))
TRACE = bp.trace(bp.Network([3, 4, 2], norm="batch", rng=0), X, X[:, :2])


def records(array):
    return np.zeros(array.shape, [("x", "f4"), ("y", "O")])


def test_arrays_without_numbers_are_refused():
    state = TRACE.__getstate__()
    layers = [dict(layer) for layer in state["layers"]]
    layers[1]["a"] = records(layers[1]["a"])
    altered = [
        ("X", records(TRACE.X)),
        ("losses", TRACE.losses.astype(object)),
        ("layers", tuple(layers)),
    ]
    for name, value in altered:
        with pytest.raises(TypeError, match="must have numbers"):
            object.__new__(bp.Trace).__setstate__({**state, name: value})
    before = TRACE.before.__getstate__()
    before["weights"] = (before["weights"][0], records(before["weights"][1]))
    with pytest.raises(TypeError, match="weights must have numbers"):
        object.__new__(type(TRACE.before)).__setstate__(before)


def test_what_is_computed_from_others_is_computed_anew():
    text = str(TRACE)
    state = TRACE.__getstate__()
    assert not {"da", "_before_norm"} & set(state)
    state["computed_derivatives"] = {0: "no array"}
    other = object.__new__(bp.Trace)
    other.__setstate__(state)
    assert str(other) == text == str(pickle.loads(pickle.dumps(TRACE)))
