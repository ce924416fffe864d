"""Line and Section: the parts of the derivation of a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bpcore.tracing.step import Step

#: Most rows and units for which every number of a step is shown.
SMALL = 8
#: Most layers that are shown; of more the first and the last.
LAYERS = 8


@dataclass(frozen=True)
class Line:
    """An equation and its value: an array, a number, a text, or None for no value."""

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
