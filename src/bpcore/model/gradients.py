"""Gradients and Tape: the derivatives and the intermediate values of a mini-batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.arrays import Real
from bpcore.engine.memory import aligned_zeros
from bpcore.model.layout import Layout, layers_in_words
from bpcore.model.reader import MOST_STEPS, Reader, own_floats
from bpcore.quoting import quoted


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

    def __getstate__(self) -> dict[str, Any]:
        """The arrays without the views, and what the views are made of."""
        return {
            "loss": self.loss,
            "flat": self.flat,
            "input": self.input,
            "moments": self.moments,
            "weighs": self.weighs,
            "sizes": (len(self.weights[0]), *map(len, self.biases)),
            "gains": tuple(gain is not None for gain in self.gains),
            "has_scale": self.input_scale is not None,
        }

    def __setstate__(self, stored: Mapping[str, Any]) -> None:
        object.__setattr__(self, "__dict__", vars(_read_gradients(stored)))

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

    def __getstate__(self) -> dict[str, Any]:
        return dict(vars(self))

    def __setstate__(self, stored: Mapping[str, Any]) -> None:
        object.__setattr__(self, "__dict__", vars(_read_tape(stored)))

    def __repr__(self) -> str:
        count = layers_in_words(self.activations[1:])
        rows = f"{len(self.output)} row" + "s" * (len(self.output) != 1)
        return f"<Tape of {count}, {rows}>"

    @property
    def output(self) -> Any:
        """a[L]: the network's prediction, with dropout and the like as in training."""
        return self.activations[-1]


def gradients_of(
    layout: Layout,
    loss: float | None,
    flat: Real,
    dX: Real,
    moments: Real | None,
    weighs: bool = True,
) -> Gradients:
    """Gradients of the derivatives in a flat array, with views by layer."""
    parts = layout.views(flat)
    return Gradients(
        loss,
        flat,
        parts.weights,
        parts.biases,
        parts.gains,
        dX,
        moments,
        weighs,
        parts.scale,
    )


def _read_gradients(stored: Mapping[str, Any]) -> Gradients:
    """Gradients from what `Gradients.__getstate__` returns, everything checked."""
    read = Reader(stored, "stored Gradients")
    sizes, gains = read.items("sizes", 2), read.items("gains", 1)
    if len(gains) != len(sizes) - 1:
        raise ValueError(f"gains must have {len(sizes) - 1} entries; got {len(gains)}")
    layout = Layout(
        tuple(checks.integer(f"sizes[{i}]", n, 1) for i, n in enumerate(sizes)),
        tuple("layer" if checks.boolean("gains", gain) else None for gain in gains),
        checks.boolean("has_scale", read.item("has_scale")),
    )
    loss, weighs = read.item("loss"), checks.boolean("weighs", read.item("weighs"))
    if loss is not None and not isinstance(loss, float):
        raise TypeError(f"loss must be a float or None; got {quoted(loss)}")
    flat = own_floats("flat", read.item("flat"), (layout.size,))
    dX = own_floats("input", read.item("input"), (None, layout.sizes[0]), flat.dtype)
    moments = read.item("moments")
    if moments is not None:
        moments = own_floats("moments", moments, (None,), flat.dtype)
    read.finish()
    return gradients_of(layout, loss, flat, dX, moments, weighs)


def _read_tape(stored: Mapping[str, Any]) -> Tape:
    """A tape from what `Tape.__getstate__` returns, everything checked."""
    read = Reader(stored, "stored Tape")
    first, *others = read.items("activations", 2)
    X = own_floats("activations[0]", first, (None, None))
    activations = [X] + [
        own_floats(f"activations[{l}]", a, (len(X), None), X.dtype)
        for l, a in enumerate(others, 1)
    ]
    stored_memory = read.of_kind("memory", "u", None)
    if stored_memory.ndim != 1 or stored_memory.dtype != np.uint8:
        raise ValueError(
            f"memory must be uint8 (bytes,); got {stored_memory.dtype} "
            f"{stored_memory.shape}"
        )
    memory = aligned_zeros(stored_memory.size, np.uint8)
    memory[...] = stored_memory
    seen = checks.integer("seen", read.item("seen"), 0, below=MOST_STEPS)
    read.finish()
    return Tape(tuple(activations), memory, seen)
