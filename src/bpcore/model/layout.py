"""Layout: the places of each layer's weights, biases and gains in a flat array."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.cached import cached_property


@dataclass(frozen=True, repr=False)
class Views:
    """Views of W[0], b[0], gain[0], W[1], b[1], ... in a flat array of them.

    Attributes
    ----------
    weights, biases : tuple of arrays (n_in, n_out) and (n_out,)
    gains : tuple of arrays (n_out,), None where a layer is not normalised
    scale : array (n_0,), of the inputs, or None
    """

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    gains: tuple[Any, ...]
    scale: Any = None

    def __repr__(self) -> str:
        return f"<Views of {self.contents}>"

    @property
    def contents(self) -> str:
        """The number of layers and of elements, in words."""
        arrays = [*self.weights, *self.biases, *self.gains, self.scale]
        count = sum(array.size for array in arrays if array is not None)
        return f"{layers_in_words(self.weights)}, {count:,} numbers"


class LayerOffsets(NamedTuple):
    """The first element of each array of one layer.

    ``W``, ``b`` and ``gain`` in an array of parameters; ``moments`` in an array of
    running moments.  A layer without gain or moments has the offsets at which they
    would begin.
    """

    W: int
    b: int
    gain: int
    moments: int


@dataclass(frozen=True, repr=False)
class Layout:
    """The order of a network's numbers in flat arrays.

    Parameters, gradients and each array of an optimizer lie in the order

        W[0], b[0], (gain[0],) W[1], b[1], (gain[1],) ... (scale)

    and the moments of batch norm in the order of its layers, mean and variance.

    Parameters
    ----------
    sizes : tuple of int
        n_0, ..., n_L.
    norms : tuple of "batch", "layer" or None
        The normalisation of each layer of weights.
    has_scale : bool
        Whether there is a scale of the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.model.layout import Layout
    >>> layout = Layout((2, 3, 1), ("batch", None))
    >>> layout.size, layout.moments_size
    (16, 6)
    >>> [W.shape for W in layout.views(np.zeros(16)).weights]
    [(2, 3), (3, 1)]
    """

    sizes: tuple[int, ...]
    norms: tuple[str | None, ...]
    has_scale: bool = False

    def __repr__(self) -> str:
        return f"<Layout of {layers_in_words(self.norms)}, {self.size:,} numbers>"

    @cached_property
    def offsets(self) -> tuple[LayerOffsets, ...]:
        """The offsets of each layer, and one more entry with the ends of all arrays.

        The scale of the inputs begins at the end of the last layer's.
        """
        found, at, moments_at = [], 0, 0
        shapes = itertools.pairwise(self.sizes)
        for (n_in, n_out), norm in zip(shapes, self.norms, strict=True):
            b = at + n_in * n_out
            found.append(LayerOffsets(at, b, b + n_out, moments_at))
            at = b + n_out + (n_out if norm else 0)
            moments_at += 2 * n_out if norm == "batch" else 0
        return (*found, LayerOffsets(at, at, at, moments_at))

    @property
    def size(self) -> int:
        """Number of parameters: (n_in + 1) n_out a layer, n_out more with a norm.

        And n_0 more with a scale of the inputs.
        """
        return self.offsets[-1].W + self.sizes[0] * self.has_scale

    @property
    def moments_size(self) -> int:
        """Number of running moments: two for each unit of a layer with batch norm."""
        return self.offsets[-1].moments

    @property
    def state_stride(self) -> int:
        """Elements from one array of an optimizer to the next: whole cache lines."""
        return self.stride(self.size)

    @staticmethod
    def stride(count: int) -> int:
        """`state_stride` of arrays for so many of the parameters."""
        return (count + 15) // 16 * 16

    def views(self, flat: NDArray[Any]) -> Views:
        """The W[l], b[l], gain[l] and scale inside a flat array of as many numbers."""
        weights, biases, gains = [], [], []
        shapes = itertools.pairwise(self.sizes)
        for (n_in, n_out), norm, at in zip(
            shapes, self.norms, self.offsets[:-1], strict=True
        ):
            weights.append(flat[at.W : at.b].reshape(n_in, n_out))
            biases.append(flat[at.b : at.gain])
            gains.append(flat[at.gain : at.gain + n_out] if norm else None)
        scale = flat[self.offsets[-1].W : self.size] if self.has_scale else None
        return Views(tuple(weights), tuple(biases), tuple(gains), scale)

    def moments(self, flat: NDArray[Any]) -> tuple[Any, ...]:
        """The mean and variance (2, n_out) of each layer with batch norm, else None."""
        found: list[Any] = []
        for n_out, norm, at in zip(
            self.sizes[1:], self.norms, self.offsets[:-1], strict=True
        ):
            part = flat[at.moments : at.moments + 2 * n_out]
            found.append(part.reshape(2, n_out) if norm == "batch" else None)
        return tuple(found)

    def require_variances(self, name: str, flat: NDArray[Any]) -> None:
        """Raise if a variance of these moments is negative."""
        for of_layer in self.moments(flat):
            if of_layer is not None and (of_layer[1] < 0).any():
                raise ValueError(f"{name} must have no negative variance")

    def per_parameter(self, of_layers: Sequence[bool]) -> NDArray[np.bool_]:
        """A truth value of each layer, repeated for every one of its parameters.

        False for the scale of the inputs, which is part of no layer.
        """
        starts = [*(at.W for at in self.offsets), self.size]
        return np.repeat([*of_layers, False], np.diff(starts))


def layers_in_words(arrays: Sequence[Any]) -> str:
    """The number of layers in words: "1 layer", "2 layers"."""
    return f"{len(arrays)} layer" + "s" * (len(arrays) != 1)


def parameter_count(sizes: Sequence[int]) -> int:
    """The sum of (n_in + 1) n_out, as an integer of any size."""
    return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))
