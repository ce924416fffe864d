"""A graph in a notebook: the drawing, and its table."""

from __future__ import annotations

from bpcore.graph.backward import in_order
from bpcore.graph.base import V
from bpcore.graph.drawing import NODES, drawing, within
from bpcore.graph.show import html_table
from bpcore.show.html import page, paragraph, section

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
        return page(paragraph(f"A graph of more than {TABLE:,} variables: see show()."))
    rows = html_table(in_order(J))
    if not within(J, NODES):
        return page(rows)
    return page(drawing(J), section("Table", rows, shown=False))
