"""Layers of a network as arrays, for the files that write them one by one."""

from __future__ import annotations

from typing import Any, NamedTuple

from bpcore.arrays import Real
from bpcore.model.design import Design
from bpcore.model.state import State


class DenseLayer(NamedTuple):
    """One layer: a[l+1] = f(a[l] @ W + b), or with layer norm before f.

    With layer norm, hat = (u - mean(u)) / sqrt(var(u) + 1e-5) of u = a[l] @ W, and
    a[l+1] = f(hat gain + b).

    Attributes
    ----------
    W, b : arrays (n_in, n_out) and (n_out,)
    gain : array (n_out,), or None without layer norm
    activation : str
    """

    W: Real
    b: Real
    gain: Any
    activation: str


def dense_layers(design: Design, state: State) -> list[DenseLayer]:
    """The layers of a network whose batch norm is folded.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.layers import dense_layers
    >>> net = bp.Network([2, 3, 1], norm="batch")
    >>> [layer.W.shape for layer in dense_layers(*net.learner.folded())]
    [(2, 3), (3, 1)]
    """
    if "batch" in design.norms:
        raise ValueError("batch norm must be folded into the weights first")
    views = design.layout.views(state.parameters)
    arrays = views.weights, views.biases, views.gains, design.activations
    return [DenseLayer(*layer) for layer in zip(*arrays, strict=True)]
