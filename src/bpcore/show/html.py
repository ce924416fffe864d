"""Tables in HTML, for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

#: Style of the cells, which preserves the spaces that align their text.
_STYLE = "text-align: left; white-space: pre; font-family: monospace"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """A table of text, escaped."""
    parts = ["<table>"]
    if caption:
        parts.append(f"<caption>{html.escape(caption)}</caption>")
    if head:
        cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        parts.append(f"<thead><tr>{cells}</tr></thead>")
    parts.append("<tbody>")
    for row in rows:
        cells = "".join(
            f'<td style="{_STYLE}">{html.escape(cell)}</td>' for cell in row
        )
        parts.append(f"<tr>{cells}</tr>")
    return "\n".join([*parts, "</tbody>", "</table>"])
