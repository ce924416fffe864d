"""Parts of a box as SVG: their sizes, and their elements at a place."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

from bpcore.graph.box import Part
from bpcore.graph.grid import Grid
from bpcore.show.colours import text_colour_on

#: Font sizes of text and of tables, in pixels, and the width of a character of size 1.
FONT, SMALL, CHARACTER = 12.0, 11.0, 0.602
#: Height of a line of text and of a table's row; margin of a table and of its cells.
LINE, ROW, MARGIN = 16.0, 16.0, 5.0
#: Space between parts beside each other.
BESIDE = 14.0

#: Characters that XML cannot have.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escaped(text: str) -> str:
    r"""Text as it stands in XML, in ASCII.

    Examples
    --------
    >>> from bpcore.graph.svg import escaped
    >>> escaped("a < b\0é")
    'a &lt; b&#65533;&#233;'
    """
    text = html.escape(NOT_IN_XML.sub("\ufffd", text))
    return text.encode("ascii", "xmlcharrefreplace").decode()


def text_width(text: str, font: float = FONT) -> float:
    """The width of a line in pixels; East Asian characters are twice as wide.

    Examples
    --------
    >>> from bpcore.graph.svg import text_width
    >>> text_width("ab") == text_width("漢")
    True
    """
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return CHARACTER * font * (len(text) + wide)


def column_widths(grid: Grid) -> list[float]:
    """The width of each column of a table."""
    return [
        2 * MARGIN + max(text_width(cell.text, SMALL) for cell in column)
        for column in zip(*grid, strict=True)
    ]


#: Parts in rows, those of a row beside each other.
Rows = list[list[Part]]


def size(rows: Rows) -> tuple[float, float]:
    """Width and height of rows of parts.

    Examples
    --------
    >>> from bpcore.graph.box import Part
    >>> from bpcore.graph.svg import size
    >>> size([[Part("J", [])], [Part("42", [])]])[1]
    32.0
    """
    widths = [row_width(row) for row in rows]
    heights = [max(part_size(part)[1] for part in row) for row in rows]
    return max(widths), sum(heights)


def row_width(row: list[Part]) -> float:
    """The width of parts beside each other."""
    return sum(part_size(part)[0] for part in row) + BESIDE * (len(row) - 1)


def part_size(part: Part) -> tuple[float, float]:
    """Width and height of a line of text and the table below it."""
    height = LINE * bool(part.text) + ROW * len(part.grid)
    below = MARGIN * bool(part.text and part.grid)
    return max(text_width(part.text), sum(column_widths(part.grid))), height + below


def elements(rows: Rows, x: float, y: float) -> Iterator[str]:
    """The rows, each centred at x, the first from y downwards."""
    for row in rows:
        left = x - row_width(row) / 2
        for part in row:
            width, _ = part_size(part)
            top, middle = y, left + width / 2
            if part.text:
                yield text_element(part.text, middle, top + LINE - 4)
                top += LINE
            if part.grid:
                yield from table_elements(part.grid, middle, top)
            left += width + BESIDE
        y += max(part_size(part)[1] for part in row)


def text_element(text: str, x: float, y: float, more: str = "") -> str:
    """A line of text, centred at x, on the base line y."""
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escaped(text)}</text>'


def table_elements(grid: Grid, x: float, y: float) -> Iterator[str]:
    """A table: a rectangle and a text for each cell."""
    widths = column_widths(grid)
    yield f'<g font-size="{SMALL:g}">'
    for row in grid:
        left = x - sum(widths) / 2
        for cell, width in zip(row, widths, strict=True):
            colour = cell.colour
            yield (
                f'<rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{ROW:g}" fill="{colour or "none"}" stroke="#808080"/>'
            )
            more = f' fill="{text_colour_on(colour)}"' if colour else ""
            yield text_element(cell.text, left + width / 2, y + ROW - 4, more)
            left += width
        y += ROW
    yield "</g>"
