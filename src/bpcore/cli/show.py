"""Tables and lines of text on standard output."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from bpcore.cli.errors import printable
from bpcore.quoting import cut
from bpcore.show.table import shortened

if TYPE_CHECKING:
    from rich.console import Console

#: Columns of text where the output is no terminal, and most characters of a line.
WIDE = 1000
#: Most characters of a cell, of which one may be a name or a text of a table.
CELL = 200


def console() -> Console:
    """Standard output: styled in a terminal, plain text in a file or a pipe.

    It obeys the environment variables NO_COLOR, and COLUMNS in a terminal.  Texts are
    shown as they are, with brackets and colons.
    """
    from rich.console import Console

    return Console(
        file=sys.stdout,
        width=None if sys.stdout.isatty() else WIDE,
        markup=False,
        emoji=False,
        highlight=False,
    )


def table(
    title: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Iterable[int] = (0,),
) -> None:
    """Print a table; the columns `left` are aligned left, the others right.

    Of many rows and columns those in the middle are left out.

    Examples
    --------
    >>> from bpcore.cli.show import table
    >>> table("Layers", ["layer", "units"], [["1", "64"], ["2", "10"]])
    Layers
      layer  units
      1         64
      2         10
    <BLANKLINE>
    """
    from rich.table import Table
    from rich.text import Text

    out = console()
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.add_column("")  # a margin
    left = set(left)
    rows = list(rows)
    head, *cells = shortened(head, len(rows), lambda i, j: rows[i][j])
    for j, name in enumerate(head):
        justify: Literal["left", "right"] = "left" if j in left else "right"
        shown.add_column(cut(name, CELL), justify=justify, overflow="fold")
    for row in cells:
        shown.add_row("", *(printable(cut(cell, CELL)) for cell in row))
    with out.capture() as captured:
        out.print(Text(cut(title, WIDE), style="bold"))
        out.print(shown)
    sys.stdout.write(re.sub(" +$", "", captured.get(), flags=re.MULTILINE) + "\n")


def line(text: str) -> None:
    """Print a line of text."""
    lines = (printable(cut(part, WIDE)) for part in text.split("\n"))
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def size_of(count: int) -> str:
    """A number of bytes in short.

    Examples
    --------
    >>> from bpcore.cli.show import size_of
    >>> size_of(300), size_of(20_000), size_of(3_000_000)
    ('300 bytes', '20.0 kB', '3.0 MB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"


def number(value: float) -> str:
    """A number with about four digits, and commas for thousands.

    Examples
    --------
    >>> from bpcore.cli.show import number
    >>> number(48211.33), number(0.81234), number(0.0)
    ('48,211', '0.8123', '0')
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e12 else f"{value:.4g}"
    return f"{value:.4g}"
