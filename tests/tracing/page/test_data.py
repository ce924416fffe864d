"""The numbers of a page are those of the trace, to the last bit."""

import json

import numpy as np
import pytest

import bpcore as bp
from bpcore.show.colours import STOPS
from bpcore.tracing.page.data import page_data
from helpers import fourth_powers
from helpers.pages import TRACES, each_option_traced
from helpers.trace import PAIRS, problem

each_trace = pytest.mark.parametrize("make", TRACES.values(), ids=TRACES)


def assert_same(numbers, array):
    """The same number as JSON has it, in the array's dtype."""
    assert np.array_equal(np.array(numbers, array.dtype), array, equal_nan=True)


def assert_pair(pair, before, after):
    assert_same(pair[0], before)
    assert_same(pair[1], after)


def assert_is_the_trace(t):
    """Every array of the page, read from JSON, against that of the trace."""
    data = json.loads(json.dumps(page_data(t), allow_nan=False))
    assert (data["network"], data["sizes"]) == (t.network, list(t.sizes))
    assert (data["step"], data["rows"]) == (t.step, len(t.X))
    assert data["optimizer"] == repr(t.optimizer)
    assert data["stops"] == [list(stop) for stop in STOPS]
    assert_same(data["a"], t.a[0])
    assert_same(data["da"], t.da[0])
    assert_same(data["loss"]["y"], t.y)
    assert_same(data["loss"]["rows"], t.losses)
    assert data["loss"]["E"] == t.loss
    for name, array in (("weights", t.weights), ("targets", t.targets)):
        if name in data["loss"]:
            assert_same(data["loss"][name], array)
    assert ("weights" in data["loss"]) == (t.weights is not None)
    assert ("targets" in data["loss"]) == (t.class_weight is not None)
    for l, layer in enumerate(data["layers"]):
        assert_layer(layer, t, l)
    if t.before.scale is None:
        assert not {"X", "dX", "scale", "dscale"} & {*data}
        return
    assert_pair(data["scale"], t.before.scale, t.after.scale)
    for name in ("X", "dX", "dscale"):
        assert_same(data[name], getattr(t, name))


def assert_layer(layer, t, l):
    for name in ("u", "hat", "inverse", "z", "delta", "du", "dW", "db", "dgain"):
        array = getattr(t, name)[l]
        assert (name in layer) == (array is not None)
        if array is not None:
            assert_same(layer[name], array)
    assert_same(layer["a"], t.a[l + 1])
    assert_same(layer["da"], t.da[l + 1])
    assert ("kept" in layer) == ("f" in layer) == (t.kept[l] is not None)
    slope = t.derivatives[l]
    if t.design.activations[l] == "softmax":
        slope = slope.swapaxes(1, 2)
    else:
        assert_same(layer["derivative"], slope)
    if t.kept[l] is not None:
        assert_same(layer["kept"], t.kept[l])
        assert_same(layer["f"], t.f[l])
        kept = t.kept[l]
        slope = slope * (kept if slope.ndim == 2 else kept[:, None, :])
    assert_same(layer["slope"], slope)
    for name, views in (("W", "weights"), ("b", "biases"), ("gain", "gains")):
        before, after = getattr(t.before, views)[l], getattr(t.after, views)[l]
        if before is not None:
            assert_pair(layer[name], before, after)
        if name == "gain":
            continue
        for state in t.before.state:
            of = (p.state[state] for p in (t.before, t.after))
            arrays = (getattr(views_of, views)[l] for views_of in of)
            assert_pair(layer["state"][state][name], *arrays)


@each_trace
def test_the_numbers_are_those_of_the_trace(make):
    assert_is_the_trace(make())


def test_with_every_option():
    for t in each_option_traced():
        assert_is_the_trace(t)


def test_with_every_output_and_loss():
    for output, loss in PAIRS:
        net, X, y = problem(output, loss, sizes=(2, 3, 4), n=2)
        assert_is_the_trace(bp.trace(net, X, y))
    net, X, y = problem("tanh", fourth_powers)
    assert_is_the_trace(bp.trace(net, X, y))


@each_trace
def test_equations_are_those_of_the_text(make):
    t = make()
    data, text = page_data(t), " ".join(t.text(all=True).split())
    found = [*data["input"], *data["loss"]["equations"], *data["update"]]
    for l, layer in enumerate(data["layers"]):
        found += layer["forward"] + layer["backward"]
        assert any(line.startswith(f"z[{l}] = ") for line in layer["forward"])
        assert any(line.startswith(f"dW[{l}] = ") for line in layer["backward"])
    for line in found:
        assert " ".join(line.split()) in text


def test_numbers_of_paths_and_rates():
    t = TRACES["softmax within"]()
    layers = page_data(t)["layers"]
    assert [layer["paths"] for layer in layers] == [
        t.path(l, 0, 0).n_paths for l in range(t.n_layers)
    ]
    assert [layer["joins"] for layer in layers] == [True, False, False]
    data = page_data(TRACES["norms, scale and a frozen layer"]())
    assert data["first_path"] == 2
    assert [layer["frozen"] for layer in data["layers"]] == [True, False, False, False]
    net = bp.Network([1, 1, 1], optimizer=bp.SGD(lr=0.5), rng=0)
    net.lr_factors = [0.1, (1.0, 0.5)]
    data = page_data(bp.trace(net, [[1.0]], [[2.0]]))
    assert data["rate"] == ["learning rate", 0.5]
    assert [layer["factors"] for layer in data["layers"]] == [[0.1, 0.1], [1.0, 0.5]]


def test_numbers_that_are_not_finite():
    """An output that is 0 has an infinite dE/da, which JSON has no number for."""
    net = bp.Network(
        [1, 1], output="sigmoid", loss="binary_cross_entropy", init="zeros"
    )
    net.biases[0][...] = 30
    (layer,) = page_data(bp.trace(net, [[0.0]], [[0.0]]))["layers"]
    assert layer["da"] == [["Infinity"]]
