"""A step as a picture: nodes and edges, or heat maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpcore import checks
from bpcore.errstate import own_errstate
from bpcore.quoting import quoted
from bpcore.tracing.picture_maps import draw_maps
from bpcore.tracing.picture_network import draw_network
from bpcore.tracing.picture_numbers import SHOWN
from bpcore.tracing.section import LAYERS, SMALL
from bpcore.tracing.step import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@own_errstate
def draw(
    step: Step, row: int | None, show: str, axes: Axes | None, limit: float | None
) -> Any:
    """Nodes and edges of a small network, heat maps of a large one."""
    if row is not None:
        row = checks.index("row", row, len(step.X))
    show = checks.one_of("show", show, SHOWN)
    if axes is not None:
        from bpcore.show.figure import require_axes

        require_axes(axes)
    if limit is not None:
        limit = checks.number("limit", limit, above=0.0)
    if max(step.sizes) <= SMALL and step.n_layers <= LAYERS:
        return draw_network(step, row, show, axes, limit)
    for name, value in (("axes", axes), ("limit", limit)):
        if value is not None:
            raise ValueError(
                f"{name} must be None for networks of more than {SMALL} units a layer "
                f"or {LAYERS} layers; got {quoted(value)}"
            )
    return draw_maps(step, row)
