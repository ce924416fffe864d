"""Line and Section: what the derivation of a step is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bpcore.tracing.step import Step

#: Rows and units up to which every number of a step is shown.
SMALL = 8
#: Layers up to which all are shown: of more, the first and the last.
LAYERS = 8


@dataclass(frozen=True)
class Line:
    """An equation and what it gives: an array, a number, words or, if None, nothing."""

    equation: str
    value: Any = None


@dataclass(frozen=True)
class Section:
    """A part of the derivation."""

    title: str
    lines: tuple[Line, ...]


def is_small(step: Step) -> bool:
    """Whether every number can be shown."""
    return max(*step.sizes, len(step.X)) <= SMALL
