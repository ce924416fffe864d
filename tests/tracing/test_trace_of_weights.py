"""Traces with weights: the printed equations hold for the printed numbers."""

import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.tracing.derivation import derivation
from helpers import each_library, fourth_powers

X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, -1.0]])
LABELS = [0, 1, 2, 1]
SHARES = [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.25, 0.75], [1.0, 0.0, 0.0]]
SEVERAL = [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.5], [1.0, 0.0, 1.0]]
SIGNS = [[1.0, 1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, -1.0], [1.0, -1.0, 1.0]]


CASES = {
    "labels": ("softmax", "cross_entropy", LABELS, [1, 2, 3]),
    "shares": ("softmax", "cross_entropy", SHARES, [1, 2, 3]),
    "smoothed labels": ("softmax", bp.CrossEntropy(0.3), LABELS, [1, 2, 3]),
    "smoothed shares": ("softmax", bp.CrossEntropy(0.3), SHARES, [1, 20, 0.5]),
    "one output": ("sigmoid", "binary_cross_entropy", [0, 1, 0.25, 1], [0.5, 3]),
    "labels of outputs": ("sigmoid", "binary_cross_entropy", SEVERAL, [0.5, 3, 2]),
    "sign": ("tanh", "hinge", [-1, 1, 1, -1], [0.5, 3]),
    "signs of outputs": ("identity", "hinge", SIGNS, [0.5, 3, 2]),
    "custom, shares": ("softmax", fourth_powers, SHARES, [1, 2, 3]),
    "custom, one output": ("identity", fourth_powers, [0, 1, 0.25, 1], [0.5, 3]),
    "custom, classes": ("tanh", fourth_powers, SIGNS, [1, 2, 3]),
}
WEIGHT = [1.0, 2.0, 0.5, 3.0]


def lines_of(t):
    """The equations and their values."""
    return {
        line.equation: line.value
        for section in derivation(t, whole=True)
        for line in section.lines
    }


def over_outputs(function):
    return lambda x: function(np.asarray(x, float), axis=-1, keepdims=True)


def computed(formula, names):
    """The value of a formula as it is printed."""
    code = formula.replace("^", "**").replace("y'", "new").replace("c[y]", "c[label]")
    functions = {"sum": over_outputs(np.sum), "mean": over_outputs(np.mean)}
    functions |= {"log": np.log, "where": np.where, "max": np.maximum}
    functions["argmax"] = lambda y: y.argmax(axis=-1, keepdims=True)
    return eval(code, functions | names)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize("output, loss, y, c", CASES.values(), ids=CASES)
@each_library
def test_equations_hold(Network, output, loss, y, c, weight):
    n_out = 1 if len(c) == 2 else len(c)
    net = Network([2, n_out], output=output, loss=loss, dtype="float64", rng=0)
    t = bp.trace(net, X, y, weight, c)
    given = np.reshape(y, (4, 1)) if n_out == 1 else np.asarray(y)
    assert np.array_equal(t.y, given)  # the caller's, whatever the loss is made of
    assert np.array_equal(t.class_weight, c)
    assert t.weight is None if weight is None else np.array_equal(t.weight, weight)
    lines = lines_of(t)
    assert lines["y"].reshape(4, -1).tolist() == given.reshape(4, -1).tolist()
    names = {"c": np.array(c, float), "a": t.a[-1], "n_L": n_out, "n": 4}
    names["y"] = t.y if t.y.ndim == 2 else np.eye(n_out)[t.y]
    names["label"] = t.y.reshape(4, -1)
    names["weight"] = None if weight is None else t.weight[:, None]
    names["label_smoothing"] = 0.3
    for symbol, name in (("s", "s"), ("y'", "new"), ("w", "w")):
        for line, value in lines.items():
            if line.startswith(f"{symbol} = "):
                names[name] = computed(line.split(" = ")[1], names)
                if value is not None:
                    shape = np.broadcast_shapes(names[name].shape, value.shape)
                    np.testing.assert_allclose(
                        np.broadcast_to(names[name], shape), value, rtol=1e-12
                    )
    each = next(line.split(" = ")[1] for line in lines if line.startswith("E_i = "))
    if loss is fourth_powers:
        E = fourth_powers(names["a"], names["y"])[0][:, None]
    else:
        E = computed(each, names)
    of_every = next(line for line in lines if "E_i, of every sample" in line)
    within = not of_every.startswith("w * ")
    assert within == (n_out == 3 and output in ("sigmoid", "identity"))
    if not within:
        E = names["w"] * E
    np.testing.assert_allclose(t.losses, E[:, 0], rtol=1e-12)
    assert t.loss == pytest.approx(E.mean(), rel=1e-12)
    if loss is not fourth_powers:
        share = names["w"] / 4
        slope = next(line for line in lines if line.startswith("dE/da[1] = "))
        by_a = re.fullmatch(r"dE/da\[1\] = (\(.*\)) \* w / n", slope)[1]
        np.testing.assert_allclose(t.da[1], computed(by_a, names) * share, rtol=1e-9)
        if t.design.loss_takes_z:
            by_z = next(line for line in lines if line.startswith("delta[0] = "))
            by_z = re.fullmatch(r".* = (\(.*\)) \* w / n", by_z)[1]
            np.testing.assert_allclose(
                t.delta[0], computed(by_z, names) * share, rtol=1e-9, atol=1e-15
            )


def test_all_of_it_is_in_the_dict():
    net = bp.Network([2, 1], output="sigmoid", rng=0)
    t = bp.trace(net, X, [0, 1, 0.25, 1], WEIGHT, [0.5, 3])
    found = t.to_dict()
    for name in ("y", "weight", "class_weight", "targets", "weights"):
        assert found[name] is getattr(t, name)
    assert bp.trace(net, X, [0, 1, 1, 1]).class_weight is None


@pytest.mark.parametrize("weight", (None, WEIGHT), ids=["alike", "weighted"])
def test_without_class_weights_the_kernels_have_what_was_given(weight):
    net = bp.Network([2, 1], output="sigmoid", rng=0)
    t = bp.trace(net, X, [0, 1, 0.25, 1], weight)
    assert t.targets is t.y
    assert t.weights is t.weight
