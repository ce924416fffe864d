"""Both forms of a derivative as HTML."""

from __future__ import annotations

from bpcore.errstate import own_errstate
from bpcore.show.html import page, paragraph, section, table
from bpcore.tracing import path_text
from bpcore.tracing.html import equations
from bpcore.tracing.paths import Paths
from bpcore.tracing.section import is_small


@own_errstate
def path_html(path: Paths) -> str:
    """The text as tables in sections, the heading of the terms as their title."""
    (head, *terms), gap = path_text.terms_shown(path)
    rows = list(terms)
    if gap:
        rows.insert(gap[0] - 1, [gap[1]])
    title, lines, end = path_text.layer_by_layer(path)
    costs_head, *costs = path_text.costs(path)
    end_of_terms = " ".join(path_text.conclusion(path))
    return page(
        section(path_text.heading(path), table(head, rows), paragraph(end_of_terms)),
        section(title, equations(lines, is_small(path.trace)), *map(paragraph, end)),
        table(costs_head, costs),
    )
