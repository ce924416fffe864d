"""The derivation of a step as HTML."""

from __future__ import annotations

from collections.abc import Sequence

from bpcore.errstate import own_errstate
from bpcore.show.html import page, section, table
from bpcore.tracing.derivation import derivation
from bpcore.tracing.section import Line, is_small
from bpcore.tracing.step import Step
from bpcore.tracing.text import shown


def html(step: Step) -> str:
    """A section for each part of the step, equations to the left of their numbers."""
    return page(*sections(step))


@own_errstate
def sections(step: Step) -> list[str]:
    """The sections; of a large step only the first and the loss are unfolded."""
    whole = is_small(step)
    return [
        section(
            found.title,
            equations(found.lines, whole),
            shown=whole or found.title.startswith(("training step", "loss")),
        )
        for found in derivation(step, whole)
    ]


def equations(lines: Sequence[Line], whole: bool) -> str:
    """A table of equations, to the left of their numbers."""
    rows = [
        (
            line.equation,
            "" if line.value is None else "\n".join(shown(line.value, whole)),
        )
        for line in lines
    ]
    return table((), rows, kind="equations")
