"""HTML for notebooks: tables, and sections that fold, all in one style.

The style is that of one class, so that it changes nothing else on a page.  It has no
colours but those of the notebook, light or dark, and greys that are seen on both.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

#: Cells keep the spaces that align their text; on a phone those of a table of
#: equations stand below each other.
STYLE = """<style>
.bpcore-out {overflow-x: auto; font-size: 13px; line-height: 1.35}
.bpcore-out table {border-collapse: collapse; margin: 0.2em 0 0.9em; font-size: inherit}
.bpcore-out caption, .bpcore-out summary {text-align: left; font-weight: 600;
  color: inherit; padding: 0.25em 0; caption-side: top}
.bpcore-out caption {white-space: nowrap}
.bpcore-out summary {cursor: pointer}
.bpcore-out table th, .bpcore-out table td {text-align: left; vertical-align: top;
  white-space: pre; padding: 0.15em 1.1em 0.15em 0; border: 0; max-width: none}
.bpcore-out table td, .bpcore-out pre {font-family: ui-monospace, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; font-size: 12px}
.bpcore-out table .number {text-align: right}
.bpcore-out thead tr {border-bottom: 1px solid #888}
.bpcore-out tbody tr {border-bottom: 1px solid #8883}
.bpcore-out details table {margin-left: 1.1em}
.bpcore-out p {margin: 0.2em 0 0.6em; max-width: 45em}
@media (max-width: 600px) {
  .bpcore-out .equations td {display: block; padding-left: 0}
  .bpcore-out .equations td + td {padding-left: 1em}
}
</style>"""

_NUMBER = re.compile(r"[-+]?(\d[\d,]*(\.\d*)?(e[-+]?\d+)?%?|nan|inf)")
#: Cells that may stand in a column of numbers.
_NEUTRAL = ("", "-", "...")


def page(*parts: str) -> str:
    """Tables, sections and text in the style of all objects.

    Examples
    --------
    >>> from bpcore.show.html import page, table
    >>> page(table(["x"], [["1"]])).startswith('<div class="bpcore-out">')
    True
    """
    return "\n".join(['<div class="bpcore-out">', STYLE, *parts, "</div>"])


def section(title: str, *parts: str, shown: bool = True) -> str:
    """A title, on which a click folds what is below it; `shown` at first or not.

    Examples
    --------
    >>> from bpcore.show.html import section
    >>> print(section("a < b", "text", shown=False))
    <details><summary>a &lt; b</summary>
    text
    </details>
    """
    start = "<details open>" if shown else "<details>"
    head = f"{start}<summary>{html.escape(title)}</summary>"
    return "\n".join([head, *parts, "</details>"])


def paragraph(text: str) -> str:
    """Text, escaped.

    Examples
    --------
    >>> from bpcore.show.html import paragraph
    >>> paragraph("1 < 2")
    '<p>1 &lt; 2</p>'
    """
    return f"<p>{html.escape(text)}</p>"


def embedded(value: Any) -> str:
    r"""A value as JSON that cannot end the element of the page that it is in.

    Examples
    --------
    >>> from bpcore.show.html import embedded
    >>> print(embedded(["</script>", 1.5]))
    ["\u003c/script\u003e",1.5]
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    caption: str = "",
    kind: str = "",
) -> str:
    """A table of text, escaped; columns of numbers aligned at the decimal point.

    Parameters
    ----------
    head : sequence of str
        Of the columns; an empty one for none.
    rows : iterable of sequences of str
        One of a single cell goes across all columns.
    caption : str
    kind : str
        "equations" for two columns that stand below each other on a narrow page.

    Examples
    --------
    >>> from bpcore.show.html import table
    >>> print(table(["x"], [["1.25"], ["10"]]))
    <table>
    <thead><tr><th class="number">x</th></tr></thead>
    <tbody>
    <tr><td class="number">1.25</td></tr>
    <tr><td class="number">10   </td></tr>
    </tbody>
    </table>
    """
    rows = list(rows)
    width = max(map(len, [head, *rows]))
    columns = zip(*(row for row in rows if len(row) == width), strict=True)
    by_column = [[*column] for column in columns] or [[]] * width
    classes = [' class="number"' if _has_numbers(c) else "" for c in by_column]
    aligned = zip(*map(at_point, by_column), strict=True)
    parts = [f'<table class="{kind}">' if kind else "<table>"]
    if caption:
        parts.append(f"<caption>{html.escape(caption)}</caption>")
    if head:
        parts.append(f"<thead>{_row('th', head, classes)}</thead>")
    parts.append("<tbody>")
    across = [f' colspan="{width}"']
    parts += [
        _row("td", next(aligned), classes)
        if len(row) == width
        else _row("td", row, across)
        for row in rows
    ]
    return "\n".join([*parts, "</tbody>", "</table>"])


def _row(tag: str, cells: Sequence[str], classes: Sequence[str]) -> str:
    inside = (
        f"<{tag}{name}>{html.escape(cell)}</{tag}>"
        for cell, name in zip(cells, classes, strict=True)
    )
    return f"<tr>{''.join(inside)}</tr>"


def _has_numbers(column: Sequence[str]) -> bool:
    """Whether all cells are numbers, but for a few signs."""
    cells = [cell for cell in column if cell not in _NEUTRAL]
    return bool(cells) and all(_NUMBER.fullmatch(cell) for cell in cells)


def at_point(column: Sequence[str]) -> list[str]:
    """A column with spaces to the right of numbers that align their decimal points.

    Unless there are other things than numbers in it.

    Examples
    --------
    >>> from bpcore.show.html import at_point
    >>> at_point(["0.5", "12", "1e-05"])
    ['0.5  ', '12    ', '1e-05']
    """
    if not _has_numbers(column):
        return list(column)
    after = [
        len(re.sub(r"^[^.e%]*", "", cell)) if _NUMBER.fullmatch(cell) else None
        for cell in column
    ]
    most = max((n for n in after if n is not None), default=0)
    return [
        cell if n is None else cell + " " * (most - n)
        for cell, n in zip(column, after, strict=True)
    ]
