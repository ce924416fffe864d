"""Tables of text: columns as wide as they must be, the middle left out if long."""

from __future__ import annotations

from collections.abc import Sequence

#: Rows of a table that is longer are left out in the middle.
ROWS = 40

Rows = Sequence[Sequence[str]]


def columns(table: Rows, margin: str = "  ") -> list[str]:
    """A line for each row, the cells of a column as wide as the widest."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        margin
        + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]


def in_short(head: Sequence[str], rows: Rows) -> list[str]:
    """The lines of a table with a head, of many rows the first and the last."""
    if len(rows) > ROWS:
        rows = [*rows[: ROWS // 2], ["..."] * len(head), *rows[-ROWS // 2 :]]
    return columns([head, *rows], "")
