"""Optimizers, rates and frozen layers that are assigned while a fit is running."""

import signal
import threading

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import everything

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype("float32")
Y = X[:, :1] * 2
QUIET = {"progress": False}
OPTIMIZERS = {
    "sgd": bp.SGD,
    "momentum": lambda: bp.SGD(0.1, momentum=0.9),
    "adam": bp.Adam,
    "rmsprop": bp.RMSprop,
    "schedule": lambda: bp.Adam(schedules.Exponential(0.01, 0.9)),
}


def use_lbfgs(net, *_):
    net.optimizer = bp.LBFGS()


def batches_that_assign(net):
    for i in range(4):
        if i == 2:
            use_lbfgs(net)
        yield X[:8], Y[:8]


WAYS = {
    "epoch": lambda net: net.fit(X, Y, epochs=3, callbacks=[use_lbfgs], **QUIET),
    "mini-batch": lambda net: net.fit(X, Y, batch_callbacks=[use_lbfgs], **QUIET),
    "accumulate": lambda net: net.fit(
        X, Y, batch_size=4, accumulate=4, batch_callbacks=[use_lbfgs], **QUIET
    ),
    "stream": lambda net: net.fit(batches_that_assign(net), epochs=1, **QUIET),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
def test_lbfgs_assigned_within_a_fit_ends_it(Network, way, optimizer):
    """It makes no steps from mini-batches: an error, and no step with stale arrays."""
    pytest.importorskip("scipy")
    net = Network([3, 50, 1], optimizer=OPTIMIZERS[optimizer](), rng=0)
    with pytest.raises(ValueError, match=r"^LBFGS trains by fit only"):
        WAYS[way](net)
    assert np.isfinite(net.parameters).all()
    assert isinstance(net.optimizer, bp.LBFGS)
    net.fit(X, Y, epochs=2, **QUIET)
    net.optimizer = bp.SGD(0.01)
    net.train_step(X, Y)


def test_lbfgs_freezes_layers():
    pytest.importorskip("scipy")
    net = bp.Network([3, 4, 1], norm="batch", optimizer=bp.LBFGS(), rng=0)
    net.frozen = [True, False]
    before = net.weights[0].copy(), net.running_moments[0].copy()
    net.fit(X, Y, epochs=3, **QUIET)
    np.testing.assert_array_equal(net.weights[0], before[0])
    np.testing.assert_array_equal(net.running_moments[0], before[1])


def test_lbfgs_leaves_layers_of_factor_0():
    pytest.importorskip("scipy")
    net = bp.Network([3, 4, 1], optimizer=bp.LBFGS(), rng=0)
    net.lr_factors = [1.0, 0.0]
    before = net.weights[1].copy()
    net.fit(X, Y, epochs=3, **QUIET)
    np.testing.assert_array_equal(net.weights[1], before)


def step_size(net):
    """The change of the bias of a linear network by one step, over the gradient."""
    before, gradient = net.biases[0].copy(), net.gradients(X, Y).biases[0]
    net.train_step(X, Y)
    return ((before - net.biases[0]) / gradient).item()


@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
def test_a_schedule_that_replaces_the_optimizer(Network):
    """Steps have the rate of the new optimizer."""
    net = Network([3, 1], rng=0, dtype="float64")

    def schedule(epoch):
        if armed:
            armed.clear()
            net.optimizer = bp.SGD(0.5)
        return 0.01

    armed = []
    net.optimizer = bp.SGD(schedule)
    armed.append(True)
    net.train_step(X.astype("float64"), Y.astype("float64"))
    assert net.lr == 0.5
    assert step_size(net) == pytest.approx(0.5)
    assert step_size(net) == pytest.approx(0.5)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize("batch_size", [1, 24])
def test_a_signal_handler_that_replaces_the_optimizer(batch_size):
    net = bp.Network([3, 1], rng=0, dtype="float64")
    net.optimizer = bp.SGD(schedules.InverseScaling(1e-3, 0.1, per="step"))

    def handler(*_):
        net.optimizer = bp.SGD(1e-5)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.08)
    try:
        while net.lr != 1e-5:
            net.fit(X, Y, epochs=4000, batch_size=batch_size, **QUIET)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert net.learner.engine.lr == pytest.approx(1e-5)
    assert step_size(net) == pytest.approx(1e-5)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.parametrize("lr", [1e-3, schedules.InverseScaling(1e-3, 0.1, per="step")])
def test_a_signal_handler_that_makes_steps(lr):
    """Recorded epochs are those of the fit."""
    net = bp.Network([3, 1], rng=0, optimizer=bp.SGD(lr))
    steps = []

    def handler(*_):
        steps.extend(net.train_step(X, Y) for _ in range(7))
        signal.setitimer(signal.ITIMER_REAL, 0.02)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        history = net.fit(X, Y, epochs=20_000, batch_size=8, **QUIET)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(history) == net.learner.state.epochs == 20_000
    assert (history.seconds >= 0).all() and (history.seconds < 60).all()
    assert np.isfinite(history.loss).all() and np.isfinite(history.lr).all()
    assert net.learner.state.steps == 3 * 20_000 + len(steps)


@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_freezing_and_thawing_loses_no_accumulated_gradient(Network, clip_norm):
    def toggle(net, epoch, batch, loss):
        if batch == 2:
            net.frozen = [True, False]
            net.frozen = [False, False]

    def train(callbacks):
        optimizer = bp.SGD(0.1, clip_norm=clip_norm)
        net = Network([3, 4, 1], optimizer=optimizer, rng=0, dtype="float64")
        options = {"batch_size": 8, "accumulate": 3, "epochs": 2, **QUIET}
        net.fit(X, Y, batch_callbacks=callbacks, **options)
        return everything(net)

    assert train([toggle]) == train([lambda *_: None])


@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_a_frozen_layer_has_no_part_in_an_accumulated_step(Network, clip_norm):
    """Nor in its norm: as if it had been frozen from the first mini-batch on."""

    def train(frozen_at):
        optimizer = bp.SGD(0.1, clip_norm=clip_norm)
        net = Network([3, 4, 1], optimizer=optimizer, rng=0, dtype="float64")

        def freeze(net, epoch, batch, loss):
            if batch == frozen_at:
                net.frozen = [True, False]

        if frozen_at == 0:
            net.frozen = [True, False]
        options = {"batch_size": 8, "accumulate": 3, "epochs": 2, "shuffle": False}
        net.fit(X, Y, batch_callbacks=[freeze], **options, **QUIET)
        return net.parameters.copy()

    np.testing.assert_allclose(train(2), train(0), rtol=1e-12)


def test_gradients_of_weight_0_are_not_applied_while_another_thread_trains():
    net = bp.Network([3, 4, 1], rng=0)
    nothing = net.gradients(X, Y, np.zeros(24))
    inside, leave, refused = threading.Event(), threading.Event(), []

    def wait(*_):
        inside.set()
        leave.wait(30)

    thread = threading.Thread(
        target=net.fit, args=(X, Y), kwargs={"epochs": 1, "callbacks": [wait], **QUIET}
    )
    thread.start()
    inside.wait(30)
    seen = net.learner.state.seen
    try:
        net.apply(nothing)
    except RuntimeError as error:
        refused.append(str(error))
    assert net.learner.state.seen == seen
    leave.set()
    thread.join()
    assert refused and "in use by another thread" in refused[0]
    net.apply(nothing)
    assert net.learner.state.seen == seen + 1
