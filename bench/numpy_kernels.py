"""bpcore's kernels in NumPy, with the same signatures: a peer, and the oracle.

They are written for speed, with ``out=`` and scratch arrays that are used again.
"""

from functools import cache

import numpy as np


def forward(a, W, b, out, activation):
    """out = relu(a @ W + b)"""
    assert activation == "relu"
    np.matmul(a, W, out=out)
    out += b
    np.maximum(out, 0, out=out)


def propagate(delta, W, a, out, activation):
    """out = (delta @ W.T) * relu'(a)"""
    assert activation == "relu"
    np.matmul(delta, W.T, out=out)
    out *= np.greater(a, 0, out=scratch(a.shape, bool))


def update(W, b, a, delta, optimizer, velocity_W, velocity_b):
    """v = momentum v + dW, W -= lr v; the same for b"""
    assert optimizer.rule == "plain_momentum"
    lr, momentum = optimizer.lr, optimizer.momentum
    dW, db = scratch(W.shape, W.dtype), scratch(b.shape, b.dtype)
    # For one row matmul uses a slow loop; broadcasting is faster.
    (np.multiply if len(a) == 1 else np.matmul)(a.T, delta, out=dW)
    np.sum(delta, axis=0, out=db)
    _descend(W, velocity_W[0], dW, lr, momentum)
    _descend(b, velocity_b[0], db, lr, momentum)


def _descend(parameter, velocity, gradient, lr, momentum):
    """v = momentum v + g, then p = p - lr v; overwrites the gradient."""
    velocity *= momentum
    velocity += gradient
    np.multiply(velocity, lr, out=gradient)
    parameter -= gradient


@cache
def scratch(shape, dtype):
    return np.empty(shape, dtype)
