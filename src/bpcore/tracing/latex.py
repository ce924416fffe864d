r"""The derivation of a step as LaTeX, for slides; it needs the package amsmath only."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.errstate import own_errstate
from bpcore.quoting import quoted
from bpcore.show.table import ends
from bpcore.tracing.derivation import derivation
from bpcore.tracing.mathematics import escaped, mathematics, number
from bpcore.tracing.section import LAYERS, Line, Section
from bpcore.tracing.step import Step
from bpcore.tracing.text import aligned

#: The parts of a derivation, and the first words of their titles.
PARTS = {
    "data": ("training",),
    "forward": ("forward", "layers"),
    "loss": ("loss",),
    "backward": ("backward", "layers"),
    "update": ("update", "layers"),
}


@own_errstate
def latex(
    step: Step,
    sections: str | Collection[str] | None = None,
    layer: Any = None,
    digits: int = 4,
    most: int = 6,
) -> str:
    """The chosen sections, each a title and an align environment."""
    chosen = PARTS if sections is None else sections
    chosen = [chosen] if isinstance(chosen, str) else chosen
    if not isinstance(chosen, Collection):
        raise TypeError(f"sections must be names; got {quoted(sections)}")
    words = {
        word
        for part in chosen
        for word in PARTS[checks.one_of("each of sections", part, PARTS)]
    }
    digits = min(checks.integer("digits", digits, 1), 17)
    if checks.integer("most", most, 2) > 10:
        raise ValueError(f"most must be at most 10, as in amsmath; got {most}")
    layers: float = LAYERS
    if layer is not None:
        layer, layers = checks.index("layer", layer, step.n_layers), step.n_layers
    found = [
        section
        for section in derivation(step, False, layers)
        if re.match(r"\w+", section.title)[0] in words  # type: ignore[index]
        and _is_of(section, layer)
    ]
    return "\n\n".join(_environment(section, digits, most) for section in found)


def _is_of(section: Section, layer: int | None) -> bool:
    """Whether a section is of the layer, or of no single one."""
    found = re.search(r"layer (\d+)", section.title)
    return layer is None or found is None or int(found[1]) == layer


def _environment(section: Section, digits: int, most: int) -> str:
    """A title, and an align environment; of layers left out the title only."""
    rows = [row for line in section.lines for row in _rows(line, digits, most)]
    body = " \\\\\n".join(rows)
    title = f"\\textbf{{{escaped(section.title)}}}"
    if section.title.startswith("layers"):
        return title
    return f"{title}\n\\begin{{align*}}\n{body}\n\\end{{align*}}"


def _rows(line: Line, digits: int, most: int) -> Iterator[str]:
    """An equation, aligned at its first equals sign, and its value."""
    left, right = _sides(line.equation)
    value = None if line.value is None else _value(line.value, digits, most)
    if value is None:
        yield f"{left} &= {right}" if right else f"& {left}"
    elif right:
        yield f"{left} &= {right}"
        yield f"&= {value}"
    elif "\\text" in left:
        yield f"& {left}\\colon\\; {value}"
    else:
        yield f"{left} &= {value}"


def _sides(equation: str) -> tuple[str, str]:
    """Both sides of an equation; of other lines, and those with words, all and ""."""
    depth = 0
    for at, character in enumerate(equation):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and equation[at : at + 3] == " = ":
            left = mathematics(equation[:at].strip())
            if "\\text" not in left:
                return left, mathematics(equation[at + 3 :])
            break
    return mathematics(equation.strip()), ""


def _value(value: Any, digits: int, most: int) -> str:
    """A text, a number or a matrix; of a large one the first and last rows."""
    if isinstance(value, str):
        return f"\\text{{{escaped(value)}}}"
    if isinstance(value, float):
        return number(f"{value:.{digits}g}")
    matrix = np.atleast_2d(value)
    first, last = ends(len(matrix), most if len(matrix) <= most else most - 1)
    left, right = ends(matrix.shape[1], most if matrix.shape[1] <= most else most - 1)
    shown = matrix[np.ix_([*first, *last], [*left, *right])]
    rows = [[number(cell.strip()) for cell in row] for row in aligned(shown, digits)]
    if right:
        rows = [_with_gap(row, left.stop, "\\cdots") for row in rows]
    if last:
        gap = ["\\vdots"] * len(rows[0])
        if right:
            gap[left.stop] = "\\ddots"
        rows.insert(first.stop, gap)
    body = " \\\\ ".join(" & ".join(row) for row in rows)
    return f"\\begin{{bmatrix}} {body} \\end{{bmatrix}}"


def _with_gap(row: Sequence[str], at: int, gap: str) -> list[str]:
    return [*row[:at], gap, *row[at:]]
