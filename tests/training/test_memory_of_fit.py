"""Memory that training allocates."""

import tracemalloc

import numpy as np

import bpcore as bp
from helpers.fit import MOMENTUM, QUIET


def allocated(call):
    """Bytes that a call leaves allocated, and the most it had on the way."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


def test_a_second_step_allocates_nothing():
    net = bp.Network([64, 256, 4], optimizer=MOMENTUM, rng=0)
    X, y = np.ones((256, 64), "float32"), np.ones((256, 4), "float32")
    stays, _ = allocated(lambda: net.train_step(X, y))
    assert stays > 256 * 256 * 4  # the workspace, seen by this measure
    for n in (256, 256, 100):
        stays, most = allocated(lambda n=n: net.train_step(X[:n], y[:n]))
        assert stays < 500 and most < 10_000


def test_training_needs_no_more_memory_than_it_is_said_to():
    sizes, batch_size, n = (784, 1024, 1024, 10), 128, 1000
    X, y = np.ones((n, 784), "float32"), np.zeros(n, int)
    parameters = 4 * bp.Network(sizes, init="zeros").parameters.size
    activations = 4 * batch_size * sum(sizes)
    deltas = 2 * 4 * batch_size * max(sizes[1:])
    bound = 2 * parameters + activations + deltas + 4e6
    settings = {"optimizer": bp.SGD(1e-3, momentum=0.9), "loss": "cross_entropy"}

    def fit():
        net = bp.Network(sizes, rng=0, n_threads=2, **settings)
        net.fit(X, y, epochs=1, batch_size=batch_size, **QUIET)

    assert 2 * parameters < allocated(fit)[1] < bound

    def stored():
        net = bp.Network(sizes, rng=0, n_threads=2, **settings)
        net.apply(net.gradients(X[:batch_size], y[:batch_size]))

    assert 3 * parameters < allocated(stored)[1] < bound + parameters


def test_a_second_fit_allocates_no_more_than_its_order_and_what_it_falls_back_on():
    net = bp.Network([64, 256, 4], optimizer=MOMENTUM, rng=0)
    n = 2048
    X, y = np.ones((n, 64), "float32"), np.ones((n, 4), "float32")

    def fit():
        net.fit(X, y, epochs=3, batch_size=256, sample_weight=np.ones(n), **QUIET)

    order_and_words = 4 * 8 * n
    snapshot = net.parameters.nbytes + net.learner.state.optimizer_arrays.nbytes
    bound = order_and_words + snapshot + 30_000
    assert allocated(fit)[1] > 2 * bound  # the workspace, seen by this measure
    assert allocated(fit)[1] < bound
    assert allocated(fit)[0] < 5_000
