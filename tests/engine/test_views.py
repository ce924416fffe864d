"""Views of the parameters by layer: made once, and lent no longer than needed."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import bpcore as bp
from bpcore.network import learner_of
from helpers import each_library, everything

X, Y = np.ones((2, 3), "float32"), np.ones((2, 2), "float32")
USES = {
    "predict": lambda net: net.predict(X),
    "train_step": lambda net: net.train_step(X, Y),
    "evaluate": lambda net: net.evaluate(X, Y),
    "fit": lambda net: net.fit(X, Y, epochs=1, progress=False),
    "pickle": pickle.dumps,
    "frozen": lambda net: setattr(net, "frozen", [True, False]),
}


def network():
    return bp.Network([3, 4, 2], norm="layer", input_scale=1.0, rng=0)


def of_layers(net):
    return net.weights, net.biases, net.gains, net.input_scale


@each_library
def test_a_loop_over_layers_makes_the_views_once(Network):
    net = Network([3, 4, 2], norm="layer", input_scale=1.0, rng=0)
    assert all(a is b for a, b in zip(of_layers(net), of_layers(net), strict=True))


def test_the_work_of_a_loop_is_that_of_one_access(monkeypatch):
    net, made = network(), []
    views = type(learner_of(net).design.layout).views

    def counted(layout, flat):
        made.append(flat.size)
        return views(layout, flat)

    monkeypatch.setattr(type(learner_of(net).design.layout), "views", counted)
    for l in range(2):
        net.weights[l][...] = net.biases[l][0] = net.gains[0][0] = 2.0
    net.lr_factors, net.frozen = [1.0, 0.5], [False, True]
    assert len(made) == 1


@pytest.mark.parametrize("name", USES)
def test_views_that_nobody_holds_end_with_the_next_use(name):
    net = network()
    gone = weakref.ref(net.weights[0])
    kept = net.biases[1]
    assert gone() is net.weights[0]
    gc.disable()
    try:
        USES[name](net)
        assert gone() is None
    finally:
        gc.enable()
    kept[...] = 7
    assert net.biases[1] is not kept and (net.biases[1] == 7).all()


def test_the_views_are_those_of_the_parameters_after_a_use():
    net = network()
    for _ in range(2):
        for W, b in zip(net.weights, net.biases, strict=True):
            W[...], b[...] = 3.0, 5.0
        parts = learner_of(net).design.layout.views(net.parameters)
        assert all((W == 3).all() for W in parts.weights)
        assert all((b == 5).all() for b in parts.biases)
        net.train_step(X, Y)


def test_no_copy_has_the_views_of_another():
    net = network()
    W, before = net.weights[0], everything(net)
    for other in copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net)):
        assert not np.shares_memory(other.weights[0], W)
        other.weights[0][...] = np.nan
    assert everything(net) == before


def test_a_network_with_views_is_freed_without_the_collector():
    net = network()
    gone = weakref.ref(learner_of(net)), weakref.ref(net.weights[0])
    gc.disable()
    try:
        del net
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()
