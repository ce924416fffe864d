"""Tables of text, aligned in columns; long ones without their middle rows."""

from __future__ import annotations

from collections.abc import Sequence

#: Most rows and columns of a table; of more, those in the middle are left out.
ROWS = 40
COLUMNS = 24

Rows = Sequence[Sequence[str]]


def columns(table: Rows, margin: str = "  ") -> list[str]:
    """A line for each row; cells are padded to the widest of their column."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        margin
        + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    ]


def ends(count: int, most: float) -> tuple[range, range]:
    """Indices of the items to show: all of them, or the first and the last.

    Examples
    --------
    >>> ends(5, 8), ends(100, 8)
    ((range(0, 5), range(0, 0)), (range(0, 4), range(96, 100)))
    """
    if count <= most:
        return range(count), range(0)
    half = max(1, int(most) // 2)
    return range(half), range(count - half, count)


def in_short(head: Sequence[str], rows: Rows) -> list[str]:
    """The lines of a table with a head; if large, without middle rows and columns."""
    return columns(shortened(head, rows), "")


def shortened(head: Sequence[str], rows: Rows) -> Rows:
    """The head and the rows; if many, without those and the columns in the middle."""
    table = [head, *rows]
    first, last = ends(len(rows), ROWS)
    if last:
        table = [head, *rows[: first.stop], ["..."] * len(head), *rows[last.start :]]
    return narrow(table)


def narrow(table: Rows) -> Rows:
    """The table; if wide, without its middle columns."""
    first, last = ends(len(table[0]), COLUMNS)
    if not last:
        return table
    return [[*row[: first.stop], "...", *row[last.start :]] for row in table]
