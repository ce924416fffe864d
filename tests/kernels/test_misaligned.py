"""Kernels refuse misaligned memory, which C does not define."""

import numpy as np
import pytest

import bpcore as bp


def misaligned(array):
    """A copy one byte beyond an aligned address."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    found = np.frombuffer(memory, array.dtype, array.size, 1).reshape(array.shape)
    found[...] = array
    return found


#: Calls with a misaligned matrix, and an aligned one.
CALLS = {
    "z": lambda k, z, ones: k.activate(z, "tanh"),
    "g": lambda k, g, ones: k.clip_norm(g[0], 0.5),
    "W": lambda k, W, ones: k.limit_norms(W, 0.5),
    "x": lambda k, x, ones: k.all_between(x[0], 0.0, 1.0),
    "a": lambda k, a, ones: k.forward(a, ones, ones[0], ones.copy()),
    "total": lambda k, total, ones: k.add(total[0], ones[0]),
    "delta": lambda k, delta, ones: k.times_derivative(delta, ones, "tanh"),
    "out": lambda k, out, ones: k.drop(ones, out, 1, 0.5),
    "w": lambda k, w, ones: k.descend(w[0], ones[0], bp.SGD(0.1)),
    "y": lambda k, y, ones: k.loss(ones, ones.copy(), "squared_error", y),
}


@pytest.mark.parametrize("name", CALLS)
def test_misaligned(kernels, dtype, name):
    ones = np.ones((2, 2), dtype)
    with pytest.raises(ValueError, match=f"^{name} must be aligned"):
        CALLS[name](kernels, misaligned(ones), ones)
