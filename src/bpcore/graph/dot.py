"""A graph in Graphviz's language, arrays as small tables."""

from __future__ import annotations

import html

from bpcore.errstate import own_errstate
from bpcore.graph.base import V
from bpcore.graph.box import Part, box, edge_part
from bpcore.graph.edge import edges
from bpcore.graph.grid import Cell, Grid
from bpcore.graph.show import left_out, names, shown
from bpcore.show.colours import text_colour_on

#: Most nodes of a drawing; of more variables it has the first and the last.
NODES = 200


@own_errstate
def dot(order: list[V], most: float = NODES) -> str:
    """A directed graph from the leaves to J.

    Of many variables there are the first and the last, and one node for all others.
    """
    variables, gap = shown(order, most)
    J, name = order[-1], names(order)
    number = {x: f"n{i}" for i, x in enumerate(order)}
    lines = ["digraph {", "  rankdir=LR;", "  node [shape=box];"]
    others: list[V] = []
    if gap:
        others = order[gap : gap - len(variables)]
        number |= dict.fromkeys(others, "more")
        text = label([Part(left_out(order, len(variables)), [])])
        lines.append(f"  more [label={text}, style=dashed];")
    arrows = []
    for x in variables:
        lines.append(f"  {number[x]} [label={label(box(x, name, J))}];")
        arrows += [
            f"  {number[e.source]} -> {number[x]} [label={label([edge_part(e)])}];"
            for e in edges(x)
        ]
    # What the others are computed from.
    into = {number[e.source] for x in others for e in edges(x)}
    arrows += [f"  {source} -> more;" for source in sorted(into - {"more"})]
    return "\n".join([*lines, *arrows, "}"])


def label(parts: list[Part]) -> str:
    r"""A label: quoted lines, or an HTML-like table if there are arrays.

    Examples
    --------
    >>> from bpcore.graph.box import Part
    >>> from bpcore.graph.dot import label
    >>> print(label([Part('J = 2 * "x"', []), Part("6", [])]))
    "J = 2 * \"x\"\n6"
    """
    if any(part.grid for part in parts):
        rows = "".join(map(_row, parts))
        return f'<<table border="0" cellspacing="2" cellpadding="0">{rows}</table>>'
    text = "\n".join(part.text for part in parts)
    text = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{text}"'.replace("\n", r"\n")


def _row(part: Part) -> str:
    """The text and the table below it."""
    text = f"<tr><td>{html.escape(part.text)}</td></tr>" if part.text else ""
    return text + (f"<tr><td>{_table(part.grid)}</td></tr>" if part.grid else "")


def _table(grid: Grid) -> str:
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in grid)
    start = '<table border="0" cellborder="1" cellspacing="0" cellpadding="2"'
    return f'{start} color="#808080">{rows}</table>'


def _cell(cell: Cell) -> str:
    if cell.colour is None:
        return f"<td>{cell.text}</td>"
    text = f'<font color="{text_colour_on(cell.colour)}">{cell.text}</font>'
    return f'<td bgcolor="{cell.colour}">{text}</td>'
