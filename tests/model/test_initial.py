"""How a network begins: initial weights, and factors of the learning rates."""

import copy
import math

import numpy as np
import pytest

import bpcore as bp
from bpcore.initializers import initialize, normal
from bpcore.model.design import bit_generator
from bpcore.reference import descend
from helpers import each_library

SIZES = (6, 16, 5, 3)
X = np.random.default_rng(0).normal(size=(20, 6))
Y = np.random.default_rng(1).normal(size=(20, 3))
PROPORTIONAL = [bp.SGD, bp.Momentum]
OTHERS = [
    *(bp.RMSprop, bp.Adagrad, bp.Adam, bp.AdamW, bp.AMSGrad, bp.Nadam, bp.Adamax),
    *(bp.RAdam, bp.Lion, bp.Rprop, bp.LBFGS),
]


def make(Network=bp.Network, **settings):
    return Network(SIZES, **{"dtype": "float64", "rng": 3, **settings})


# --- initialisers ---------------------------------------------------------------------

NAMES = ["he_normal", "zeros", "lecun_uniform"]


@each_library
@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_an_initialiser_for_each_layer(Network, kind):
    net = make(Network, init=kind(NAMES))
    bits = bit_generator(3)
    for W, name in zip(net.weights, NAMES, strict=True):
        expected = np.empty_like(W)
        initialize(name, expected, bits.random_raw)
        assert W.tobytes() == expected.tobytes()
    assert not any(b.any() for b in net.biases)


@each_library
def test_auto_may_be_one_of_several(Network):
    auto = make(Network, init=["auto", "auto", "zeros"])
    first = make(Network)
    for W, expected in zip(auto.weights[:2], first.weights[:2], strict=True):
        assert W.tobytes() == expected.tobytes()
    assert first.weights[2].any() and not auto.weights[2].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("names", ["normal", ["normal", "zeros", "normal"]], ids=str)
@pytest.mark.parametrize("norm", [None, "batch"])
def test_biases_are_drawn_after_the_weights_of_their_layer(norm, names, dtype):
    net = make(bias_init=names, norm=norm, dtype=dtype)
    bits = bit_generator(3)
    weights, biases = ["he_uniform"] * 2 + ["glorot_uniform"], names
    if names == "normal":
        biases = ["normal"] * 3
    for l in range(3):
        W, b = np.empty_like(net.weights[l]), np.zeros_like(net.biases[l])
        initialize(weights[l], W, bits.random_raw)
        if biases[l] == "normal":
            b[...] = normal(bits.random_raw, b.size)
        assert net.weights[l].tobytes() == W.tobytes()
        assert net.biases[l].tobytes() == b.tobytes()
    assert net.learner.state.bits.state == bits.state
    if norm:
        assert (net.gains[0] == 1).all()


def test_biases_have_the_variance_1():
    b = bp.Network([2, 40_000], bias_init="normal", rng=0).biases[0]
    assert b.var() == pytest.approx(1, rel=0.03) and abs(b.mean()) < 0.02
    assert (np.abs(b) < 1).mean() == pytest.approx(0.6827, abs=0.01)


# --- parametrization ------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("kind", PROPORTIONAL + OTHERS)
def test_factors_of_ntk(Network, kind):
    roots = [n_in if kind in PROPORTIONAL else math.sqrt(n_in) for n_in in SIZES[:-1]]
    net = make(Network, optimizer=kind(), parametrization="ntk")
    assert net.lr_factors == tuple((1 / root, 1.0) for root in roots)
    assert make(Network, optimizer=kind()).lr_factors == ((1.0, 1.0),) * 3


@each_library
@pytest.mark.parametrize("activation", ["relu", "selu", "tanh"])
def test_weights_of_ntk_are_of_lecun(Network, activation):
    settings = {"Network": Network, "activation": activation}
    ntk = make(**settings, parametrization="ntk")
    assert (
        ntk.parameters.tobytes()
        == make(**settings, init="lecun_normal").parameters.tobytes()
    )
    given = make(**settings, parametrization="ntk", init="he_uniform")
    assert (
        given.parameters.tobytes()
        == make(**settings, init="he_uniform").parameters.tobytes()
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ntk_weights_have_the_variance_1_before_their_factor(dtype):
    net = bp.Network([900, 100, 400, 3], parametrization="ntk", rng=0, dtype=dtype)
    for W in net.weights[:-1]:
        assert len(W) * W.var() == pytest.approx(1, rel=0.03)


def trained_as_V(net, steps):
    """A copy whose V = W sqrt(n_in) and b have been trained by the reference's rule."""
    net, optimizer, roots = copy.deepcopy(net), net.optimizer, np.sqrt(SIZES[:-1])
    V = [root * W for root, W in zip(roots, net.weights, strict=True)]
    arrays = [*V, *net.biases]
    states = [
        np.array(
            [np.full_like(array, optimizer.start(name)) for name in optimizer.kept]
        )
        for array in arrays
    ]
    for t in range(1, steps + 1):
        found = net.gradients(X, Y)
        by_V = [dW / root for dW, root in zip(found.weights, roots, strict=True)]
        for array, g, state in zip(arrays, [*by_V, *found.biases], states, strict=True):
            descend(array, g, optimizer.groups()[0], optimizer.lr, t, state)
        for W, v, root in zip(net.weights, V, roots, strict=True):
            W[...] = v / root
    return net


#: Without RAdam, whose first few steps are proportional to the gradient.
RULES = [
    bp.SGD(0.1),
    bp.SGD(0.1, momentum=0.9, nesterov=True),
    bp.Momentum(0.1),
    *(bp.RMSprop(0.01), bp.Adagrad(0.1), bp.Adam(0.01, beta2=0.95), bp.AMSGrad(0.01)),
    *(bp.Nadam(0.01), bp.Adamax(0.01), bp.Lion(0.01), bp.Rprop(0.01)),
]


@each_library
@pytest.mark.parametrize("optimizer", RULES, ids=str)
def test_steps_of_ntk_are_those_of_V(Network, optimizer):
    if hasattr(optimizer, "eps"):  # which is that of W
        optimizer = optimizer.replace(eps=1e-15)
    settings = {"activation": "tanh", "optimizer": optimizer, "parametrization": "ntk"}
    net = make(Network, **settings)
    expected = trained_as_V(net, steps=9)
    before = net.parameters.copy()
    for _ in range(9):
        net.train_step(X, Y)
    np.testing.assert_allclose(net.parameters, expected.parameters, rtol=1e-5)
    assert np.abs(net.parameters - before).min() > 0


def test_an_optimizer_assigned_later_has_the_same_factors():
    net = make(optimizer=bp.SGD(0.1), parametrization="ntk")
    before = net.lr_factors
    net.optimizer = bp.Adam()
    assert net.lr_factors == before == copy.deepcopy(net).lr_factors
