"""What decays, activations and deltas become 0 instead of subnormal numbers."""

import dataclasses

import numpy as np
import pytest

import bpcore as bp
from bpcore import reference

OPTIMIZERS = {
    "momentum": bp.SGD(0.1, momentum=0.9),
    "Nesterov": bp.SGD(0.1, momentum=0.9, nesterov=True),
    "momentum and l1": bp.SGD(0.1, momentum=0.9, l1=1e-9),
    "Momentum": bp.Momentum(0.1),
    "RMSprop": bp.RMSprop(0.1, momentum=0.9, centered=True),
    "Adam": bp.Adam(0.1),
    "AdamW": bp.AdamW(0.1),
    "Nadam": bp.Nadam(0.1),
    "RAdam": bp.RAdam(0.1),
    "Adamax": bp.Adamax(0.1),
    "Lion": bp.Lion(0.1),
}
SIZES = [1, 40]  # a tail, and whole registers


def subnormal(x):
    """Whether there is a subnormal number in x."""
    return bool(((np.abs(x) > 0) & (np.abs(x) < np.finfo(x.dtype).tiny)).any())


@pytest.mark.parametrize("library", ["kernels", "reference"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_states_decay_to_0(kernels, dtype, optimizer, size, library):
    tiny = np.finfo(dtype).tiny
    state = np.full((len(optimizer.states), size), 1.1 * tiny, dtype)
    w, g = np.zeros(size, dtype), np.zeros(size, dtype)
    for step in range(1, 4):
        if library == "kernels":
            kernels.descend(w, g, optimizer, state, step)
        else:
            group = optimizer.groups()[0]
            reference.descend(w, g, group, optimizer.lr, step, state)
    assert not ((np.abs(state) > 0) & (np.abs(state) < tiny)).any()


#: Those by which the parameters decay.
DECAYING = {
    "plain": bp.SGD(0.1, weight_decay=0.9),
    "plain, l1": bp.SGD(0.1, l1=1e-320),
    "momentum": bp.SGD(0.1, momentum=0.9, weight_decay=0.9),
    "Nesterov": bp.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.9),
    "decoupled": bp.SGD(0.1, weight_decay=0.9, decoupled=True),
    "Momentum": bp.Momentum(0.1, weight_decay=0.9),
    "RMSprop": bp.RMSprop(0.1, weight_decay=0.9, decoupled=True),
    "Adagrad": bp.Adagrad(0.1, weight_decay=0.9, decoupled=True),
    "AdamW": bp.AdamW(0.1, weight_decay=0.9),
    "Lion": bp.Lion(0.1, weight_decay=0.9),
    "Rprop": bp.Rprop(0.1, weight_decay=0.9, decoupled=True),
}


#: The step in which they become 0.
CLEARING_STEP = 32


@pytest.mark.parametrize("library", ["kernels", "reference"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("optimizer", DECAYING.values(), ids=DECAYING)
def test_parameters_decay_to_0(kernels, dtype, optimizer, size, library):
    tiny = np.finfo(dtype).tiny
    for step in (1, CLEARING_STEP - 1, CLEARING_STEP, CLEARING_STEP + 1):
        w = np.resize(np.array([0.5, -0.5, 1.5, -3.0], dtype) * tiny, size)
        g, state = np.zeros_like(w), np.zeros((len(optimizer.states), size), dtype)
        if library == "kernels":
            kernels.descend(w, g, optimizer, state, step)
        else:
            group = optimizer.groups()[0]
            reference.descend(w, g, group, optimizer.lr, step, state)
        assert subnormal(w) == (step != CLEARING_STEP)
        assert w[2:4].all()  # they are still normal


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 1e-300, 0.9])
@pytest.mark.parametrize("rows", [1, 2, 40])
@pytest.mark.parametrize("sizes", [[3, 2], [40, 70]], ids=str)
@pytest.mark.parametrize("zeros", [False, True])
def test_parameters_of_networks_decay_to_0(
    kernels, dtype, sizes, rows, decay, momentum, zeros
):
    """Fused updates, and rows of zeros, which are skipped if nothing decays."""
    optimizer = bp.SGD(0.1, momentum=momentum, weight_decay=decay)
    fused, stored = (
        bp.Network(sizes, activation="identity", optimizer=each, rng=0, dtype=dtype)
        for each in (optimizer, dataclasses.replace(optimizer, clip_norm=1e30))
    )
    X, y = np.zeros((rows, sizes[0]), dtype), np.zeros((rows, sizes[1]), dtype)
    if not zeros:
        X[:, 0] = 1
    before = [np.zeros((CLEARING_STEP - 2, size), dtype) for size in sizes]
    for net in (fused, stored):
        net.weights[0][...] = 1.05 * np.finfo(dtype).tiny
        net.weights[0][1:2] /= 2
        net.fit(*before, epochs=1, batch_size=1, progress=False)
    for cleared in (False, decay > 0):
        fused.train_step(X, y)
        stored.train_step(X, y)
        assert subnormal(fused.weights[0]) != cleared
        assert np.array_equal(fused.parameters, stored.parameters)


@pytest.mark.parametrize("sign", [-1, 1])
def test_smallest_normal_numbers_are_kept(kernels, dtype, sign):
    tiny = sign * np.finfo(dtype).tiny
    state = np.zeros((1, 3), dtype)
    w, g = np.zeros(3, dtype), np.array([tiny, tiny / 2, np.nan], dtype)
    kernels.descend(w, g, bp.SGD(0.1, momentum=0.9), state, 1)
    assert state[0, :2].tolist() == [tiny, 0] and np.isnan(state[0, 2])


#: For each dtype: where e^-z passes through the subnormal numbers, and squares of z do.
DECAY = {"float32": (80, 110), "float64": (700, 750)}


@pytest.mark.parametrize("library", ["kernels", "reference"])
@pytest.mark.parametrize("name", bp.ACTIVATIONS)
def test_activations_decay_to_0(kernels, dtype, name, library):
    least, most = DECAY[np.dtype(dtype).name]
    z = np.linspace(-most, -least, 999, dtype=dtype)[:, None]
    z = np.hstack([z, np.sqrt(-2 * z), 0 * z])  # softmax: below the 0
    a = z.copy()
    if library == "kernels":
        kernels.activate(a, name)
    else:
        a = reference.activate(z, name)
    assert not subnormal(a) and np.isfinite(a).all()


@pytest.mark.parametrize("library", ["kernels", "reference"])
@pytest.mark.parametrize("name", [f for f in bp.ACTIVATIONS if f != "identity"])
def test_deltas_become_0(kernels, dtype, name, library):
    """Derivatives at 1, and of activations that are nearly 0."""
    tiny = np.finfo(dtype).tiny
    a = np.array([[1, 0.5, 1e-3, tiny, 1e-30]], dtype)
    for size in (tiny, 1e9 * tiny):
        delta = np.full(a.shape, size, dtype)
        if library == "kernels":
            kernels.times_derivative(delta, a, name)
        else:
            delta = reference.times_derivative(delta, a, name)
        assert not subnormal(delta)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "elu"])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_deltas_of_a_product_become_0(kernels, dtype, name, n):
    """Also in the epilogue of delta @ W.T, whole tiles and their edges."""
    tiny, rng = np.finfo(dtype).tiny, np.random.default_rng(0)
    W = rng.uniform(0.1, 0.4, (70, 9)).astype(dtype)
    a = rng.uniform(0.4, 0.6, (n, 70)).astype(dtype)
    out = np.empty((n, 70), dtype)
    kernels.propagate(np.full((n, 9), tiny, dtype), W, a, out, name)
    assert not subnormal(out)
    kernels.propagate(np.full((n, 9), 99 * tiny, dtype), W, a, out, name)
    assert out.all()  # those that are normal are kept


@pytest.mark.parametrize("weight", [None, 1e-3])
@pytest.mark.parametrize("name", bp.LOSSES)
def test_deltas_of_losses_become_0(kernels, dtype, name, weight):
    """z far below 0, and outputs that are nearly the targets."""
    least, most = DECAY[np.dtype(dtype).name]
    z = np.linspace(-most, -least, 7 * 50, dtype=dtype).reshape(50, 7)
    y, z[:, 3] = np.zeros_like(z), 0
    y[:, 3] = 1
    near = y + 1.5 * np.finfo(dtype).tiny * (1 - y)
    if name == "hinge":
        y = 2 * y - 1
    w = None if weight is None else np.full(50, weight)
    for x in (z, near.astype(dtype)):
        delta = np.empty_like(x)
        kernels.loss(x, delta, name, y, weight=w)
        assert not subnormal(delta)
    if name == "cross_entropy":
        labels = np.full(50, 3)
        kernels.loss(z, delta, name, labels=labels, weight=w)
        assert not subnormal(delta)
