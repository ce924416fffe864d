"""Both forms of a derivative, written out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np

from bpcore.arrays import Real
from bpcore.errstate import own_errstate
from bpcore.quoting import counted
from bpcore.show.table import ROWS, Rows, columns, ends, narrow
from bpcore.tracing.memory import warn_of_memory
from bpcore.tracing.paths import MOST, Paths, factor_arrays, path_units, terms
from bpcore.tracing.section import LAYERS, Line, is_small
from bpcore.tracing.text import number, shown

#: Most lines of a text, about; of a longer one deltas are in short.
LINES = 70
#: Approximate bytes of a cell of the table of all terms.
CELL = 14


@own_errstate
def text(path: Paths, all: bool = False) -> str:
    """The sum along all paths, the layer-by-layer form, and the costs of both."""
    terms, costs = all_paths(path, all), costs_in_lines(path)
    layers = in_lines(path, all or is_small(path.trace), all)
    if not all and len(terms) + len(layers) + len(costs) > LINES:
        layers = in_lines(path, False, all)
        layers.append("  text(all=True) has every term and every number")
    return "\n\n".join("\n".join(lines) for lines in (terms, layers, costs))


def all_paths(path: Paths, all: bool = False) -> list[str]:
    """The terms, one line each; of many the first and the last."""
    head = textwrap.fill(heading(path, all), 88, subsequent_indent="  ")
    end = [f"  {line}" for line in conclusion(path)]
    if not all:
        table, gap = terms_shown(path)
        lines = columns(table)
        if gap:
            lines.insert(gap[0], f"  {gap[1]}")
        return [head, *lines, *end]
    heads, arrays = term_heads(path), factor_arrays(path.trace, path.factors)
    lines, total = [], []
    warn_of_memory("this text takes", path.n_terms * len(heads) * CELL)
    for begin in range(0, path.n_terms, MOST):
        at = range(begin, min(begin + MOST, path.n_terms))
        rows, products = term_rows(path, arrays, at)
        lines += columns([heads, *rows])[begin > 0 :]
        total.append(float(products.sum()))
    return [head, *lines, f"  the sum of {count(path)} = {math.fsum(total):.10g}"]


def heading(path: Paths, all: bool = False) -> str:
    """What the terms are products of, and over what they are summed."""
    units = path_units(path.factors)[1:]
    named = units if all else [*narrow([units])[0]]
    through = f" and units {', '.join(named)}" if units else ""
    head = f"dE/dW[{path.l}][{path.i}, {path.j}] along all paths: "
    return f"{head}for every row s{through} the product of"


def count(path: Paths) -> str:
    """The number of terms, in words."""
    return f"{counted(path.n_terms)} term" + "s" * (path.n_terms != 1)


def conclusion(path: Paths) -> list[str]:
    """The sum, or why there is none."""
    if path.expanded is None:
        return [
            f"{count(path)}, more than {MOST:,}: "
            "text(all=True) writes out all of them and",
            "adds them up.  Each layer above multiplies their number by its width.",
        ]
    return [f"the sum of {count(path)} = {path.expanded:.10g}"]


def term_heads(path: Paths) -> list[str]:
    """Names of the columns of the table of terms."""
    symbols = [factor.symbol for factor in path.factors]
    return ["s", *path_units(path.factors)[1:], *symbols, "product"]


def terms_shown(path: Paths) -> tuple[Rows, tuple[int, str] | None]:
    """The head and the rows of the first and the last terms.

    Also the place of the row for those left out, and its text; None if there are none.
    """
    arrays = factor_arrays(path.trace, path.factors)
    first, last = ends(path.n_terms, ROWS)
    rows = term_rows(path, arrays, (*first, *last))[0]
    gap = None
    if last:
        gap = 1 + first.stop, f"... {counted(last.start - first.stop)} more terms ..."
    return narrow([term_heads(path), *rows]), gap


def term_rows(
    path: Paths, arrays: list[Real], at: Iterable[int]
) -> tuple[list[list[str]], Real]:
    """The terms with the numbers `at` as rows of a table, and their products."""
    kind: Any = np.int64 if path.n_terms < 2**63 else object
    places, factors = terms(path.factors, arrays, np.array([*at], kind))
    products = factors.prod(axis=0)
    rows = [
        [*map(str, where), *map(number, values), number(product)]
        for where, values, product in zip(
            np.stack(places, 1).tolist(), factors.T, products, strict=True
        )
    ]
    return rows, products


def in_lines(path: Paths, whole: bool, all: bool = False) -> list[str]:
    """The layer-by-layer form as text, with deltas (`whole`) below their formulas."""
    title, lines, end = layer_by_layer(path, all)
    text = [title]
    for line in lines:
        text.append(f"  {line.equation}")
        if line.value is not None:
            text += [f"      {row}" for row in shown(line.value, whole)]
    return text + [f"  {line}" for line in end]


def layer_by_layer(path: Paths, all: bool = False) -> tuple[str, list[Line], list[str]]:
    """A title, delta from the last layer to this one, and the element of dW."""
    trace, l, i, j = path.trace, path.l, path.i, path.j
    last = trace.n_layers - 1
    lines: list[Line] = []
    first, lowest = ends(last - l + 1, last - l + 1 if all else LAYERS)
    for step in (*first, *lowest):
        m = last - step
        if step == lowest.start and lowest:
            gap = lowest.start - first.stop
            lines.append(Line(f"... {gap} more layer{'s' * (gap != 1)} ..."))
        kept = f" * kept[{m}]" if trace.design.dropout[m] else ""
        by_a = f"dE/da[{m + 1}]" if m == last else f"(delta[{m + 1}] @ W[{m + 1}].T)"
        formula = f"{by_a}{kept} * f'(z[{m}])" + (f"   of unit {j}" if m == l else "")
        if trace.design.activations[m] == "softmax":
            slope = f"df[{m}]_k/dz[{m}]" if kept else f"da[{m + 1}]_k/dz[{m}]"
            formula = f"sum_k {by_a}_k{kept and kept + '_k *'} {slope}"
        if m == last and trace.design.loss_takes_z:
            formula = f"dE/dz[{m}]"
        delta, unit = trace.delta[m], f"[:, {j}]" if m == l else ""
        needed = delta[:, j : j + 1] if m == l else delta
        lines.append(Line(f"delta[{m}]{unit} = {formula}", needed))
    end = [
        f"dW[{l}][{i}, {j}] = sum_s a[{l}][s,{i}] delta[{l}][s,{j}] "
        f"= {path.layer_by_layer:.10g}"
    ]
    if path.difference is not None:
        end.append(f"they differ by {path.difference:.1e}")
    return f"dE/dW[{l}][{i}, {j}] layer by layer", lines, end


def costs_in_lines(path: Paths) -> list[str]:
    """Multiplications of both forms as text, their names to the left."""
    table = costs(path)
    width = max(len(row[0]) for row in table)
    return columns([[row[0].ljust(width), *row[1:]] for row in table], "")


def costs(path: Paths) -> list[list[str]]:
    """Multiplications of both forms: a head and two rows."""
    table = [["multiplications", "this weight"], ["all paths"], ["layer by layer"]]
    for row, number_of in zip(table[1:], path.multiplications, strict=True):
        row.append(counted(number_of))
    if path.of_all_parameters:
        table[0].append("all weights and biases")
        for row, number_of in zip(table[1:], path.of_all_parameters, strict=True):
            row.append(counted(number_of))
    return table
