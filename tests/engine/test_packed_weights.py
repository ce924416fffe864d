"""Packed copies of the weights, kept between predictions: the bits are as without them,
whatever has happened to the weights since.

A network of which a user holds a writable array makes no copies.
"""

import copy
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch, engine

#: Two blocks of terms, panels that are not full, a layer too small for a copy.
SIZES = [700, 150, 130, 3]
N = 40


def network(sizes=SIZES, **settings):
    settings = {"rng": 0, "n_threads": 1, "optimizer": bp.SGD(0.01)} | settings
    return bp.Network(sizes, **settings)


def rows(n=N, dtype="float32", width=SIZES[0], seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype(dtype)


def without_copies(net, X):
    """The predictions of a network with the same parameters that makes no copies."""
    twin = copy.copy(net)
    held = twin.parameters
    for _ in range(3):
        out = twin.predict(X)
    assert held.shape == twin.parameters.shape
    return out


def same(a, b):
    assert a.tobytes() == b.tobytes()


def packed_after(net, X, monkeypatch):
    """The bytes of the copies that three predictions allocate."""
    made = []
    allocate = engine.zeroed

    def noted(size):
        made.append(size)
        return allocate(size)

    net.predict(X)  # the workspace
    with monkeypatch.context() as patch:
        patch.setattr(engine, "zeroed", noted)
        for _ in range(3):
            net.predict(X)
    return sum(made)


@pytest.mark.parametrize("n", [1, 11, 12, 13, 31, 48, 100, 256, 257, 700])
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits(isa, dtype, n_threads, n):
    if isa == "scalar" and n > 48:
        pytest.skip("slow, and the same code")
    with dispatch.using(isa):
        for sizes in (
            SIZES,
            [256, 256, 1],
            [320, 33, 700],
            [321, 129, 17],
            [1030, 65],
            [5000, 16, 2],
            [40, 2000, 8],
        ):
            net = network(sizes, dtype=dtype, n_threads=n_threads)
            if n_threads > 1:
                net.learner.engine.use_threads(n_threads, 1000)
            X = rows(n, dtype, sizes[0])
            want = without_copies(net, X)
            for _ in range(4):
                same(net.predict(X), want)


@pytest.mark.parametrize("zeros", [0.5, 0.9, 1])
def test_bits_of_sparse_rows(isa, zeros):
    with dispatch.using(isa):
        net, X = network(), rows(100)
        X[:, np.random.default_rng(1).permutation(700)[: round(700 * zeros)]] = 0
        want = without_copies(net, X)
        for _ in range(3):
            same(net.predict(X), want)


@pytest.mark.parametrize("activation", ["identity", "softmax", "tanh", "gelu"])
@pytest.mark.parametrize("norm", [None, "layer", "batch"])
def test_bits_of_other_layers(activation, norm):
    net = network(activation=activation, norm=norm, dropout=0.3)
    X = rows()
    want = without_copies(net, X)
    for _ in range(3):
        same(net.predict(X), want)


def test_they_are_made(monkeypatch):
    """From the second prediction on, once, for the two large layers."""
    net, X = network(), rows()
    elements = 700 * 150 + 150 * 130
    assert elements * 4 < packed_after(net, X, monkeypatch) < elements * 4 * 1.2
    assert packed_after(net, X, monkeypatch) == 0


@pytest.mark.parametrize(
    "settings", [{"norm": "batch"}, {"loss": lambda a, y: (0.0, a)}, {"sizes": [9, 9]}]
)
def test_they_are_not_made(monkeypatch, settings):
    net = network(**settings)
    assert packed_after(net, rows(width=net.sizes[0]), monkeypatch) == 0


def test_few_rows_make_none(monkeypatch):
    assert packed_after(network(), rows(11), monkeypatch) == 0


def test_a_held_array_prevents_them(monkeypatch):
    net, X = network(), rows()
    held = net.weights[1]
    assert packed_after(net, X, monkeypatch) == 0
    del held
    assert packed_after(net, X, monkeypatch) > 0


def test_training_between_predictions_prevents_them(monkeypatch):
    net, X = network(), rows()
    y = np.ones((N, 3), "float32")
    net.train_step(X, y)
    net.predict(X)
    allocations = []
    monkeypatch.setattr(engine, "zeroed", lambda *size: allocations.append(size))
    for _ in range(3):
        net.train_step(X, y)
        net.predict(X)
    assert not allocations


def test_without_memory_predictions_go_on(monkeypatch):
    net, X = network(), rows()
    want = net.predict(X)

    def fail(*_):
        raise MemoryError("none is left")

    monkeypatch.setattr(engine, "zeroed", fail)
    for _ in range(3):
        same(net.predict(X), want)


def test_an_interrupt_while_copies_are_made_is_raised(monkeypatch):
    net, X = network(), rows()
    want = net.predict(X)

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(engine, "zeroed", interrupt)
        for _ in range(3):
            net.predict(X)
    same(net.predict(X), want)


X, Y = rows(), np.ones((N, 3), "float32")


def assign_weights(net):
    for W in net.weights:
        W *= 0.5


def assign_parameters(net):
    net.parameters[:] *= 0.5


def fit_with_predictions(net):
    net.fit(X, Y, epochs=2, progress=False, callbacks=[lambda net, _: ready(net)])


def stored_step(net):
    net.apply(net.gradients(X, Y))


def accumulated(net):
    net.fit(X, Y, epochs=2, batch_size=8, accumulate=3, progress=False)


def interrupted(net):
    def stop(net, _):
        ready(net)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=3, progress=False, callbacks=[stop])


def restored(net):
    state = pickle.loads(pickle.dumps(net.__getstate__()))
    state[next(iter(state))]["state"]["parameters"][:] *= 0.5
    net.__setstate__(state)


def best_epoch(net):
    net.fit(X, Y, epochs=6, validation=(X, 1 - Y), patience=2, progress=False)


def numerical(net):
    net.fit(X[:4], Y[:4], epochs=1, differences="forward", progress=False)


def lbfgs(net):
    pytest.importorskip("scipy")
    net.optimizer = bp.LBFGS()
    net.fit(X, Y, epochs=2, progress=False)


CHANGES = {
    "a view of weights": assign_weights,
    "all parameters": assign_parameters,
    "train_step": lambda net: net.train_step(X, Y),
    "learn_one": lambda net: net.learn_one(X[0], Y[0]),
    "fit": lambda net: net.fit(X, Y, epochs=2, progress=False),
    "fit of rows": lambda net: net.fit(X, Y, epochs=2, batch_size=1, progress=False),
    "fit with callbacks": fit_with_predictions,
    "fit, best epoch": best_epoch,
    "fit, accumulated": accumulated,
    "fit that is interrupted": interrupted,
    "L-BFGS": lbfgs,
    "apply": stored_step,
    "__setstate__": restored,
    "max_norm": lambda net: (setattr(net, "optimizer", bp.SGD(0.1, max_norm=0.01)),
                             net.train_step(X, Y)),
}  # fmt: skip


def ready(net):
    """Predictions until the network has copies."""
    for _ in range(3):
        net.predict(X)


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_changed_weights(change):
    """A prediction after a change is one of the new weights, each time again."""
    net = network()
    ready(net)
    for _ in range(2):
        before = net.predict(X)
        change(net)
        after = net.predict(X)
        assert not np.array_equal(before, after)
        same(after, without_copies(net, X))
        ready(net)
        same(net.predict(X), after)
        assert net.evaluate(X, Y) == copy.copy(net).evaluate(X, Y)


def test_a_fit_that_diverges():
    """It puts back the weights that the last predictions were made with."""
    net = network()
    ready(net)
    before = net.predict(X)
    net.optimizer = bp.SGD(1e30)
    with pytest.raises(bp.DivergenceError):
        net.fit(X, Y, epochs=3, batch_size=4, progress=False)
    for _ in range(3):
        same(net.predict(X), before)


def test_a_view_held_while_weights_change():
    net = network()
    ready(net)
    W = net.weights[0]
    for value in (0, 1, -1):
        W[:] = value
        same(net.predict(X), without_copies(net, X))
        ready(net)


def test_a_view_taken_and_released_between_predictions():
    net = network()
    for value in (0, 1, -1, 2, 3):
        ready(net)
        net.weights[0][:] = value
        same(net.predict(X), without_copies(net, X))


def test_validation_in_fit():
    """Validation in each epoch makes copies of that epoch's weights."""
    many = rows(600, seed=3)
    y = np.ones((600, 3), "float32")
    net, held = network(), network()
    parameters = held.parameters
    histories = [
        each.fit(X, Y, epochs=4, validation=(many, y), progress=False)
        for each in (net, held)
    ]
    same(*(history.validation_loss for history in histories))
    same(net.parameters, parameters)


def test_copies_of_networks_have_none():
    net = network()
    ready(net)
    want = net.predict(X)
    size = len(pickle.dumps(network()))
    assert len(pickle.dumps(net)) == pytest.approx(size, rel=0.01)
    for twin in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        twin.weights[0][:] = 0
        ready(twin)
        same(net.predict(X), want)
        same(twin.predict(X), without_copies(twin, X))
