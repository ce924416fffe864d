"""The three products of a training step, each bound to a layer and a kernel module.

Each function takes a module with bpcore's kernel signatures and a `Layer`, and returns
the call to be timed and the arrays that it overwrites.
"""

from functools import partial

import numpy as np

from bpcore import SGD

_OPTIMIZER = SGD(lr=0.01, momentum=0.9)


def forward(kernels, layer):
    """out = relu(a @ W + b)"""
    out = np.full_like(layer.delta, np.nan)
    return partial(kernels.forward, layer.a, layer.W, layer.b, out, "relu"), [out]


def propagate(kernels, layer):
    """out = (delta @ W.T) * relu'(a)"""
    out = np.full_like(layer.a, np.nan)
    return partial(kernels.propagate, layer.delta, layer.W, layer.a, out, "relu"), [out]


def update(kernels, layer):
    """v = momentum v + a.T @ delta, W -= lr v; the same for b"""
    W, b = layer.W.copy(), layer.b.copy()
    velocity_W, velocity_b = np.ones_like(W[None]), np.ones_like(b[None])
    call = partial(
        kernels.update,
        *(W, b, layer.a, layer.delta, _OPTIMIZER, velocity_W, velocity_b),
    )
    return call, [W, b, velocity_W, velocity_b]


ALL = (forward, propagate, update)
