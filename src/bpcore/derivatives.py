"""Derivatives of a network's outputs by its input."""

from __future__ import annotations

import dataclasses

import numpy as np

from bpcore.arrays import Real
from bpcore.network import Network, learner_of
from bpcore.training.learner import Learner

#: Rows of a forward pass, to bound the memory of its activations.
ROWS = 1024


def output_derivatives(network: Network, X: Real) -> Real:
    """da[L]_j / dX of each row, in prediction: without dropout and noise.

    With e_j the j-th unit vector, a row's derivative is that of `Network.backward` from
    d_output = e_j, one backward pass for each output.  Batch norm is by its running
    moments.

    Parameters
    ----------
    network : Network
    X : array (n, n_0) of the network's dtype, C-contiguous

    Returns
    -------
    array (n, n_L, n_0)

    Raises
    ------
    ValueError
        If an activation has no derivative.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> from bpcore.derivatives import output_derivatives
    >>> net = bp.Network([2, 3], rng=0)
    >>> found = output_derivatives(net, np.ones((1, 2), np.float32))
    >>> bool((found[0] == net.weights[0].T).all())
    True
    """
    learner = _without_noise(learner_of(network))
    n_out = learner.design.sizes[-1]
    found = np.empty((len(X), n_out, X.shape[1]), learner.dtype)
    for start in range(0, len(X), ROWS):
        rows = X[start : start + ROWS].copy()
        tape = learner.forward(rows)
        for j in range(n_out):
            d_output = np.zeros((len(rows), n_out), learner.dtype)
            d_output[:, j] = 1
            found[start : start + ROWS, j] = learner.backward(tape, d_output).input
    return found


def _without_noise(learner: Learner) -> Learner:
    """A learner whose forward pass of training is that of prediction."""
    learner.require_derivatives()
    design, state = learner.folded()
    none = (0.0,) * len(design.dropout)
    design = dataclasses.replace(design, dropout=none, input_noise=0.0)
    engine = type(learner.engine)
    return Learner(design, state, engine, learner.engine.n_threads)
