"""Assigning settings or a state is one switch: an interrupt finds no half of it."""

import copy
import itertools
from functools import partial

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import everything
from helpers.interrupts import Interrupts

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X[:, :2] * 2


def make():
    net = bp.Network(
        [3, 4, 2], norm="batch", optimizer=bp.Adam(0.01), rng=0, dtype="float64"
    )
    net.fit(X, Y, epochs=2, progress=False)
    return net


def use_same_arrays(net):
    net.optimizer = bp.Adam(schedules.StepDecay(0.02, every=50))


def use_more_arrays(net):
    net.optimizer = bp.AMSGrad(0.02, clip_norm=1.0)


def use_no_arrays(net):
    net.optimizer = bp.SGD(schedules.ReduceOnPlateau(0.1))


def use_lbfgs(net):
    net.optimizer = bp.LBFGS()


def freeze(net):
    net.frozen = [True, False]


def use_factors(net):
    net.lr_factors = [0.0, 2.0]


def trained_by_another_optimizer():
    net = make()
    net.optimizer = bp.RMSprop(0.03)
    net.fit(X, Y, epochs=1, progress=False)
    return net.learner.state


OTHER_STATE = trained_by_another_optimizer()
OTHER_CONTENT = bp.Network(
    [3, 5, 4], loss="cross_entropy", rng=3, n_threads=1
).__getstate__()


def use_state(net):
    """A state with other counters, optimizer and arrays, but the same parameters."""
    own = net.learner.state
    other = OTHER_STATE.copy(np.dtype("float64"))
    other.parameters, other.moments = own.parameters, own.moments
    net.learner.use(other)


def take_the_content_of_another(net):
    """What unpickling does, onto a network that is in use."""
    type(net).__setstate__(net, OTHER_CONTENT)


SWITCHES = [
    use_same_arrays,
    use_more_arrays,
    use_no_arrays,
    use_lbfgs,
    freeze,
    use_factors,
    use_state,
    take_the_content_of_another,
]


def results_of_steps(net):
    """Numbers that depend on every array that a step reads."""
    y = Y if net.sizes[-1] == 2 else np.arange(12) % 4
    gradients = net.gradients(X, y)
    if net.learner.makes_steps:
        net.apply(gradients)
        net.train_step(X, y)
    net.fit(X, y, epochs=2, progress=False)
    row = np.ascontiguousarray(X[0], net.dtype)
    return everything(net), net.predict(X).tobytes(), net.predict_one(row).tobytes()


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: switch.__name__)
def test_an_interrupt_at_any_line_leaves_a_whole_network(switch):
    if switch is use_lbfgs:
        pytest.importorskip("scipy")
    start, new = make(), make()
    switch(new)
    whole = {everything(start), everything(new)}
    results = {
        everything(net): results_of_steps(copy.deepcopy(net)) for net in (start, new)
    }
    assert len(whole) == 2
    found, errors = set(), np.geterr()
    for number in itertools.count(1):
        net = copy.deepcopy(start)
        goes_on = Interrupts(number, within="bpcore").call(partial(switch, net))
        state = everything(net)
        assert state in whole, f"half a switch after an interrupt at line {number}"
        assert np.geterr() == errors
        if state not in found or number % 5 == 0:
            assert results_of_steps(net) == results[state]  # it is not locked either
        found.add(state)
        if not goes_on:
            break
    assert number > 5 and found == whole


BAD = {
    "design": ("design", "sizes", (3, 0, 2)),
    "parameters": ("state", "parameters", np.zeros(3)),
    "counters": ("state", "counters", np.full(4, 1 << 62)),
    "optimizer": (None, "optimizer", "adam"),
    "n_threads": (None, "n_threads", -1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_content_does_not_change_a_living_network(name):
    part, entry, value = BAD[name]
    net = make()
    state = bp.Network([3, 5, 2], rng=3).__getstate__()
    (key,) = state
    (state[key][part] if part else state[key])[entry] = value
    before, views = everything(net), net.weights
    with pytest.raises((ValueError, TypeError)):
        net.__setstate__(state)
    assert everything(net) == before
    for now, then in zip(net.weights, views, strict=True):
        assert now.ctypes.data == then.ctypes.data
    assert results_of_steps(net) == results_of_steps(make())
