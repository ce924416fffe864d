"""One derivative as a sum over all paths, and as backpropagation computes it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bpcore import _validation as door
from bpcore.tracing.derivation import is_small
from bpcore.tracing.text import number, shown

if TYPE_CHECKING:
    from bpcore._settings import Design
    from bpcore.buffers import Real
    from bpcore.tracing.values import Trace

#: Terms that are written out at most.
MOST = 100_000


@dataclass(frozen=True)
class Factor:
    """One factor of every term: for row s and the units that it joins.

    `values` has an axis for the rows, of length 1 where they share it, and one for
    each of the `units`.
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
    factors: tuple[Factor, ...] = field(repr=False)
    steps: tuple[tuple[str, list[str]], ...] = field(repr=False)

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
        lines = [*_all_paths(self), "", *_layer_by_layer(self), "", *_costs(self)]
        return "\n".join(lines)


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
    n_paths = _n_paths(trace.design, l)
    chain = tuple(_chain(trace, l, i, j))
    n_terms = n * n_paths
    expanded = float(_products(chain).sum()) if n_terms <= MOST else None
    return PathSum(
        l,
        i,
        j,
        n_paths,
        n_terms,
        float(trace.dW[l][i, j]),
        expanded,
        (n_terms * (len(chain) - 1), n * _layered(trace.design, l)),
        None if any(trace.design.norms) else _of_all(trace.design, n),
        chain,
        tuple(_steps(trace, l, i, j)),
    )


# --- the chain of factors -------------------------------------------------------------


def _chain(trace: Trace, l: int, i: int, j: int) -> list[Factor]:
    """From the weight to the loss, the factors of every term.

    a[l][i] f'(z[l][j]) W[l+1][j, k] f'(z[l+1][k]) W[l+2][k, k'] ... dE/da[L]
    """
    design, last = trace.design, trace.n_layers - 1
    letters = (f"k{m}" for m in itertools.count(1))
    chain = [Factor(f"a[{l}][s,{i}]", (), trace.a[l][:, i])]
    unit: str | None = None  # None for j, which is given

    def pick(values: Real, axis: int) -> Real:
        return values if unit else values.take(j, axis)

    for m in range(l, last + 1):
        here = unit or str(j)
        joined = (unit,) if unit else ()
        if m > l:
            above = next(letters)
            W = pick(trace.before.weights[m], 0)[None]
            chain.append(Factor(f"W[{m}][{here},{above}]", (*joined, above), W))
            unit = here = above
            joined = (unit,)
        if m == last and design.loss_takes_z:
            delta = pick(trace.delta[m], 1)
            chain.append(Factor(f"dE/dz[{m}][s,{here}]", joined, delta))
            return chain
        kept = 1 if trace.kept[m] is None else trace.kept[m]
        if design.activations[m] == "softmax":
            above = next(letters)
            # (s, above, here) with axes in the order of the letters
            by_z = trace.derivatives[m] * (
                kept if isinstance(kept, int) else kept[..., None]
            )
            by_z = pick(by_z.swapaxes(1, 2), 1)
            symbol = f"da[{m + 1}][s,{above}]/dz[{m}][s,{here}]"
            chain.append(Factor(symbol, (*joined, above), by_z))
            unit = above
        else:
            slope = pick(trace.derivatives[m] * kept, 1)
            symbol = f"f'(z[{m}][s,{here}])" + " kept" * (trace.kept[m] is not None)
            chain.append(Factor(symbol, joined, slope))
    here = unit or str(j)
    by_a = pick(trace.da[-1], 1)
    chain.append(Factor(f"dE/da[{last + 1}][s,{here}]", (unit,) if unit else (), by_a))
    return chain


def _letters(chain: tuple[Factor, ...]) -> tuple[str, ...]:
    """Every unit that is summed over, in the order of the chain."""
    return tuple(dict.fromkeys(unit for factor in chain for unit in factor.units))


def _aligned(chain: tuple[Factor, ...]) -> list[Real]:
    """The values of each factor with an axis for the rows and for every unit."""
    letters = _letters(chain)
    arrays = []
    for factor in chain:
        sizes = dict(zip(factor.units, factor.values.shape[1:], strict=True))
        shape = [len(factor.values), *(sizes.get(letter, 1) for letter in letters)]
        arrays.append(factor.values.astype(np.float64).reshape(shape))
    return arrays


def _products(chain: tuple[Factor, ...]) -> Real:
    """Every term: the product of its factors."""
    first, *others = _aligned(chain)
    return math.prod(others, start=first)


# --- counts ---------------------------------------------------------------------------


def _joins(design: Design, m: int) -> bool:
    """Whether f[m] joins all units of its layer, and is not within the loss."""
    last = len(design.activations) - 1
    return design.activations[m] == "softmax" and not (
        m == last and design.loss_takes_z
    )


def _n_paths(design: Design, l: int) -> int:
    """The product of the widths above, twice that of a softmax layer."""
    widths = design.sizes[l + 2 :]
    softmax = (
        design.sizes[m + 1]
        for m in range(l, len(design.activations))
        if _joins(design, m)
    )
    return math.prod(widths) * math.prod(softmax)


def _n_factors(design: Design, l: int) -> int:
    """a, then W and f' of every layer above, and dE/da or dE/dz."""
    slopes = len(design.activations) - l - design.loss_takes_z
    return 2 + slopes + len(design.activations) - l - 1


def _layered(design: Design, l: int) -> int:
    """Multiplications for one weight and one row, layer by layer from the last."""
    count, last = 1, len(design.activations) - 1  # a times delta
    for m in range(last, l - 1, -1):
        width = design.sizes[m + 1]
        needed = width if m > l else 1  # units whose delta is asked for
        if m < last:  # delta[m+1] @ W[m+1].T
            count += (width if _joins(design, m) else needed) * design.sizes[m + 2]
        if _joins(design, m):
            count += needed * width
        elif m < last or not design.loss_takes_z:
            count += needed
    return count


def _of_all(design: Design, n: int) -> tuple[int, int]:
    """Multiplications for all parameters: along all paths, and layer by layer."""
    expanded = layered = 0
    last = len(design.activations) - 1
    for l, (n_in, n_out) in enumerate(itertools.pairwise(design.sizes)):
        paths, factors = _n_paths(design, l), _n_factors(design, l)
        expanded += n_in * n_out * paths * (factors - 1)  # weights
        expanded += n_out * paths * (factors - 2)  # biases, without a
        layered += n_in * n_out  # dW
        if l > 0:
            layered += n_in * n_out  # dE/da
        if _joins(design, l):
            layered += n_out * n_out
        elif l < last or not design.loss_takes_z:
            layered += n_out
    return n * expanded, n * layered


# --- in words -------------------------------------------------------------------------


def _steps(trace: Trace, l: int, i: int, j: int) -> list[tuple[str, list[str]]]:
    """delta from the last layer to this one, and the element of dW."""
    whole, last = is_small(trace), trace.n_layers - 1
    steps = []
    for m in range(last, l - 1, -1):
        kept = " * kept" if trace.design.dropout[m] else ""
        by_a = f"dE/da[{m + 1}]" if m == last else f"(delta[{m + 1}] @ W[{m + 1}].T)"
        equation = f"delta[{m}] = {by_a}{kept} * f'(z[{m}])"
        if trace.design.activations[m] == "softmax":
            equation = f"delta[{m}] = sum_k {by_a}_k{kept} da[{m + 1}]_k/dz[{m}]"
        if m == last and trace.design.loss_takes_z:
            equation = f"delta[{m}] = dE/dz[{m}]"
        steps.append((equation, shown(trace.delta[m], whole)))
    equation = f"dW[{l}][{i}, {j}] = sum_s a[{l}][s,{i}] delta[{l}][s,{j}]"
    steps.append((equation, [number(trace.dW[l][i, j])]))
    return steps


def _all_paths(path: PathSum) -> list[str]:
    letters = _letters(path.factors)
    over = " and ".join(
        ["rows s", *(["units " + ", ".join(letters)] if letters else [])]
    )
    terms = "1 term" if path.n_terms == 1 else f"{path.n_terms:,} terms"
    lines = [
        f"dE/dW[{path.l}][{path.i}, {path.j}] along all paths: the sum over {over}, "
        f"{terms}, of",
        "  " + "  ".join(factor.symbol for factor in path.factors),
    ]
    if path.expanded is None:
        return [
            *lines,
            f"  more than {MOST:,}: too many to be written out, or added up, one by "
            "one.",
            "  Each layer above multiplies their number by its width.",
        ]
    values = _aligned(path.factors)
    products = _products(path.factors)
    columns = ["s", *letters, *(factor.symbol for factor in path.factors), "product"]
    table = [columns]
    for at in np.ndindex(products.shape):
        factors = [
            number(
                array[
                    tuple(
                        k if size > 1 else 0
                        for k, size in zip(at, array.shape, strict=True)
                    )
                ]
            )
            for array in values
        ]
        table.append([*map(str, at), *factors, number(products[at])])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines += [
        "  " + "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True))
        for row in table
    ]
    return [*lines, f"  sum = {path.expanded:.10g}"]


def _layer_by_layer(path: PathSum) -> list[str]:
    lines = [f"dE/dW[{path.l}][{path.i}, {path.j}] layer by layer"]
    for equation, rows in path.steps:
        lines += [f"  {equation}", *(f"      {row}" for row in rows)]
    lines[-1:] = []
    lines[-1] += f" = {path.layer_by_layer:.10g}"
    if path.difference is not None:
        lines.append(f"  they differ by {path.difference:.1e}")
    return lines


def _costs(path: PathSum) -> list[str]:
    heads, rows = (
        ["multiplications", "this weight"],
        [["all paths"], ["layer by layer"]],
    )
    for row, count in zip(rows, path.multiplications, strict=True):
        row.append(f"{count:,}")
    if path.of_all_parameters:
        heads.append("all weights and biases")
        for row, count in zip(rows, path.of_all_parameters, strict=True):
            row.append(f"{count:,}")
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        )
        for row in (heads, *rows)
    ]
