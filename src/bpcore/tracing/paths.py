"""One derivative as a sum over all paths, and as backpropagation computes it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.errstate import own_errstate
from bpcore.tracing import counts
from bpcore.tracing.text import number

if TYPE_CHECKING:
    from bpcore.model.memory import Real
    from bpcore.tracing.step import Trace

#: Terms that are added up at once; of more there is no sum but in the text of all.
MOST = 100_000


@dataclass(frozen=True)
class Factor:
    """One factor of every term, and where in the trace it is found.

    `units` are the letters of the units it joins, or the number of one that is given;
    `those` are the rows or columns of the array of layer `m` that they stand for.
    """

    symbol: str
    units: tuple[str, ...]
    kind: str
    m: int
    those: Any

    def values(self, trace: Trace) -> Real:
        """With an axis for the rows, 1 if they share it, and one for each unit."""
        m, those = self.m, self.those
        if self.kind == "W":
            return trace.before.weights[m][None, those]
        if self.kind == "slope":
            return slope(trace, m)[:, those]
        arrays = {"a": trace.a, "delta": trace.delta, "da": trace.da}
        return arrays[self.kind][m][:, those]


@dataclass(frozen=True, repr=False, eq=False)
class PathSum:
    """dE/dW[l][i, j] in two forms that agree.

    ``print`` writes out both, and what each costs; see `text`.

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
        100,000, which only ``text(all=True)`` adds up.
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
        return self.text()

    def text(self, all: bool = False) -> str:
        """Both forms and their costs, written out: what ``print`` shows.

        Of more than 40 terms there are the first and the last, and how many are left
        out; deltas are shown whole up to 8 rows and units.

        Parameters
        ----------
        all : bool
            Every term, however many there are, and every delta whole.  A million terms
            take half a minute and two hundred megabytes.

        Warns
        -----
        UserWarning
            If the text takes more than 1 GB, before it takes it.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 4, 50, 1], activation="tanh", rng=0)
        >>> path = bp.trace(net, [[1.0]], [[0.5]]).path(0, 0, 0)
        >>> "... 10 more terms ..." in path.text()
        True
        >>> len(path.text(all=True).splitlines()) - len(path.text().splitlines()) >= 9
        True
        """
        from bpcore.tracing.path_text import text

        return text(self, checks.boolean("all", all))


@own_errstate
def path_sum(trace: Trace, l: int, i: int, j: int) -> PathSum:
    """dE/dW[l][i, j] of a trace; see ``Trace.path``."""
    shapes = [W.shape for W in trace.dW]
    l = checks.index("l", l, len(shapes))
    i, j = checks.index("i", i, shapes[l][0]), checks.index("j", j, shapes[l][1])
    # The output layer is never normalised.
    first = max((m + 1 for m, norm in enumerate(trace.design.norms) if norm), default=0)
    if l < first:
        raise ValueError(
            f"l must be at least {first}: layer {first - 1} has "
            f"{trace.design.norms[first - 1]} norm, in which every unit depends on "
            f"others, so that paths can begin only above it; got {l}"
        )
    n, design = len(trace.X), trace.design
    n_paths = counts.n_paths(design, l)
    n_terms = n * n_paths
    factors, expanded = tuple(chain(trace, l, i, j)), None
    if n_terms <= MOST:
        found = terms(factors, arrays_of(trace, factors), np.arange(n_terms))[1]
        expanded = float(found.prod(axis=0).sum())
    return PathSum(
        l,
        i,
        j,
        n_paths,
        n_terms,
        float(trace.dW[l][i, j]),
        expanded,
        (n_terms * (len(factors) - 1), n * counts.layer_by_layer(design, l)),
        None if any(design.norms) else counts.of_all(design, n),
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


def slope(trace: Trace, m: int) -> Real:
    """da[m+1]/dz[m] of each row, (n, units); of softmax (n, units of z, units of a)."""
    slopes, kept = trace._derivative(m), trace.kept[m]
    if trace.design.activations[m] == "softmax":
        slopes = slopes.swapaxes(1, 2)
        kept = None if kept is None else kept[:, None, :]
    if kept is None:
        return slopes
    return np.where(kept == 0, 0, slopes * kept)  # what drops out may be infinite


def units_of(factors: tuple[Factor, ...]) -> tuple[str, ...]:
    """Every unit on the way, in order: the weight's own is the first."""
    return tuple(dict.fromkeys(unit for factor in factors for unit in factor.units))


def arrays_of(trace: Trace, factors: tuple[Factor, ...]) -> list[Real]:
    """The values of every factor, in float64."""
    return [factor.values(trace).astype(np.float64) for factor in factors]


def terms(
    factors: tuple[Factor, ...], arrays: list[Real], at: NDArray[Any]
) -> tuple[list[NDArray[np.intp]], Real]:
    """The terms of these numbers: row and units, and the factors (factors, terms).

    They are counted with the row first and the unit of the last layer changing fastest;
    a number may be larger than an int64, in an array of objects.
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
    ways = iter(found)
    unit = np.zeros_like(row)  # the weight's own is given
    values = []
    for factor, array in zip(factors, arrays, strict=True):
        s = row if len(array) > 1 else 0
        if len(factor.units) == 2:
            before, unit = unit, next(ways)
            values.append(array[s, before, unit])
        else:
            values.append(array[s, unit] if factor.units else array[s])
    return [row, *found], np.stack([np.broadcast_to(x, row.shape) for x in values])
