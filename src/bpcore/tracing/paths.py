"""The paths from a weight to the loss, and the product along each of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.model.design import Design
from bpcore.tracing.step import Step, activation_derivative

#: Most terms that are added up at once; of more only ``text(all=True)`` has the sum.
MOST = 100_000


@dataclass(frozen=True)
class Factor:
    """One factor of every term, and its place in the arrays of the step.

    Attributes
    ----------
    symbol : str
    units : tuple of str
        The letters of the units that it connects, or the number of a given one.
    kind : str
        The array: "a", "W", "slope", "delta" or "da".
    m : int
        The layer.
    those : slice or int
        The rows or columns of the array for these units.
    """

    symbol: str
    units: tuple[str, ...]
    kind: str
    m: int
    those: Any

    def values(self, step: Step) -> Real:
        """An array with an axis for rows, of length 1 for W, and one for each unit."""
        m, those = self.m, self.those
        if self.kind == "W":
            return step.before.weights[m][None, those]
        if self.kind == "slope":
            return slope(step, m)[:, those]
        arrays = {"a": step.a, "delta": step.delta, "da": step.da}
        return arrays[self.kind][m][:, those]


@dataclass(frozen=True, repr=False, eq=False)
class Paths:
    """One derivative in two forms; `PathSum`, which prints them, has the details."""

    l: int
    i: int
    j: int
    n_paths: int
    n_terms: int
    layer_by_layer: float
    expanded: float | None
    multiplications: tuple[int, int]
    of_all_parameters: tuple[int, int] | None
    trace: Step = field(repr=False)
    factors: tuple[Factor, ...] = field(repr=False)

    @property
    def difference(self) -> float | None:
        """|expanded - layer_by_layer|, None without an expanded form."""
        if self.expanded is None:
            return None
        return abs(self.expanded - self.layer_by_layer)


def chain(step: Step, l: int, i: int, j: int) -> list[Factor]:
    """From the weight to the loss, the factors of every term.

    a[l][i] f'(z[l][j]) W[l+1][j, k] f'(z[l+1][k]) W[l+2][k, k'] ... dE/da[L]
    """
    design, last = step.design, step.n_layers - 1
    letters = (f"k{m}" for m in itertools.count(1))
    unit, those = str(j), slice(j, j + 1)
    factors = [Factor(f"a[{l}][s,{i}]", (), "a", l, i)]
    for m in range(l, last + 1):
        if m > l:
            above = next(letters)
            symbol = f"W[{m}][{unit},{above}]"
            factors.append(Factor(symbol, (unit, above), "W", m, those))
            unit, those = above, slice(None)
        if m == last and design.loss_takes_z:
            symbol = f"dE/dz[{m}][s,{unit}]"
            return [*factors, Factor(symbol, (unit,), "delta", m, those)]
        if design.activations[m] == "softmax":
            above = next(letters)
            symbol = f"da[{m + 1}][s,{above}]/dz[{m}][s,{unit}]"
            factors.append(Factor(symbol, (unit, above), "slope", m, those))
            unit, those = above, slice(None)
        else:
            kept = " kept" if design.dropout[m] else ""
            symbol = f"f'(z[{m}][s,{unit}]){kept}"
            factors.append(Factor(symbol, (unit,), "slope", m, those))
    symbol = f"dE/da[{last + 1}][s,{unit}]"
    return [*factors, Factor(symbol, (unit,), "da", last + 1, those)]


def slope(step: Step, m: int) -> Real:
    """da[m+1]/dz[m] of each row, (n, units); of softmax (n, units of z, units of a)."""
    slopes, kept = activation_derivative(step, m), step.kept[m]
    if step.design.activations[m] == "softmax":
        slopes = slopes.swapaxes(1, 2)
        kept = None if kept is None else kept[:, None, :]
    if kept is None:
        return slopes
    return np.where(kept == 0, 0, slopes * kept)  # slopes may be infinite where 0


def first_layer(design: Design) -> int:
    """The first layer from which paths can begin: above every normalised layer.

    The output layer is never normalised.
    """
    return max((m + 1 for m, norm in enumerate(design.norms) if norm), default=0)


def path_units(factors: tuple[Factor, ...]) -> tuple[str, ...]:
    """Every unit on a path, in order, beginning with the weight's own."""
    return tuple(dict.fromkeys(unit for factor in factors for unit in factor.units))


def factor_arrays(step: Step, factors: tuple[Factor, ...]) -> list[Real]:
    """The values of every factor, in float64."""
    return [factor.values(step).astype(np.float64) for factor in factors]


def terms(
    factors: tuple[Factor, ...], arrays: list[Real], at: NDArray[Any]
) -> tuple[list[NDArray[np.intp]], Real]:
    """Row, units and factors of the terms with the numbers `at`.

    Terms are numbered with the row changing slowest and the unit of the last layer
    fastest.  Numbers beyond int64 are in an array of objects.  The factors have the
    shape (factors, terms).
    """
    widths = [
        array.shape[2]
        for factor, array in zip(factors, arrays, strict=True)
        if len(factor.units) == 2
    ]
    found: list[NDArray[np.intp]] = []
    for width in reversed(widths):
        at, unit = at // width, at % width
        found.insert(0, unit.astype(np.intp))
    row = at.astype(np.intp)
    units = iter(found)
    unit = np.zeros_like(row)  # the weight's own is given
    values = []
    for factor, array in zip(factors, arrays, strict=True):
        s = row if len(array) > 1 else 0
        if len(factor.units) == 2:
            before, unit = unit, next(units)
            values.append(array[s, before, unit])
        else:
            values.append(array[s, unit] if factor.units else array[s])
    return [row, *found], np.stack([np.broadcast_to(x, row.shape) for x in values])
