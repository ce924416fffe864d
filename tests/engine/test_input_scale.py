"""The learned scale of the inputs: a[0] = X * scale.

Its training, in every way, is in the tables of tests/training/test_training.py.
"""

import copy
import pickle
import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch
from helpers import LIBRARIES, each_library, everything, trained
from helpers.optimizers import OPTIMIZERS

QUIET = {"progress": False}
#: Widths around the edges of vectors, and more units above than inputs, and fewer.
SIZES = [(1, 1), (3, 17, 2), (33, 8, 5), (70, 64, 31, 10)]
FUSED = [isa for isa in dispatch.available if isa != "x86_64_v2"]


def make(sizes=(5, 8, 3), Network=bp.Network, dtype="float64", **settings):
    """A network whose scale is not the one it begins with."""
    settings = {"activation": "tanh", "input_scale": 2.0, "rng": 0, **settings}
    net = Network(sizes, dtype=dtype, **settings)
    if net.input_scale is not None:
        net.input_scale[...] = np.linspace(0.5, 1.5, sizes[0])
    return net


def data(net, n=20, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, net.sizes[0])).astype(net.dtype)
    return X, rng.uniform(0.1, 0.9, size=(n, net.sizes[-1])).astype(net.dtype)


def without_scale(net, **settings):
    """A network of the same weights, without the scale."""
    twin = make(net.sizes, type(net), net.dtype, input_scale=None, **settings)
    twin.parameters[...] = net.parameters[: twin.parameters.size]
    return twin


# --- what it computes -----------------------------------------------------------------


@each_library
def test_it_begins_at_one_and_draws_nothing(Network, dtype):
    net = Network([4, 3, 2], input_scale=6.0, dtype=dtype, rng=3)
    plain = Network([4, 3, 2], dtype=dtype, rng=3)
    assert net.input_scale.tolist() == [1.0] * 4
    assert net.parameters.size == plain.parameters.size + 4
    assert net.parameters[:-4].tobytes() == plain.parameters.tobytes()
    assert np.shares_memory(net.input_scale, net.parameters)
    X, _ = data(net)
    assert net.predict(X).tobytes() == plain.predict(X).tobytes()


@each_library
@pytest.mark.parametrize("none", [None, 0, 0.0])
def test_none_is_no_scale(Network, none):
    net, plain = Network([4, 3, 2], input_scale=none, rng=3), Network([4, 3, 2], rng=3)
    assert net.input_scale is None and repr(net) == repr(plain)
    X, y = data(net)
    for each in (net, plain):
        each.fit(X, y, epochs=2, **QUIET)
    assert everything(net) == everything(plain)
    assert net.gradients(X, y).input_scale is None


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [1, 2, 19, 300])
def test_outputs_are_those_of_scaled_inputs(isa, dtype, sizes, n):
    """To the last bit; rows alone, in a mini-batch, in training and in a tape."""
    with dispatch.using(isa):
        net = make(sizes, dtype=dtype)
        plain = without_scale(net)
        X, y = data(net, n)
        scaled = X * net.input_scale
        expected = plain.predict(scaled)
        assert net.predict(X).tobytes() == expected.tobytes()
        assert net.forward(X).output.tobytes() == expected.tobytes()
        assert net.evaluate(X, y) == plain.evaluate(scaled, y)
        for i in (0, n - 1):
            assert net.predict_one(X[i]).tobytes() == expected[i].tobytes()
            assert net.predict(X[i]).tobytes() == expected[i].tobytes()
        found, other = net.gradients(X, y), plain.gradients(scaled, y)
        size = other.flat.size
        assert found.loss == other.loss
        assert found.flat[:size].tobytes() == other.flat.tobytes()
        assert found.input.tobytes() == (other.input * net.input_scale).tobytes()
        tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
        np.testing.assert_allclose(
            found.input_scale, (other.input * X).sum(axis=0), tolerance, tolerance
        )
        tape = net.forward(X)
        assert tape.activations[0].tobytes() == X.tobytes()
        d_output = ((tape.output - y) / n).astype(dtype)
        chained = net.backward(tape, d_output)
        again = plain.backward(plain.forward(scaled), d_output)
        assert chained.flat[:size].tobytes() == again.flat.tobytes()
        assert chained.input.tobytes() == (again.input * net.input_scale).tobytes()


@each_library
def test_noise_is_added_before_it(Network):
    net = make(Network=Network, input_noise=0.5)
    plain = without_scale(net, input_noise=0.5)
    X, y = data(net)
    noisy = plain.forward(X).activations[0]
    quiet = without_scale(net)
    assert net.gradients(X, y).loss == pytest.approx(
        quiet.gradients(noisy * net.input_scale, y).loss, rel=1e-14
    )
    check = bp.check_gradients(net, X, y)
    assert check.largest < 1e-6 and "scale" in check.errors and check.zero == ()


# --- the step -------------------------------------------------------------------------


@each_library
def test_a_step_by_hand(Network):
    """dW[0] is from the old scale, and dscale from the old W[0]."""
    net = make((3, 2), Network, optimizer=bp.SGD(0.1), input_scale=6.0)
    X, y = data(net, 7)
    W, b, scale = (x.copy() for x in (net.weights[0], net.biases[0], net.input_scale))
    delta = ((X * scale) @ W + b - y) / 7
    net.train_step(X, y)
    np.testing.assert_allclose(net.weights[0], W - 0.1 * (X * scale).T @ delta, 1e-12)
    dscale = (delta @ W.T * X).sum(axis=0)
    np.testing.assert_allclose(net.input_scale, scale - 0.6 * dscale, 1e-12)


@each_library
def test_its_settings_are_those_of_biases_with_its_own_factor(Network):
    biases = {"lr_factor": 100.0, "weight_decay": 0.5}
    net = make((3, 2), Network, optimizer=bp.SGD(0.1, l1=3.0, biases=biases))
    net.lr_factors = [7.0]
    X, y = data(net)
    scale, dscale = net.input_scale.copy(), net.gradients(X, y).input_scale
    net.train_step(X, y)
    expected = scale - 0.2 * (dscale + 0.5 * scale + 3.0 * np.sign(scale))
    np.testing.assert_allclose(net.input_scale, expected, 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_learning_one_by_one(isa, dtype, optimizer):
    """`learn_one`, `train_step` and stored gradients have the same bits."""
    with dispatch.using(isa):
        nets = [make((37, 9, 2), dtype=dtype, optimizer=optimizer) for _ in range(3)]
    X, y = data(nets[0], 5)
    for x, t in zip(X, y, strict=True):
        nets[0].learn_one(x, t)
        nets[1].train_step(x[None], t[None])
        nets[2].apply(nets[2].gradients(x[None], t[None]))
    assert trained(nets[0]) == trained(nets[1]) == trained(nets[2])


@pytest.mark.parametrize("sizes", SIZES)
def test_bits_of_every_build_and_number_of_threads(sizes, dtype):
    found = set()
    for isa in FUSED:
        for n_threads in (1, 2, 3):
            with dispatch.using(isa):
                net = make(sizes, dtype=dtype, optimizer=bp.Adam(0.01), input_noise=0.1)
            net.learner.engine.use_threads(n_threads, 1)
            X, y = data(net, 300)
            net.fit(X, y, epochs=2, batch_size=70, **QUIET)
            gradients = net.gradients(X, y)
            arrays = gradients.flat, gradients.input, net.predict(X)
            found.add((trained(net), *(array.tobytes() for array in arrays)))
    assert len(found) == 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("frozen", [(True, False, False), (True, True, True)])
def test_frozen_layers_leave_it_trained(frozen, optimizer):
    settings = {"norm": ["batch", "layer"], "optimizer": optimizer}
    nets = [make((5, 8, 7, 3), library, **settings) for library in LIBRARIES]
    stored = copy.copy(nets[0])
    X, y = data(nets[0])
    for net in (*nets, stored):
        net.frozen = frozen
    before = nets[0].parameters.copy()
    for _ in range(3):
        for net in nets:
            net.train_step(X, y)
        stored.apply(stored.gradients(X, y))
    assert trained(nets[0]) == trained(stored)
    np.testing.assert_allclose(
        nets[0].parameters, nets[1].parameters, rtol=1e-8, atol=1e-10
    )
    changed = nets[0].parameters != before
    assert changed[-5:].all()
    assert changed[:-5].any() != all(frozen)


def test_steps_after_a_layer_was_frozen():
    """Its number of steps is that of the network, not that of a layer."""
    nets = [make(Network=each, optimizer=bp.Adam(0.01)) for each in LIBRARIES]
    X, y = data(nets[0])
    for net in nets:
        net.frozen = [True, True]
        net.fit(X, y, epochs=3, batch_size=7, accumulate=2, **QUIET)
        net.frozen = [False, False]
        net.fit(X, y, epochs=3, batch_size=7, accumulate=2, **QUIET)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-9)


def test_a_fit_is_single_steps():
    whole, steps = (make(optimizer=bp.Adam(0.01)) for _ in range(2))
    X, y = data(whole, 30)
    whole.fit(X, y, epochs=2, batch_size=10, shuffle=False, **QUIET)
    for _ in range(2):
        for first in (0, 10, 20):
            steps.train_step(X[first : first + 10], y[first : first + 10])
    assert whole.parameters.tobytes() == steps.parameters.tobytes()
    many = make(optimizer=bp.Adam(0.01))
    bp.fit_many([many], X, y, epochs=2, batch_size=10, shuffle=False)
    assert many.parameters.tobytes() == whole.parameters.tobytes()


@each_library
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_fit_that_diverges(Network, accumulate):
    """The scale is that of the last finite epoch too."""
    net = make((2, 1), Network, optimizer=bp.SGD(3.0), input_scale=1.0)
    X, y = data(net)
    net.fit(X, y, epochs=2, batch_size=10, shuffle=False, accumulate=accumulate,
            **QUIET)  # fmt: skip
    with pytest.raises(bp.DivergenceError) as caught:
        net.fit(X, y, epochs=500, batch_size=10, shuffle=False, accumulate=accumulate,
                **QUIET)  # fmt: skip
    assert np.isfinite(net.input_scale).all()
    twin = make((2, 1), Network, optimizer=bp.SGD(3.0), input_scale=1.0)
    twin.fit(X, y, epochs=caught.value.epoch + 1, batch_size=10, shuffle=False,
             accumulate=accumulate, **QUIET)  # fmt: skip
    assert twin.parameters.tobytes() == net.parameters.tobytes()


@each_library
def test_lbfgs_trains_it(Network):
    pytest.importorskip("scipy")
    net = make((3, 2), Network, optimizer=bp.LBFGS(weight_decay=0.1))
    net.frozen = [True]
    X, y = data(net)
    before = net.parameters.copy()
    net.fit(X, y, epochs=30, **QUIET)
    assert net.parameters[:-3].tobytes() == before[:-3].tobytes()
    assert (net.parameters[-3:] != before[-3:]).all()
    gradient = net.gradients(X, y).input_scale + 0.1 * net.input_scale
    assert np.abs(gradient).max() < 1e-5


def test_a_fit_by_differences():
    nets = [make(optimizer=bp.SGD(0.1, momentum=0.9)) for _ in range(2)]
    X, y = data(nets[0])
    nets[0].fit(X, y, epochs=5, **QUIET)
    nets[1].fit(X, y, epochs=5, gradient="numerical", **QUIET)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, atol=1e-7)


@each_library
def test_its_optimizer_arrays(Network):
    net = make((3, 2), Network, optimizer=bp.Rprop(0.25))
    state = net.learner.state
    views = [net.learner.design.layout.views(row) for row in state.optimizer_arrays]
    assert [view.scale.tolist() for view in views] == [[0.0] * 3, [0.25] * 3]
    assert not state.optimizer_arrays[:, net.parameters.size :].any()
    net.optimizer = bp.Adam(0.01)
    assert not net.learner.state.optimizer_arrays.any()


# --- copies ---------------------------------------------------------------------------


@each_library
def test_copies_go_on_alike(Network):
    net = make(Network=Network, optimizer=bp.Adam(0.01))
    X, y = data(net)
    net.fit(X, y, epochs=2, batch_size=6, **QUIET)
    copies = copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))
    for each in copies:
        assert everything(each) == everything(net)
        assert repr(each) == repr(net) and "input_scale=2.0" in repr(net)
    net.fit(X, y, epochs=2, batch_size=6, **QUIET)
    for each in copies:
        each.fit(X, y, epochs=2, batch_size=6, **QUIET)
        assert everything(each) == everything(net)
    single = net.astype("float32")
    assert np.array_equal(single.input_scale, net.input_scale.astype("float32"))


@each_library
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_folded_networks_have_none(Network, norm):
    net = make(Network=Network, norm=norm)
    X, y = data(net)
    net.fit(X, y, epochs=2, **QUIET)
    folded = net.folded()
    assert folded.input_scale is None and folded.norms[0] != "batch"
    np.testing.assert_allclose(folded.predict(X), net.predict(X), rtol=1e-12)
    if norm != "batch":
        expected = net.input_scale[:, None] * net.weights[0]
        assert folded.weights[0].tobytes() == expected.tobytes()
    folded.train_step(X, y)


# --- in other words -------------------------------------------------------------------


def test_the_table_of_a_notebook():
    assert "a[0] = X * scale" in make()._repr_html_()
    assert "scale" not in make(input_scale=None)._repr_html_()


@each_library
def test_the_derivation_shows_it(Network):
    net = make((2, 3, 1), Network, optimizer=bp.Adam(0.01, beta1=0.5), input_noise=0.1)
    X, y = data(net, 3)
    t = bp.trace(net, X, y)
    text = t.text()
    for line in (
        "X + noise",
        "scale, of each input",
        "a[0] = (X + noise) * scale",
        "dE/da[0] = delta[0] @ W[0].T",
        "dscale = (dE/da[0] * (X + noise)).sum(0)",
        "dE/dX = dE/da[0] * scale",
        "for each w = W[l][i, j], b[l][j] or scale[i], with g = dE/dw",
        "learning rate of scale",
        "mean of dscale, before",
        "scale, after - before",
    ):
        assert f"\n  {line}" in text, line
    assert re.search(r"learning rate of scale +0\.02\n", text)
    assert "scale" not in bp.trace(without_scale(net), X, y).text()
    assert "dscale" in t._repr_html_()
    numbers = t.to_dict(lists=True)
    assert numbers["before"]["scale"] == net.input_scale.tolist()
    assert numbers["dscale"] == net.gradients(X, y).input_scale.tolist()
    assert numbers["after"]["state"]["mean"]["scale"] != [0.0, 0.0]
    assert "2 layers, 15 numbers" in repr(t.before)


def test_pictures_show_it():
    pytest.importorskip("matplotlib")
    net = make((2, 3, 1))
    figure = bp.trace(net, *data(net, 3)).plot()
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert "input * scale" in shown
    assert sum(text.startswith("scale ") for text in shown) == 2
    wide = make((30, 20, 2))
    bp.trace(wide, *data(wide, 3)).plot()
