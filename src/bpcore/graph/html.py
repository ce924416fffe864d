"""A graph in a notebook: the drawing, and its table."""

from __future__ import annotations

from bpcore.graph.backward import in_order
from bpcore.graph.base import V
from bpcore.graph.drawing import NODES, drawing, within
from bpcore.graph.show import html_table

#: Most variables of a graph whose first and last ones are shown in a table.
TABLE = 10_000


def html(J: V) -> str:
    """The drawing with the table folded below it; of more variables the table only.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.html import html
    >>> "<svg" in html(Variable(2.0, "x") + 1)
    True
    """
    if not within(J, TABLE):
        return f"<p>A graph of more than {TABLE:,} variables: see show().</p>"
    rows = html_table(in_order(J))
    if not within(J, NODES):
        return rows
    return (
        f'<div style="overflow-x: auto">{drawing(J)}</div>\n'
        f"<details><summary>Table</summary>\n{rows}\n</details>"
    )
