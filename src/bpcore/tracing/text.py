"""The derivation of a step as text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bpcore.arrays import Real, norm
from bpcore.errstate import own_errstate
from bpcore.tracing.derivation import derivation
from bpcore.tracing.section import LAYERS, Line, is_small
from bpcore.tracing.step import Step

#: Columns for the equations; the numbers of longer ones stand below.
EQUATION = 48
#: Significant digits.
DIGITS = 6


@own_errstate
def text(step: Step, digits: int = DIGITS, all: bool = False) -> str:
    """The equations of the step beside their numbers."""
    whole = all or is_small(step)
    blocks = []
    for section in derivation(step, whole, math.inf if all else LAYERS):
        lines = [section.title, "-" * len(section.title)]
        for line in section.lines:
            lines += beside(line, whole, digits)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


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
