"""Weights of 8 bits, with a scale for each unit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.model.design import Design
from bpcore.model.state import State

#: The largest integer of a weight.
MOST = 127


class Quantised(NamedTuple):
    """Weights as whole numbers: W[k, j] is about integers[k, j] scale[j].

    Attributes
    ----------
    integers : int8 array (n_in, n_out)
        From -127 to 127.
    scale : array (n_out,)
    """

    integers: NDArray[np.int8]
    scale: Real

    @property
    def weights(self) -> Real:
        """integers * scale, rounded, in the dtype of the scale."""
        found: Real = self.integers.astype(self.scale.dtype) * self.scale
        return found


def quantised(W: Real) -> Quantised:
    """The nearest whole numbers, for the largest weight of each unit as 127 or -127.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.c.quantise import quantised
    >>> quantised(np.array([[1.27, 0.0], [-0.5, 0.0]])).integers.tolist()
    [[127, 0], [-50, 0]]
    """
    scale = (np.abs(W).max(axis=0) / MOST).astype(W.dtype)
    scale[scale == 0] = 1
    integers = np.clip(np.rint(W / scale), -MOST, MOST)
    return Quantised(integers.astype(np.int8), scale)


def quantised_state(design: Design, state: State) -> tuple[State, list[Any]]:
    """A state whose weights are those of 8 bits, and these, layer by layer.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.c.quantise import quantised_state
    >>> learner = bp.Network([2, 3, 1], rng=0).learner
    >>> state, layers = quantised_state(learner.design, learner.state)
    >>> state, [layer.integers.shape for layer in layers]
    (<State after 0 steps, 0 epochs>, [(2, 3), (3, 1)])
    """
    found = state.copy(state.parameters.dtype)
    layers = []
    for W in design.layout.views(found.parameters).weights:
        layer = quantised(W)
        W[...] = layer.weights
        layers.append(layer)
    return found, layers
