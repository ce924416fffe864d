"""Gradient flow as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.show.table import ends
from bpcore.tracing.flow_columns import COLUMNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Lines named in a legend.
LEGEND = 12


@own_errstate
def draw_flow(epochs: NDArray[Any], columns: dict[str, NDArray[Any]]) -> Figure:
    """A panel for every quantity that has numbers, with a line for each layer."""
    from bpcore.show.figure import (
        colormaps,
        new_figure,
        use_log_scale,
        use_whole_numbers,
    )

    columns = {
        name: values for name, values in columns.items() if np.isfinite(values).any()
    }
    figure = new_figure(7, 2.1 * len(columns) + 0.9)
    panels = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    marker = "o" if len(epochs) <= 40 else ""
    lines: dict[int, Any] = {}
    for axes, (name, values) in zip(panels, columns.items(), strict=True):
        n_layers = values.shape[1]
        for l in range(n_layers):
            if np.isfinite(values[:, l]).any():
                (lines[l],) = axes.plot(
                    epochs,
                    values[:, l],
                    marker=marker,
                    ms=3,
                    color=colormaps["viridis"](0.9 * l / max(1, n_layers - 1)),
                    label=f"layer {l}",
                )
        if name in ("dead", "saturated"):
            axes.set_ylim(-0.03, 1.03)
        elif np.nanmin(values) > 0:
            use_log_scale(axes, values[np.isfinite(values)])
        axes.tick_params(which="both", labelsize=8)
        axes.set_title(COLUMNS[name], fontsize=9, loc="left")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    first, last = ends(len(lines), LEGEND)
    named = sorted(lines)
    figure.legend(
        handles=[lines[named[i]] for i in (*first, *last)],
        loc="outside upper center",
        frameon=False,
        fontsize=8,
        ncols=6,
    )
    panels[-1].set_xlabel("epoch")
    use_whole_numbers(panels[-1].xaxis)
    return figure
