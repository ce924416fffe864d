"""The products of bpcore's kernels alone, in NumPy: no bias, activation or update.

The signatures are the kernels', and whatever belongs to the rest is ignored. This is
OpenBLAS's matrix product on arrays that are ready, the hardest rival of a kernel, which
also does the rest.
"""

import numpy as np

from .numpy_kernels import scratch


def forward(a, W, b, out, activation):
    """out = a @ W"""
    np.matmul(a, W, out=out)


def propagate(delta, W, a, out, activation):
    """out = delta @ W.T"""
    np.matmul(delta, W.T, out=out)


def update(W, b, a, delta, optimizer, velocity_W, velocity_b):
    """dW = a.T @ delta, into an array of its own"""
    # For one row matmul uses a slow loop; broadcasting is faster.
    product = np.multiply if len(a) == 1 else np.matmul
    product(a.T, delta, out=scratch(W.shape, W.dtype))
