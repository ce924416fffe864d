"""One derivative as a sum over all paths, and as backpropagation computes it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bpcore import _validation as door
from bpcore.tracing import counts
from bpcore.tracing.text import number

if TYPE_CHECKING:
    from bpcore.buffers import Real
    from bpcore.tracing.values import Trace

#: Terms that are written out at most.
MOST = 100_000


@dataclass(frozen=True)
class Factor:
    """One factor of every term: for row s and the units that it joins.

    `values` has an axis for the rows, of length 1 where they share it, and one for
    each of the `units`, which are letters, or the number of one that is given.
    """

    symbol: str
    units: tuple[str, ...]
    values: Real


@dataclass(frozen=True, repr=False, eq=False)
class PathSum:
    """dE/dW[l][i, j] in two forms that agree.

    ``print`` writes out both, and what each costs.

    Attributes
    ----------
    l, i, j : int
        The weight.
    n_paths : int
        Ways from the weight through the units above it to the loss.
    n_terms : int
        Those of all rows of the mini-batch.
    layer_by_layer : float
        The element of dW[l], as backpropagation computed it.
    expanded : float or None
        The sum of the products along all paths, in float64; None if there are more than
        100,000.
    multiplications : tuple of int
        Of the expanded form, and of the layer-by-layer form, for this one weight; f'
        and dE/da are given.
    of_all_parameters : tuple of int
        Likewise for all weights and biases of the network; None if a layer is
        normalised.
    """

    l: int
    i: int
    j: int
    n_paths: int
    n_terms: int
    layer_by_layer: float
    expanded: float | None
    multiplications: tuple[int, int]
    of_all_parameters: tuple[int, int] | None
    trace: Trace = field(repr=False)
    factors: tuple[Factor, ...] = field(repr=False)

    @property
    def difference(self) -> float | None:
        """|expanded - layer_by_layer|, None where there is no expanded form."""
        if self.expanded is None:
            return None
        return abs(self.expanded - self.layer_by_layer)

    def __repr__(self) -> str:
        return (
            f"<PathSum of W[{self.l}][{self.i}, {self.j}]: {self.n_terms} terms, "
            f"{number(self.layer_by_layer)}>"
        )

    def __str__(self) -> str:
        from bpcore.tracing.path_text import text

        return text(self)


def path_sum(trace: Trace, l: int, i: int, j: int) -> PathSum:
    """dE/dW[l][i, j] of a trace; see ``Trace.path``."""
    shapes = [W.shape for W in trace.dW]
    l = door.index("l", l, len(shapes))
    i, j = door.index("i", i, shapes[l][0]), door.index("j", j, shapes[l][1])
    for m, norm in enumerate(trace.design.norms):
        if norm and m >= l:
            raise ValueError(
                f"l must be above every normalised layer, whose units all depend on "
                f"each other; layer {m} has {norm} norm, got l={l}"
            )
    n = len(trace.X)
    n_paths = counts.n_paths(trace.design, l)
    factors = tuple(chain(trace, l, i, j))
    n_terms = n * n_paths
    expanded = float(products(factors).sum()) if n_terms <= MOST else None
    return PathSum(
        l,
        i,
        j,
        n_paths,
        n_terms,
        float(trace.dW[l][i, j]),
        expanded,
        (n_terms * (len(factors) - 1), n * counts.layer_by_layer(trace.design, l)),
        None if any(trace.design.norms) else counts.of_all(trace.design, n),
        trace,
        factors,
    )


def chain(trace: Trace, l: int, i: int, j: int) -> list[Factor]:
    """From the weight to the loss, the factors of every term.

    a[l][i] f'(z[l][j]) W[l+1][j, k] f'(z[l+1][k]) W[l+2][k, k'] ... dE/da[L]
    """
    design, last = trace.design, trace.n_layers - 1
    letters = (f"k{m}" for m in itertools.count(1))
    unit, those = str(j), slice(j, j + 1)
    factors = [Factor(f"a[{l}][s,{i}]", (), trace.a[l][:, i])]
    for m in range(l, last + 1):
        if m > l:
            above = next(letters)
            W = trace.before.weights[m][None, those]
            factors.append(Factor(f"W[{m}][{unit},{above}]", (unit, above), W))
            unit, those = above, slice(None)
        if m == last and design.loss_takes_z:
            delta = trace.delta[m][:, those]
            return [*factors, Factor(f"dE/dz[{m}][s,{unit}]", (unit,), delta)]
        slopes = slope(trace, m)[:, those]
        if design.activations[m] == "softmax":
            above = next(letters)
            symbol = f"da[{m + 1}][s,{above}]/dz[{m}][s,{unit}]"
            factors.append(Factor(symbol, (unit, above), slopes))
            unit, those = above, slice(None)
        else:
            kept = " kept" if design.dropout[m] else ""
            factors.append(Factor(f"f'(z[{m}][s,{unit}]){kept}", (unit,), slopes))
    by_a = trace.da[-1][:, those]
    return [*factors, Factor(f"dE/da[{last + 1}][s,{unit}]", (unit,), by_a)]


def slope(trace: Trace, m: int) -> Real:
    """da[m+1]/dz[m] of each row, (n, units); of softmax (n, units of z, units of a)."""
    slopes, kept = trace.derivatives[m], trace.kept[m]
    if trace.design.activations[m] == "softmax":
        slopes = slopes.swapaxes(1, 2)
        kept = None if kept is None else kept[:, None, :]
    return slopes if kept is None else slopes * kept


def units_of(factors: tuple[Factor, ...]) -> tuple[str, ...]:
    """Every unit on the way, in order: the weight's own is the first."""
    return tuple(dict.fromkeys(unit for factor in factors for unit in factor.units))


def aligned(factors: tuple[Factor, ...]) -> list[Real]:
    """The values of each factor with an axis for the rows and for every unit."""
    units = units_of(factors)
    arrays = []
    for factor in factors:
        sizes = dict(zip(factor.units, factor.values.shape[1:], strict=True))
        shape = [len(factor.values), *(sizes.get(unit, 1) for unit in units)]
        arrays.append(factor.values.astype(np.float64).reshape(shape))
    return arrays


def products(factors: tuple[Factor, ...]) -> Real:
    """Every term: the product of its factors."""
    first, *others = aligned(factors)
    return math.prod(others, start=first)
