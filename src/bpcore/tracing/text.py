"""The derivation of a step as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.tracing.derivation import Line, derivation, is_small

if TYPE_CHECKING:
    from bpcore.buffers import Real
    from bpcore.tracing.values import Trace

#: Columns for the equations; longer ones have their numbers below.
EQUATION = 48
#: Significant digits.
DIGITS = 5


def text(trace: Trace) -> str:
    """Every equation of the step beside its numbers."""
    whole = is_small(trace)
    blocks = []
    for section in derivation(trace):
        lines = [section.title, "-" * len(section.title)]
        for line in section.lines:
            lines += beside(line, whole)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def beside(line: Line, whole: bool) -> list[str]:
    """The equation, and to its right the rows of its value."""
    if line.value is None:
        return [f"  {line.equation}"]
    rows = shown(line.value, whole)
    left = f"  {line.equation}"
    if len(left) > EQUATION - 2:
        return [left, *(" " * EQUATION + row for row in rows)]
    first, *others = rows
    return [f"{left:<{EQUATION}}{first}", *(" " * EQUATION + row for row in others)]


def shown(value: Any, whole: bool) -> list[str]:
    """A value as lines: an array whole, or its shape, norm and extremes."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, float):
        return [number(value)]
    if not whole:
        return [summary(value)]
    if value.ndim == 3:
        return [
            line
            for i, matrix in enumerate(value)
            for line in (f"row {i}:", *shown(matrix, whole))
        ]
    cells = [[number(x) for x in row] for row in np.atleast_2d(value)]
    width = max(len(cell) for row in cells for cell in row)
    return ["  ".join(cell.rjust(width) for cell in row) for row in cells]


def number(x: Any) -> str:
    """A number to some digits, whole ones without a point."""
    return f"{x:.{DIGITS}g}" if x else "0"


def summary(array: Real) -> str:
    """Shape, norm and extremes."""
    extremes = f"from {number(array.min())} to {number(array.max())}"
    if array.dtype.kind == "i":  # labels
        return f"shape {array.shape}, {extremes}"
    return f"shape {array.shape}, norm {number(norm(array))}, {extremes}"


def norm(array: Real) -> float:
    """The norm of Frobenius, with squares in float64: no float32 is too small."""
    flat = np.ravel(array)
    return float(np.sqrt(np.einsum("i,i->", flat, flat, dtype=np.float64)))
