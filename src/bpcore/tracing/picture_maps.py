"""A large network as a picture: heat maps of its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore.show.table import ends
from bpcore.tracing.picture_numbers import headline
from bpcore.tracing.section import LAYERS
from bpcore.tracing.step import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Activations whose values cannot be below 0.
NOT_NEGATIVE = ("exp", "hard_sigmoid", "relu", "sigmoid", "softmax", "softplus", "step")
#: Panels of a layer.
PANELS = 5


def draw_maps(step: Step, row: int | None) -> Figure:
    """A line of heat maps for each layer: a, delta, W, dW, and the change of W.

    Of many layers the first and the last.
    """
    from bpcore.show.figure import new_figure

    first, last = ends(step.n_layers, LAYERS)
    layers = [*first, *last]
    figure = new_figure(15, 2.5 * len(layers) + 0.6)
    grid = figure.subplots(len(layers), PANELS, squeeze=False)
    rows = slice(None) if row is None else slice(row, row + 1)
    for l, panels in zip(layers, grid, strict=True):
        W, after = step.before.weights[l], step.after.weights[l]
        f = step.design.activations[l]
        kept = f" * kept[{l}]" if step.design.dropout[l] else ""
        _map(panels[0], f"a[{l + 1}] = {f}(z[{l}]){kept}", step.a[l + 1][rows], f)
        _map(panels[1], f"delta[{l}]", step.delta[l][rows])
        _map(panels[2], f"W[{l}]", W)
        _map(panels[3], f"dW[{l}]", step.dW[l])
        _map(panels[4], f"W[{l}], after - before", after - W)
        for axes in panels[:2]:
            axes.set_xlabel("unit", fontsize=7)
            axes.set_ylabel("row", fontsize=7)
            if row is not None:
                axes.set_yticks([0], [f"{row}"])
        for axes in panels[2:]:
            axes.set_xlabel(f"unit of a[{l + 1}]", fontsize=7)
            axes.set_ylabel(f"unit of a[{l}]", fontsize=7)
    what = ""
    if row is not None and len(step.X) > 1:
        what = f"; a and delta of row {row}, dW and the change are of all rows"
    if last:
        what += f"; layers {first.stop} to {last.start - 1} left out"
    figure.suptitle(headline(step) + what)
    return figure


def _map(axes: Axes, title: str, array: NDArray[Any], f: str = "") -> None:
    """A heat map; of the outputs of f with the range that they have."""
    from bpcore.show.figure import colours_of, use_whole_numbers

    # The few largest would leave all else pale.
    limit = float(np.quantile(np.abs(array), 0.999)) or float(np.abs(array).max() or 1)
    image = axes.imshow(
        array,
        **colours_of(limit, signed=f not in NOT_NEGATIVE),
        aspect="auto",
        interpolation="nearest",
    )
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=7)
    for axis in (axes.xaxis, axes.yaxis):
        use_whole_numbers(axis, 5)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.ax.tick_params(labelsize=7)
