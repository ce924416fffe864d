"""The derivation of a step as text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bpcore.arrays import Real, norm
from bpcore.errstate import own_errstate
from bpcore.show.table import ends
from bpcore.tracing.derivation import derivation
from bpcore.tracing.section import LAYERS, Line, is_small
from bpcore.tracing.step import Step

#: Columns for the equations; the numbers of longer ones stand below.
EQUATION = 48
#: Significant digits.
DIGITS = 6
#: Most layers of a network whose text has any length, and most lines of others.
SHALLOW, LINES = 4, 150


@own_errstate
def text(step: Step, digits: int = DIGITS, all: bool = False) -> str:
    """The equations of the step beside their numbers.

    If that of a deep network is too long, of fewer layers, then with arrays in short,
    then without the lines in the middle.
    """
    small = is_small(step)
    if all or step.n_layers <= SHALLOW:
        return "\n".join(text_lines(step, digits, all or small, math.inf))
    lines: list[str] = []
    for whole, most in ((small, LAYERS), (small, 4), (small, 2), (False, 2)):
        lines = [*text_lines(step, digits, whole, most)]
        if len(lines) <= LINES:
            return "\n".join(lines)
    first, last = ends(len(lines), LINES)
    gap = f"  ... {last.start - first.stop:,} more lines: text(all=True) has them ..."
    return "\n".join([*lines[: first.stop], gap, *lines[last.start :]])


def text_lines(step: Step, digits: int, whole: bool, most: float) -> Iterator[str]:
    """The lines of all sections, with an empty one between two."""
    for number, section in enumerate(derivation(step, whole, most)):
        yield from [""] * (number > 0)
        yield section.title
        yield "-" * len(section.title)
        for line in section.lines:
            yield from beside(line, whole, digits)


def beside(line: Line, whole: bool, digits: int = DIGITS) -> list[str]:
    """The equation, and to its right the rows of its value."""
    left = f"  {line.equation}"
    if line.value is None:
        return [left]
    first, *others = shown(line.value, whole, digits)
    if len(left) > EQUATION - 2:
        return [left, *(" " * EQUATION + row for row in (first, *others))]
    return [f"{left:<{EQUATION}}{first}", *(" " * EQUATION + row for row in others)]


def shown(value: Any, whole: bool, digits: int = DIGITS) -> list[str]:
    """A value as lines: an array whole, or its shape, norm and extremes."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, float):
        return [number(value, digits)]
    if not whole:
        return [summary(value)]
    if value.ndim == 3:
        return [
            line
            for s, matrix in enumerate(value)
            for line in (f"row {s}:", *shown(matrix, whole, digits))
        ]
    rows = aligned(np.atleast_2d(value), digits)
    width = max(len(cell) for row in rows for cell in row)
    return ["  ".join(cell.rjust(width) for cell in row).rstrip() for row in rows]


def aligned(matrix: Real, digits: int) -> list[list[str]]:
    """Numbers as strings, with equally many decimals if that can show them all."""
    decimals = decimals_of(matrix, digits)
    if decimals is None:
        return [[number(x, digits) for x in row] for row in matrix]
    printed = [f"{x:.{decimals}f}" for x in matrix.flat if x and math.isfinite(x)]
    zeros = min((len(x) - len(x.rstrip("0")) for x in printed), default=decimals)
    decimals -= min(zeros, decimals)
    # A plain 0, aligned with the decimal points of the others.
    zero = "0" + " " * (decimals + (decimals > 0))
    return [[f"{x:.{decimals}f}" if x else zero for x in row] for row in matrix]


def decimals_of(matrix: Real, digits: int) -> int | None:
    """Decimals that show `digits` of the largest number, and two less of any other.

    None if numbers are too large, too small or too different for that.
    """
    sizes = np.abs(matrix[np.isfinite(matrix) & (matrix != 0)])
    if sizes.size == 0:
        return 0
    most, least = (math.floor(math.log10(size)) for size in (sizes.max(), sizes.min()))
    decimals = max(0, digits - 1 - most)
    fits = -4 <= most < digits + 2 and least + decimals + 1 >= digits - 2
    return decimals if fits or not (matrix % 1).any() else None


def number(x: Any, digits: int = DIGITS) -> str:
    """A number to some digits; whole ones without a decimal point."""
    return f"{x:.{digits}g}" if x else "0"


def summary(array: Real) -> str:
    """Shape, norm and extremes."""
    extremes = f"from {number(array.min())} to {number(array.max())}"
    if array.dtype.kind == "i":  # labels
        return f"shape {array.shape}, {extremes}"
    return f"shape {array.shape}, norm {number(norm(array))}, {extremes}"
