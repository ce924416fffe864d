"""The derivation of a step as HTML."""

from __future__ import annotations

from bpcore.errstate import own_errstate
from bpcore.show.html import table
from bpcore.tracing.derivation import derivation
from bpcore.tracing.section import is_small
from bpcore.tracing.step import Step
from bpcore.tracing.text import shown


@own_errstate
def html(step: Step) -> str:
    """A table for each part of the step, equations to the left of their numbers."""
    whole = is_small(step)
    tables = []
    for section in derivation(step, whole):
        rows = [
            (
                line.equation,
                "" if line.value is None else "\n".join(shown(line.value, whole)),
            )
            for line in section.lines
        ]
        tables.append(table((), rows, caption=section.title))
    return "\n".join(tables)
