"""Products of rows that are mostly zeros have the bits of those with every term.

The rows of a product are computed together, and then a few at a time: for so few, no
terms are listed (csrc/plan.h).
"""

import numpy as np
import pytest

import bpcore as bp

FEW = 3
#: n, n_in, n_out: tiles left over, several chains and blocks, tails of columns.
SIZES = [(50, 300, 40), (64, 530, 70), (100, 784, 66), (400, 90, 129), (13, 2000, 33)]
OPTIMIZERS = [bp.SGD(0.1), bp.SGD(0.1, momentum=0.9), bp.Adam(0.1)]


def margins(a):
    a[:, : a.shape[1] // 3] = 0
    a[:, -a.shape[1] // 4 :] = 0


def other_terms(a):
    a[:, ::2] = 0


def other_samples(a):
    a[1::2] = 0


def scattered(a):
    a[np.random.default_rng(1).random(a.shape) < 0.97] = 0


def one_hot(a):
    a[...] = np.arange(a.shape[1]) == np.arange(len(a))[:, None] % a.shape[1]


def all_zero(a):
    a[...] = 0


PATTERNS = [margins, other_terms, other_samples, scattered, one_hot, all_zero]


def plain(a, b):
    pass


def zeros_of_both_signs(a, b):
    a[a == 0] *= np.where(np.arange(np.sum(a == 0)) % 3, -1, 1)
    b[::5] = -0.0


def infinite_factor(a, b):
    b[1, 2] = np.inf
    b[-1, -1] = -np.inf


def nan_factor(a, b):
    b[2, 1] = np.nan


def infinite_term(a, b):
    a[a != 0] = np.where(np.arange(np.sum(a != 0)) % 101 == 7, np.inf, a[a != 0])


def nan_term(a, b):
    a[a != 0] = np.where(np.arange(np.sum(a != 0)) % 101 == 7, np.nan, a[a != 0])


def products_that_underflow(a, b):
    tiny = np.finfo(a.dtype).tiny
    a *= -tiny
    b[:, ::2] = np.abs(b[:, ::2]) * tiny


CONTENTS = [
    plain,
    zeros_of_both_signs,
    infinite_factor,
    nan_factor,
    infinite_term,
    nan_term,
    products_that_underflow,
]


def pieces(size):
    return [slice(i, i + FEW) for i in range(0, size, FEW)]


def same(a, b):
    bits = f"u{a.itemsize}"
    nan = np.isnan(a) & np.isnan(b)
    assert np.array_equal(a.view(bits)[~nan], b.view(bits)[~nan])


def normal(dtype, *shape):
    return np.random.default_rng(shape).normal(size=shape).astype(dtype)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_forward(kernels, dtype, pattern, content):
    for n, n_in, n_out in SIZES:
        a, W = normal(dtype, n, n_in), normal(dtype, n_in, n_out)
        pattern(a)
        content(a, W)
        b = np.resize([0.0, -0.0, 0.3], n_out).astype(dtype)
        for f in ("identity", "relu"):
            out = np.empty((n, n_out), dtype)
            few = np.empty_like(out)
            kernels.forward(a, W, b, out, activation=f)
            for i in pieces(n):
                kernels.forward(a[i], W, b, few[i], activation=f)
            same(out, few)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_propagate(kernels, dtype, pattern, content):
    for n, n_in, n_out in SIZES:
        delta, W = normal(dtype, n, n_out), normal(dtype, n_in, n_out)
        pattern(delta)
        content(delta, W.T)
        a = normal(dtype, n, n_in)
        out = np.empty_like(a)
        few = np.empty_like(a)
        kernels.propagate(delta, W, a, out, activation="relu")
        for i in pieces(n):
            kernels.propagate(delta[i], W, a[i], few[i], activation="relu")
        same(out, few)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_gradient(kernels, dtype, pattern, content):
    for n, n_in, n_out in SIZES:
        a, delta = normal(dtype, n, n_in), normal(dtype, n, n_out)
        pattern(a)
        content(a, delta)
        dW, db = np.empty((n_in, n_out), dtype), np.empty(n_out, dtype)
        few = np.empty_like(dW)
        kernels.gradient(a, delta, dW, db)
        for i in pieces(n_in):
            kernels.gradient(a[:, i].copy(), delta, few[i], db)
        same(dW, few)


def states(optimizer, dtype, *shape):
    """The optimizer's state of an array of that shape, or None if it has none."""
    return (
        np.zeros((len(optimizer.states), *shape), dtype) if optimizer.states else None
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_update(kernels, dtype, pattern, optimizer):
    for n, n_in, n_out in SIZES:
        a, delta = normal(dtype, n, n_in), normal(dtype, n, n_out)
        pattern(a)
        W, b = normal(dtype, n_in, n_out), normal(dtype, n_out)
        few = W.copy()

        def step(W, a, b=b, delta=delta):
            kernels.update(
                W,
                b.copy(),
                a,
                delta,
                optimizer,
                states(optimizer, dtype, *W.shape),
                states(optimizer, dtype, *b.shape),
            )

        step(W, a)
        for i in pieces(n_in):
            step(few[i], a[:, i].copy())
        same(W, few)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_threads(kernels, dtype, pattern):
    X = normal(dtype, 90, 300)
    pattern(X)
    y = np.arange(90) % 10
    nets = []
    for n_threads in (1, 2, 3):
        net = bp.Network(
            [300, 70, 10],
            loss="cross_entropy",
            output="softmax",
            activation="relu",
            dtype=dtype,
            rng=0,
            n_threads=n_threads,
        )
        net.fit(X, y, epochs=2, batch_size=45, progress=False)
        nets.append(net.parameters.copy())
    same(nets[0], nets[1])
    same(nets[0], nets[2])
