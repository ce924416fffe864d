"""A traced step is the training step itself, bit for bit."""

import copy
import json
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import LIBRARIES, each_library, everything, fourth_powers, short
from helpers.optimizers import OPTIMIZERS
from helpers.trace import (
    TRAINABLE,
    as_bytes,
    assert_is_the_step,
    each_option,
    each_pair,
    problem,
)

RATES = [
    schedules.OneCycle(0.05, 40),
    schedules.CosineRestarts(0.05, 3),
    schedules.Exponential(0.5, 0.7, per="step"),
    schedules.ReduceOnPlateau(0.05, patience=0),
    schedules.Custom(lambda epoch: 0.05 / (1 + epoch)),
]

#: Both dtypes, and NumPy's twin in one of them.
STEPS = [(bp.Network, "float32"), (bp.Network, "float64"), (LIBRARIES[1], "float32")]
KINDS = ["float32", "float64", "reference"]

each_kind = pytest.mark.parametrize("Network, dtype", STEPS, ids=KINDS)


# --- the step, bit for bit ------------------------------------------------------------


@each_kind
@each_option
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_it_is_the_step_of_every_optimizer(Network, optimizer, options, dtype):
    net, X, y = problem(
        Network=Network, optimizer=optimizer, dtype=dtype, n=4, **options
    )
    t = assert_is_the_step(net, X, y)
    assert tuple(t.after.state) == optimizer.states


@each_kind
@each_pair
def test_it_is_the_step_of_every_loss(Network, output, loss, dtype):
    weight = [2.0, 0.0, 1.0, 0.5, 3.0]
    net, X, y = problem(output, loss, Network=Network, dtype=dtype)
    assert_is_the_step(net, X, y, weight, steps=1)
    if loss.labels:
        assert_is_the_step(net, X, np.arange(5) % 4, steps=1)
    if loss.classes:
        assert_is_the_step(net, X, y, weight, [1.0, 2.0, 0.5, 0.1], steps=1)


@each_library
@each_option
@pytest.mark.parametrize("hidden", TRAINABLE)
def test_it_is_the_step_of_every_activation(Network, hidden, options):
    net, X, y = problem(
        "identity", "squared_error", Network=Network, activation=hidden, **options
    )
    assert_is_the_step(net, X, y)


@each_library
@pytest.mark.parametrize("weights", [(), ([1.0, 0.0, 2.0, 0.5, 1.0],)], ids=str)
def test_it_is_the_step_of_a_custom_loss(Network, weights):
    assert_is_the_step(*problem("tanh", fourth_powers, Network=Network), *weights)


@each_library
@pytest.mark.parametrize("clip_norm", [None, 1e-2])
@pytest.mark.parametrize("options", [{}, {"norm": "batch"}], ids=str)
def test_it_is_the_step_where_layers_differ(Network, clip_norm, options):
    optimizer = bp.Adam(0.01, weight_decay=0.1, clip_norm=clip_norm, max_norm=0.5)
    net, X, y = problem(Network=Network, optimizer=optimizer, **options)
    net.lr_factors = [0.5, (1.0, 0.25), 0.0]
    assert_is_the_step(net, X, y)
    net, X, y = problem(Network=Network, optimizer=optimizer, **options)
    net.frozen = [False, True, False]
    t = assert_is_the_step(net, X, y)
    assert t.frozen == net.frozen
    assert np.array_equal(t.before.weights[1], t.after.weights[1])
    assert t.dW[1].any()  # it is still computed


@each_library
@pytest.mark.parametrize("lr", RATES, ids=short)
def test_it_is_the_step_at_every_rate(Network, lr):
    net, X, y = problem(Network=Network, optimizer=bp.SGD(lr, momentum=0.9))
    assert_is_the_step(net, X, y, steps=4)


@each_kind
@pytest.mark.parametrize("n", [1, 2, 300])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 4), (2, 5, 1), (4, 1, 1, 3)], ids=str)
def test_it_is_the_step_of_every_shape(Network, sizes, n, dtype):
    net, X, y = problem(
        "tanh", "squared_error", sizes, n, Network, dtype, optimizer=bp.SGD(0.1)
    )
    t = assert_is_the_step(net, X, y)
    assert t.sizes == sizes and t.n_layers == len(sizes) - 1
    assert [a.shape for a in t.a] == [a.shape for a in t.da] == [
        (n, width) for width in sizes
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3, "norm": "batch"}], ids=str)
def test_it_is_the_step_of_several_threads(options):
    """A net with work for them, and every number of threads gives the same trace."""
    flats = set()
    for n_threads in (1, 2, 3):
        net, X, y = problem(
            sizes=(64, 96, 80, 10), n=64, n_threads=n_threads, dtype="float32",
            **options,
        )  # fmt: skip
        net.learner.engine.use_threads(n_threads, 1)  # however little there is to do
        t = assert_is_the_step(net, X, y)
        flats.add(pickle.dumps([array.tobytes() for array in (*t.a, *t.delta, *t.dW)]))
    assert len(flats) == 1


def test_it_is_the_step_in_the_middle_of_a_fit():
    """After epochs of training, and in a callback."""
    net, X, y = problem(dropout=0.3, optimizer=bp.Adam(schedules.OneCycle(0.1, 60)))
    twin, traced = copy.deepcopy(net), []

    def look(network, history):
        traced.append(bp.trace(network, X, y))

    for each, callbacks in ((net, [look]), (twin, [])):
        each.fit(X, y, epochs=4, batch_size=2, callbacks=callbacks, progress=False)
    assert everything(net) == everything(twin)
    assert [t.step for t in traced] == [4, 7, 10, 13]
    assert len({t.lr for t in traced}) == 4


def test_nothing_that_is_traced_changes_later():
    """X, y, weights and everything of the network are copies."""
    weight = np.ones(5)
    net, X, y = problem(dropout=0.3, norm="layer")
    for apply in (False, True):
        t = bp.trace(net, X, y, weight, apply=apply)
        kept = json.dumps(t.to_dict(lists=True))
        later = bp.trace(net, X, y, weight)  # its lazy numbers are read at the end
        expected = json.dumps(copy.deepcopy(later).to_dict(lists=True))
        for _ in range(3):
            net.train_step(X, y)
        net.parameters[...] = X[...] = y[...] = weight[...] = 7
        assert json.dumps(later.to_dict(lists=True)) == expected
        assert json.dumps(t.to_dict(lists=True)) == kept
        net, X, y = problem(dropout=0.3, norm="layer")
        weight = np.ones(5)


# --- gradients that are not finite ----------------------------------------------------


def test_a_gradient_that_is_not_finite():
    """The step clips the gradient; the trace shows it unclipped."""
    net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(0.1, clip_value=1.0))
    own = copy.deepcopy(net)
    own.train_step([[1e30]], [[1e10]])
    t = bp.trace(net, [[1e30]], [[1e10]])
    assert t.dW[0].item() == -np.inf and "-inf" in str(t)
    assert as_bytes(t.after.weights) == as_bytes(own.weights)
    flow = bp.GradientFlow([[1e30]], [[1e10]])
    flow.record(net, 1)
    assert flow.dW.item() == np.inf
