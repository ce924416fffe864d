"""Plane: two directions through the parameters of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.errstate import own_errstate
from bpcore.model.layout import Layout
from bpcore.quoting import quoted

#: How a parameter is named, for messages.
EXPECTED = '("W", l, i, j), ("b", l, j), ("gain", l, j) or ("scale", i)'


@dataclass(frozen=True, repr=False, eq=False)
class Plane:
    """The parameters ``start + (u - origin[0]) d[0] + (v - origin[1]) d[1]``.

    Attributes
    ----------
    start : float64 array (n_parameters,)
        The network's parameters, at the point `origin`.
    origin : float64 array (2,)
        The values of two chosen parameters, or 0 and 0.
    directions : float64 array (2, n_parameters)
        Orthogonal to each other.
    names : tuple of two str
    chosen : tuple of two int, or None
        Places of the chosen parameters; None for random directions.
    """

    start: NDArray[np.float64]
    origin: NDArray[np.float64]
    directions: NDArray[np.float64]
    names: tuple[str, str]
    chosen: tuple[int, int] | None = None

    def parameters(self, point: Any) -> NDArray[np.float64]:
        """The parameters at a point (u, v)."""
        return self.start + (point - self.origin) @ self.directions

    @own_errstate
    def point(self, parameters: NDArray[Any]) -> NDArray[np.float64]:
        """The point of parameters, projected onto the plane at a right angle."""
        along = self.directions @ (parameters - self.start)
        return self.origin + along / (self.directions**2).sum(axis=1)


def plane_of_parameters(layout: Layout, start: NDArray[Any], parameters: Any) -> Plane:
    """The plane of two chosen parameters."""
    pair = isinstance(parameters, Sequence) and not isinstance(parameters, str)
    if not pair or len(parameters) != 2:
        raise ValueError(
            f"parameters must be two of {EXPECTED}; got {quoted(parameters)}"
        )
    places = layout.views(np.arange(layout.size))
    found = [_place(places, f"parameters[{k}]", p) for k, p in enumerate(parameters)]
    (first, name), (second, other) = found
    if first == second:
        raise ValueError(f"parameters must be two different ones; got {name} twice")
    directions = np.zeros((2, layout.size))
    directions[0, first] = directions[1, second] = 1
    start = start.astype(np.float64)
    chosen = first, second
    return Plane(start, start[list(chosen)], directions, (name, other), chosen)


def _place(places: Any, argument: str, parameter: Any) -> tuple[int, str]:
    """The place of a parameter in the flat array, and its name."""
    if not isinstance(parameter, Sequence) or isinstance(parameter, str):
        raise TypeError(f"{argument} must be {EXPECTED}; got {quoted(parameter)}")
    arrays = {
        "W": places.weights,
        "b": places.biases,
        "gain": places.gains,
        "scale": places.scale,
    }
    kind, *at = parameter or ("",)
    array, name = arrays[checks.one_of(f"{argument}[0]", kind, arrays)], f"{kind}"
    if kind != "scale" and at:
        l = checks.index(f"{argument}[1]", at.pop(0), len(array))
        array, name = array[l], f"{kind}[{l}]"
    if array is None:
        raise ValueError(f"{argument} must be of this network, which has no {name}")
    if isinstance(array, tuple) or len(at) != np.ndim(array):
        raise ValueError(f"{argument} must be {EXPECTED}; got {quoted(parameter)}")
    first = len(parameter) - len(at)
    indices = tuple(
        checks.index(f"{argument}[{first + k}]", i, size)
        for k, (i, size) in enumerate(zip(at, array.shape, strict=True))
    )
    return int(array[indices]), f"{name}[{', '.join(map(str, indices))}]"


def random_plane(layout: Layout, start: NDArray[Any], rng: Any) -> Plane:
    """The plane of two random directions, normalised by unit.

    For each unit, its weights and its bias are one vector.  Those of both directions
    are orthogonal to each other and as long as the network's.
    """
    directions = np.zeros((2, layout.size))
    own = layout.views(start.astype(np.float64))
    both = [layout.views(direction) for direction in directions]
    for l, (W, b) in enumerate(zip(own.weights, own.biases, strict=True)):
        length = np.linalg.norm(np.vstack([W, b]), axis=0)
        first, second = rng.normal(size=(2, len(W) + 1, len(b)))
        first /= np.linalg.norm(first, axis=0)
        second -= first * (first * second).sum(axis=0)
        second /= np.linalg.norm(second, axis=0)
        for views, drawn in zip(both, (first, second), strict=True):
            views.weights[l][...] = length * drawn[:-1]
            views.biases[l][...] = length * drawn[-1]
    if not directions.any():
        raise ValueError(
            "network must have weights that are not all 0, for random directions as "
            "long as they are"
        )
    names = "direction 1", "direction 2"
    return Plane(start.astype(np.float64), np.zeros(2), directions, names)
