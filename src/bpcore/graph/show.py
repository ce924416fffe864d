"""A graph as a table, and in Graphviz's language."""

from __future__ import annotations

import html as markup
import itertools
from collections.abc import Iterator, Sized
from typing import Any

import numpy as np

from bpcore.arrays import norm
from bpcore.errstate import own_errstate
from bpcore.graph.base import Array, V
from bpcore.graph.edge import Edge, edges
from bpcore.show.table import ROWS, ends

#: Arrays of more elements are shown as shape and norm.
LARGEST = 8
#: Most nodes of a drawing; of more variables it has the first and the last.
NODES = 200


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
    """The derivative of an edge; of a large Jacobian only its shape.

    A Jacobian costs a pass for each of its rows.
    """
    size = int(np.prod(edge.shape))
    if size > LARGEST and edge.shape != edge.target.node.value.shape:
        return f"{edge.shape} Jacobian"
    try:
        return brief(edge.derivative)
    except RuntimeError:  # a network that was trained since
        return "no longer known"


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


def written(x: V, name: dict[V, str]) -> str:
    """The operation of x with the names of its operands; empty for a leaf."""
    node = x.node
    if node.operation is None:
        return ""
    operands = [
        _constant(o) if isinstance(o, np.ndarray) else name[o] for o in node.operands
    ]
    return node.operation.written.format(*operands, options=_options(node.options))


def _constant(array: Array) -> str:
    text = brief(array)
    return f"({text})" if text.startswith("-") or array.size > LARGEST else text


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


def rows(
    order: list[V], most: float
) -> tuple[list[tuple[V, list[str]]], int, dict[V, str]]:
    """A row for each variable: name, value, operation and dJ, "" where there is none.

    Of more than `most` variables the first and the last have a row.  Also returned are
    the index of the first row after the gap, 0 without a gap, and all names.
    """
    J, name = order[-1], names(order)
    found = []
    first, last = ends(len(order), most)
    for x in (order[k] for k in (*first, *last)):
        node, began = x.node, J.node.began
        reached = began is not None and node.reached_by is began
        g = brief(node.grad) if reached and node.grad is not None else ""
        found.append((x, [name[x], brief(node.value), written(x, name), g]))
    return found, len(first) if last else 0, name


@own_errstate
def table(order: list[V], most: float = ROWS) -> str:
    """The variables in order, one row each; of many the first and the last."""
    found, gap, name = rows(order, most)
    J = name[order[-1]]
    lines = [["name", "value", "operation", "local derivatives", f"d{J}/d(name)"]]
    for x, (own, value, operation, g) in found:
        by_source: dict[str, list[str]] = {}
        for edge in edges(x):  # of a * a there are two
            by_source.setdefault(name[edge.source], []).append(local(edge))
        derivatives = ", ".join(
            f"d{own}/d{source} = {' + '.join(parts)}"
            for source, parts in by_source.items()
        )
        lines.append([own, value, operation, derivatives, g])
    shown = [k for k in range(5) if k < 4 or any(line[4] for line in lines[1:])]
    widths = [max(len(line[k]) for line in lines) for k in shown]
    written = [
        "  ".join(
            line[k].ljust(width) for k, width in zip(shown, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
    if gap:
        written.insert(1 + gap, left_out(order, found))
    return "\n".join(written)


def left_out(order: list[V], found: Sized) -> str:
    """The line for variables that have no row or node."""
    return f"... {len(order) - len(found):,} more variables ..."


def html(order: list[V]) -> str:
    """The table for a notebook."""
    return f"<pre>{markup.escape(table(order))}</pre>"


@own_errstate
def dot(order: list[V], most: float = NODES) -> str:
    """A directed graph from the leaves to J.

    Of many variables there are the first and the last, and one node for all others.
    """
    found, gap, name = rows(order, most)
    J = name[order[-1]]
    lines = ["digraph {", "  rankdir=LR;", "  node [shape=box];"]
    number = {x: f"n{i}" for i, x in enumerate(order)}
    arrows = []
    if gap:
        lines.append(f"  more [label={_quoted(left_out(order, found))}, style=dashed];")
        number |= dict.fromkeys(order[gap : gap - len(found)], "more")
    for x, (own, value, operation, g) in found:
        label = [f"{own} = {operation}" if operation else own, value]
        label += [f"d{J}/d{own} = {g}"] if g else []
        lines.append(f"  {number[x]} [label={_quoted(*label)}];")
        arrows += [
            f"  {number[e.source]} -> {number[x]} [label={_quoted(local(e))}];"
            for e in edges(x)
        ]
    if gap:  # what the others are computed from
        others = order[gap : gap - len(found)]
        into = {number[e.source] for x in others for e in edges(x)}
        arrows += [f"  {source} -> more;" for source in sorted(into - {"more"})]
    return "\n".join([*lines, *arrows, "}"])


def _quoted(*lines: str) -> str:
    """A label of these lines, as Graphviz quotes it."""
    text = "\n".join(lines).replace("\\", r"\\").replace('"', r"\"")
    return f'"{text}"'.replace("\n", r"\n")
