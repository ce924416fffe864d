"""Gradients and Tape: the derivatives and the intermediate values of a mini-batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.model.layout import layers_in_words


@dataclass(frozen=True, repr=False)
class Gradients:
    """Derivatives of a scalar E by the parameters and the input.

    Attributes
    ----------
    loss : float or None
        E itself, where the network computed it.
    flat : array (n_parameters,)
        dE by all parameters, in the order of ``Network.parameters``.
    weights, biases, gains : tuple of arrays
        Views of `flat`, shaped like those of the network.
    input : array (n, n_in)
        dE/dX.
    input_scale : array (n_in,) or None
        dE by the scale of the inputs, a view of `flat`; None without one.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros")
    >>> gradients = net.gradients([[3.0]], [[2.0]])
    >>> gradients.loss, gradients.weights[0].item(), gradients.biases[0].item()
    (2.0, -6.0, -2.0)
    """

    loss: float | None
    flat: Real
    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    gains: tuple[Real | None, ...]
    input: Real
    #: Moments of the mini-batch, by which ``apply`` updates the running moments.
    moments: Real | None = None
    #: Whether a row had a weight above 0: else `apply` makes no step.
    weighs: bool = True
    input_scale: Real | None = None

    def __repr__(self) -> str:
        loss = "" if self.loss is None else f", loss {self.loss:.6g}"
        count = f"{layers_in_words(self.weights)}, {self.flat.size:,} numbers"
        return f"<Gradients of {count}{loss}>"


@dataclass(frozen=True, repr=False)
class Tape:
    """The intermediate values of one forward pass of training.

    Attributes
    ----------
    activations : tuple of arrays
        X, (n, n_0), then a[1] to a[L], (n, n_L).

    Examples
    --------
    >>> import bpcore as bp
    >>> tape = bp.Network([2, 3, 1], rng=0).forward([[0.0, 1.0]])
    >>> tape
    <Tape of 2 layers, 1 row>
    >>> [a.shape for a in tape.activations]
    [(1, 2), (1, 3), (1, 1)]
    """

    activations: tuple[Real, ...]
    #: Everything that backpropagation reads, the activations among it.
    memory: NDArray[np.uint8]
    #: Number of mini-batches used before it, on which dropout and noise depend.
    seen: int

    def __repr__(self) -> str:
        count = layers_in_words(self.activations[1:])
        rows = f"{len(self.output)} row" + "s" * (len(self.output) != 1)
        return f"<Tape of {count}, {rows}>"

    @property
    def output(self) -> Any:
        """a[L]: the network's prediction, with dropout and the like as in training."""
        return self.activations[-1]
