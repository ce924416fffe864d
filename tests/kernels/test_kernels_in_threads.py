"""Kernel functions in several threads at once give the bits of one thread."""

import threading

import numpy as np
import pytest

import bpcore as bp

THREADS, STEPS = 4, 300
SHARED = bp.Adam(0.01)
OPTIMIZERS = {
    "one for all": lambda i: SHARED,
    "one each": lambda i: bp.Adam(0.01 * (i + 1)),
    "one class each": lambda i: (bp.Adam, bp.Nadam, bp.RMSprop, bp.Lion)[i](0.01),
}


def descended(optimizer, first):
    """Parameters after steps first, first + 1, ... of an optimizer."""
    w, g = np.ones(5), np.linspace(-1, 1, 5)
    state = np.zeros((len(optimizer.states), 5))
    for step in range(first, first + STEPS):
        bp.kernels.descend(w, g, optimizer, state, step)
    return w.tobytes()


@pytest.mark.parametrize("which", OPTIMIZERS)
def test_descend_in_threads_gives_the_same_bits(which):
    """The settings that `descend` keeps from call to call are each thread's own."""
    optimizers = [OPTIMIZERS[which](i) for i in range(THREADS)]
    firsts = [1, 1000, 50, 7]
    expected = [descended(*each) for each in zip(optimizers, firsts, strict=True)]
    found = [None] * THREADS
    start = threading.Barrier(THREADS)

    def run(i):
        start.wait()
        found[i] = descended(optimizers[i], firsts[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
