"""Tables of text, aligned in columns; long ones without their middle rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

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


def shortened(head: Sequence[str], count: int, cell: Callable[[int, int], str]) -> Rows:
    """The head and `count` rows; if many, without rows and columns in the middle.

    ``cell(row, column)`` is called for the cells that are shown only.

    Examples
    --------
    >>> table = shortened(["n", "n n"], 1000, lambda i, k: str(i ** (k + 1)))
    >>> len(table), table[-1]
    (42, ['999', '998001'])
    """
    left, right = ends(len(head), COLUMNS)

    def line(text: Callable[[int], str]) -> list[str]:
        return [*map(text, left), *["..."] * bool(right), *map(text, right)]

    first, last = ends(count, ROWS)
    gap = [line(lambda k: "...")] if last else []
    rows = [[line(partial(cell, i)) for i in part] for part in (first, last)]
    return [line(head.__getitem__), *rows[0], *gap, *rows[1]]


def narrow(table: Rows) -> Rows:
    """The table; if wide, without its middle columns."""
    first, last = ends(len(table[0]), COLUMNS)
    if not last:
        return table
    return [[*row[: first.stop], "...", *row[last.start :]] for row in table]
