"""Arrays as small tables: cells of text, and colours by the sign of a number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bpcore.graph.base import Array
from bpcore.show.colours import colour_of
from bpcore.show.table import ends

#: Most rows and columns of a table; of more, the first and the last three are shown.
SIDE = 6
#: Significant digits.
DIGITS = 4
#: Colour of numbers that are not finite.
GREY = "#b0b0b0"


@dataclass(frozen=True)
class Cell:
    """A number as text, and its colour; no colour where numbers are left out."""

    text: str
    colour: str | None = None


Grid = list[list[Cell]]


def number(x: float) -> str:
    """A number to four significant digits.

    Examples
    --------
    >>> from bpcore.graph.grid import number
    >>> number(2 / 3), number(-0.0), number(1234567.0)
    ('0.6667', '0', '1.235e+06')
    """
    return f"{x:.{DIGITS}g}" if x else "0"


def grid(array: Array, side: int = SIDE) -> Grid:
    """The rows and columns of an array; of many, the first and the last.

    A vector is one row.  An array with more than two axes is the matrix of its last
    axis.  Colours are relative to the largest finite number in the array.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.graph.grid import grid
    >>> [[cell.text for cell in row] for row in grid(np.arange(18.0).reshape(2, 9))]
    [['0', '1', '2', '...', '6', '7', '8'], ['9', '10', '11', '...', '15', '16', '17']]
    """
    if not array.size:
        return []
    matrix = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    finite = np.abs(array[np.isfinite(array)])
    largest = float(finite.max()) if finite.size else 0.0
    rows, columns = (_shown(size, side) for size in matrix.shape)
    left_out = Cell("...")
    return [
        [
            left_out if i is None or j is None else cell(float(matrix[i, j]), largest)
            for j in columns
        ]
        for i in rows
    ]


def _shown(size: int, side: int) -> list[int | None]:
    """The indices to show; None for the gap between them."""
    first, last = ends(size, side)
    return [*first, None, *last] if last else [*first]


def cell(x: float, largest: float) -> Cell:
    """A number and its colour on a range from -largest to largest.

    Examples
    --------
    >>> from bpcore.graph.grid import cell
    >>> cell(0.5, 1.0)
    Cell(text='0.5', colour='#f4a582')
    """
    if not math.isfinite(x):
        return Cell(number(x), GREY)
    return Cell(number(x), colour_of(x / largest if largest else 0.0))
