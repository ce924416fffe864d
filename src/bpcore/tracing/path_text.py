"""Both forms of a derivative, written out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from typing import Any

import numpy as np

from bpcore.arrays import Real
from bpcore.errstate import own_errstate
from bpcore.show.table import ROWS, columns, ends, narrow
from bpcore.tracing.memory import warn_of_memory
from bpcore.tracing.paths import MOST, Paths, factor_arrays, path_units, terms
from bpcore.tracing.section import LAYERS, is_small
from bpcore.tracing.text import number, shown

#: Approximate bytes of a cell of the table of all terms.
CELL = 14


@own_errstate
def text(path: Paths, all: bool = False) -> str:
    """The sum along all paths, the layer-by-layer form, and the costs of both."""
    parts = all_paths(path, all), layer_by_layer(path, all), costs(path)
    return "\n\n".join("\n".join(lines) for lines in parts)


def all_paths(path: Paths, all: bool = False) -> list[str]:
    """The terms, one line each; of many the first and the last."""
    symbols = [factor.symbol for factor in path.factors]
    units = path_units(path.factors)[1:]
    named = units if all else [*narrow([units])[0]]
    through = f" and units {', '.join(named)}" if units else ""
    over = f"every row s{through}"
    count = f"{path.n_terms:,} term" + "s" * (path.n_terms != 1)
    head = f"dE/dW[{path.l}][{path.i}, {path.j}] along all paths: "
    head = textwrap.fill(f"{head}for {over} the product of", 88, subsequent_indent="  ")
    heads = ["s", *units, *symbols, "product"]
    arrays = factor_arrays(path.trace, path.factors)
    if all:
        lines, total = [], []
        warn_of_memory("this text takes", path.n_terms * len(heads) * CELL)
        for begin in range(0, path.n_terms, MOST):
            at = range(begin, min(begin + MOST, path.n_terms))
            rows, products = term_rows(path, arrays, at)
            lines += columns([heads, *rows])[begin > 0 :]
            total.append(float(products.sum()))
        return [head, *lines, f"  the sum of {count} = {math.fsum(total):.10g}"]
    first, last = ends(path.n_terms, ROWS)
    lines = columns(narrow([heads, *term_rows(path, arrays, (*first, *last))[0]]))
    if last:
        gap = f"  ... {last.start - first.stop:,} more terms ..."
        lines.insert(1 + first.stop, gap)
    if path.expanded is None:
        return [
            head,
            *lines,
            f"  {count}, more than {MOST:,}: text(all=True) writes out all of them and",
            "  adds them up.  Each layer above multiplies their number by its width.",
        ]
    return [head, *lines, f"  the sum of {count} = {path.expanded:.10g}"]


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


def layer_by_layer(path: Paths, all: bool = False) -> list[str]:
    """delta from the last layer to this one, and the element of dW."""
    trace, l, i, j = path.trace, path.l, path.i, path.j
    whole, last = all or is_small(trace), trace.n_layers - 1
    lines = [f"dE/dW[{l}][{i}, {j}] layer by layer"]
    first, lowest = ends(last - l + 1, last - l + 1 if all else LAYERS)
    for step in (*first, *lowest):
        m = last - step
        if step == lowest.start and lowest:
            gap = lowest.start - first.stop
            lines.append(f"  ... {gap} more layer{'s' * (gap != 1)} ...")
        kept = f" * kept[{m}]" if trace.design.dropout[m] else ""
        by_a = f"dE/da[{m + 1}]" if m == last else f"(delta[{m + 1}] @ W[{m + 1}].T)"
        formula = f"{by_a}{kept} * f'(z[{m}])" + (f"   of unit {j}" if m == l else "")
        if trace.design.activations[m] == "softmax":
            slope = f"df[{m}]_k/dz[{m}]" if kept else f"da[{m + 1}]_k/dz[{m}]"
            formula = f"sum_k {by_a}_k{kept and kept + '_k *'} {slope}"
        if m == last and trace.design.loss_takes_z:
            formula = f"dE/dz[{m}]"
        delta, unit = trace.delta[m], f"[:, {j}]" if m == l else ""
        lines.append(f"  delta[{m}]{unit} = {formula}")
        needed = delta[:, j : j + 1] if m == l else delta
        lines += [f"      {row}" for row in shown(needed, whole)]
    lines.append(
        f"  dW[{l}][{i}, {j}] = sum_s a[{l}][s,{i}] delta[{l}][s,{j}] "
        f"= {path.layer_by_layer:.10g}"
    )
    if path.difference is not None:
        lines.append(f"  they differ by {path.difference:.1e}")
    return lines


def costs(path: Paths) -> list[str]:
    """Multiplications of both forms."""
    table = [["multiplications", "this weight"], ["all paths"], ["layer by layer"]]
    for row, count in zip(table[1:], path.multiplications, strict=True):
        row.append(f"{count:,}")
    if path.of_all_parameters:
        table[0].append("all weights and biases")
        for row, count in zip(table[1:], path.of_all_parameters, strict=True):
            row.append(f"{count:,}")
    width = max(len(row[0]) for row in table)
    return columns([[row[0].ljust(width), *row[1:]] for row in table], "")
