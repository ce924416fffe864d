"""Tables and lines of text on standard output."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from bpcore.cli.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

#: Columns of text where the output is no terminal: nothing is cut off or wrapped.
WIDE = 1000


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
    for j, name in enumerate(head):
        justify: Literal["left", "right"] = "left" if j in left else "right"
        shown.add_column(name, justify=justify, overflow="fold")
    for row in rows:
        shown.add_row("", *map(printable, row))
    with out.capture() as captured:
        out.print(Text(title, style="bold"))
        out.print(shown)
    sys.stdout.write(re.sub(" +$", "", captured.get(), flags=re.MULTILINE) + "\n")


def line(text: str) -> None:
    """Print a line of text."""
    sys.stdout.write("\n".join(map(printable, text.split("\n"))) + "\n")
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
