"""The derivation of a step as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpcore.errstate import own_errstate
from bpcore.show.html import table
from bpcore.tracing.derivation import derivation, is_small
from bpcore.tracing.text import shown

if TYPE_CHECKING:
    from bpcore.tracing.step import Trace


@own_errstate
def html(trace: Trace) -> str:
    """A table for each part of the step, equations to the left of their numbers."""
    whole = is_small(trace)
    tables = []
    for section in derivation(trace, whole):
        rows = [
            (
                line.equation,
                "" if line.value is None else "\n".join(shown(line.value, whole)),
            )
            for line in section.lines
        ]
        tables.append(table((), rows, caption=section.title))
    return "\n".join(tables)
