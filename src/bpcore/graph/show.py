"""A graph as a table, with names for its variables and their operations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bpcore.arrays import norm
from bpcore.errstate import own_errstate
from bpcore.graph.base import Array, V
from bpcore.graph.edge import Edge, edges
from bpcore.quoting import cut
from bpcore.show import html
from bpcore.show.table import ROWS, ends

#: Arrays of more elements are shown as shape and norm.
LARGEST = 8
#: Most characters of a cell of the table.
CELL = 80
#: The derivative of a network that was trained since.
UNKNOWN = "no longer known"


@own_errstate
def brief(array: Array) -> str:
    """A small array as its numbers, a large one as shape and norm."""
    if array.size > LARGEST:
        return f"{array.shape} norm {norm(array):.6g}"
    return _nested(array.tolist())


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, value))}]"
    return f"{value:.6g}"


def local(edge: Edge[Any]) -> str:
    """The derivative of an edge as text."""
    found = derivative(edge)
    return found if isinstance(found, str) else brief(found)


def derivative(edge: Edge[Any]) -> Array | str:
    """The derivative of an edge; of a large Jacobian its shape as text.

    A Jacobian costs a pass for each of its rows.
    """
    size = math.prod(edge.shape)
    if size > LARGEST and edge.shape != edge.target.node.value.shape:
        return f"{edge.shape} Jacobian"
    try:
        return edge.derivative
    except RuntimeError:  # a network that was trained since
        return UNKNOWN


def gradient_of(x: V, J: V) -> Array | None:
    """dJ by x, if the last backward pass from J reached it."""
    began = J.node.began
    return x.node.grad if began is not None and x.node.reached_by is began else None


def names(order: list[V]) -> dict[V, str]:
    """A unique name for each: its own, v1, v2, ..., or J for the last."""
    taken = {x.node.name for x in order}
    numbered = (name for i in itertools.count(1) if (name := f"v{i}") not in taken)
    given: dict[V, str] = {}
    used: set[str] = set()
    again: dict[str, Iterator[int]] = {}
    for x in order:
        own = x.node.name
        if own is not None:
            name, numbers = own, again.setdefault(own, itertools.count(2))
            while name in used or (name != own and name in taken):
                name = f"{own}_{next(numbers)}"
        elif x is order[-1] and "J" not in taken:
            name = "J"
        else:
            name = next(numbered)
        given[x] = name
        used.add(name)
    return given


def constant(array: Array) -> str:
    """An operand that is not a variable."""
    text = brief(array)
    return f"({text})" if text.startswith("-") or array.size > LARGEST else text


def written(
    x: V, name: dict[V, str], constant: Callable[[Array], str] = constant
) -> str:
    """The operation of x with the names of its operands; empty for a leaf."""
    node = x.node
    if node.operation is None:
        return ""
    operands = [
        constant(o) if isinstance(o, np.ndarray) else name[o] for o in node.operands
    ]
    return node.operation.written.format(*operands, options=_options(node.options))


def _options(options: dict[str, Any]) -> str:
    """An index, a shape, or the options that are not the default."""
    if "index" in options:
        index = options["index"]
        parts = index if isinstance(index, tuple) else (index,)
        return ", ".join(map(_index, parts))
    if "shape" in options:
        return str(options["shape"])
    given = {k: v for k, v in options.items() if v is not None and v is not False}
    return "".join(f", {name}={value}" for name, value in given.items())


def _index(part: Any) -> str:
    if isinstance(part, slice):
        ends = ["" if end is None else str(end) for end in (part.start, part.stop)]
        return ":".join(ends if part.step is None else [*ends, str(part.step)])
    if part is Ellipsis:
        return "..."
    return brief(np.asarray(part)) if isinstance(part, list | np.ndarray) else str(part)


def shown(order: list[V], most: float) -> tuple[list[V], int]:
    """The variables to show: all, or of more than `most` the first and the last.

    Also returned is the index of the first one after the gap, 0 without a gap.
    """
    first, last = ends(len(order), most)
    return [order[k] for k in (*first, *last)], len(first) if last else 0


def rows(order: list[V], most: float) -> tuple[list[list[str]], int]:
    """The head and a row for each variable shown, and the index of the gap's row."""
    J, name = order[-1], names(order)
    variables, gap = shown(order, most)
    head = ["name", "value", "operation", "local derivatives", f"d{name[J]}/d(name)"]
    lines = [head]
    for x in variables:
        by_source: dict[str, list[str]] = {}
        for edge in edges(x):  # of a * a there are two
            by_source.setdefault(name[edge.source], []).append(local(edge))
        derivatives = ", ".join(
            f"d{name[x]}/d{source} = {' + '.join(parts)}"
            for source, parts in by_source.items()
        )
        g = gradient_of(x, J)
        value, by_J = brief(x.node.value), "" if g is None else brief(g)
        line = [name[x], value, written(x, name), derivatives, by_J]
        lines.append([cut(cell, CELL) for cell in line])
    kept = [k for k in range(5) if k < 4 or any(line[4] for line in lines[1:])]
    return [[line[k] for k in kept] for line in lines], gap and gap + 1


@own_errstate
def table(order: list[V], most: float = ROWS) -> str:
    """The variables in order, one row each; of many the first and the last."""
    lines, gap = rows(order, most)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
    if gap:
        text.insert(gap, left_out(order, len(lines) - 1))
    return "\n".join(text)


def left_out(order: list[V], found: int) -> str:
    """The line for variables that have no row or node; `found` have one."""
    return f"... {len(order) - found:,} more variables ..."


@own_errstate
def html_table(order: list[V]) -> str:
    """The same table in HTML."""
    (head, *lines), gap = rows(order, ROWS)
    if gap:
        note = left_out(order, len(lines))
        lines.insert(gap - 1, [note, *[""] * (len(head) - 1)])
    return html.table(head, lines)
