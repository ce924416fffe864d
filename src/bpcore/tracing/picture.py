"""A step as a picture: nodes and edges, or heat maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore import checks
from bpcore.arrays import Real
from bpcore.errstate import own_errstate
from bpcore.show.table import ends
from bpcore.tracing.section import LAYERS, SMALL
from bpcore.tracing.step import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Edges of a layer up to which each has its change written beside it.
WRITTEN = 12
#: Red for what is above 0 and blue for what is below, pale near 0.
MAP = "RdBu_r"


@own_errstate
def draw(step: Step, row: int | None, axes: Axes | None, limit: float | None) -> Any:
    """Nodes and edges of a small network, heat maps of a large one."""
    if row is not None:
        row = checks.index("row", row, len(step.X))
    if axes is not None and not hasattr(axes, "scatter"):
        raise TypeError(f"axes must be Axes of matplotlib's; got {axes!r}")
    if limit is not None:
        limit = checks.number("limit", limit, above=0.0)
    if max(step.sizes) <= SMALL and step.n_layers <= LAYERS:
        return _draw_network(step, row, axes, limit)
    for name, value in (("axes", axes), ("limit", limit)):
        if value is not None:
            raise ValueError(
                f"{name} must be None for networks of more than {SMALL} units a layer "
                f"or {LAYERS} layers; got {value!r}"
            )
    return _draw_maps(step, row)


# --- small networks -------------------------------------------------------------------


def _draw_network(
    step: Step, row: int | None, axes: Axes | None, limit: float | None
) -> Any:
    """A column of nodes for each layer, joined by the weights."""
    from bpcore.show.figure import new_figure

    columns, widest = len(step.sizes), max(step.sizes)
    if axes is None:
        size = 3.3 * columns, 1.35 * widest + 1.9
        axes = new_figure(*size).subplots()
    places = [_column(x, size) for x, size in enumerate(step.sizes)]
    changes = [
        after - before
        for before, after in zip(step.before.weights, step.after.weights, strict=True)
    ]
    largest = max(float(np.abs(change).max()) for change in changes)
    for l, change in enumerate(changes):
        _draw_edges(axes, places[l], places[l + 1], step, l, change / (largest or 1))
    colours = _draw_nodes(axes, places, step, row, limit)
    axes.figure.colorbar(colours, ax=axes, label="activation a", shrink=0.7, pad=0.01)
    what = "mean a, sum of δ" if row is None else f"a and δ of row {row}"
    axes.set_title(
        f"Step {step.step}: {_loss(step)}; {what}\n"
        "weights and biases with their change: red up, blue down, "
        f"thick up to {largest:.2g}",
        fontsize=10,
    )
    axes.set_xlim(-0.35, columns - 0.65)
    axes.set_ylim(-0.5 - (widest - 1) / 2, 0.5 + (widest - 1) / 2)
    axes.set_axis_off()
    return axes.figure


def _loss(step: Step) -> str:
    rows = "1 row" if len(step.X) == 1 else f"{len(step.X)} rows"
    return f"E = {step.loss:.4g} of {rows}"


def _column(x: int, size: int) -> Real:
    """The positions of a layer's nodes, the first on top."""
    y = (size - 1) / 2 - np.arange(size)
    return np.column_stack([np.full(size, float(x)), y])


def _draw_edges(
    axes: Axes, left: Real, right: Real, step: Step, l: int, share: Real
) -> None:
    """Lines as wide as the change of their weight, with both written beside."""
    from bpcore.show.figure import colormaps

    W, after = step.before.weights[l], step.after.weights[l]
    colours = colormaps[MAP]
    written: list[Real] = []
    for (i, j), s in np.ndenumerate(share):
        axes.plot(
            *zip(left[i], right[j], strict=True),
            # Never quite white: the smallest change must be seen as well.
            color=colours(0.5 + 0.2 * np.sign(s) + 0.3 * s) if s else "0.8",
            lw=0.8 + 4 * abs(s),
            zorder=1,
        )
        if W.size <= WRITTEN:
            written.append(_free_place(left[i], right[j], written))
            x, y = written[-1]
            axes.text(
                x,
                y,
                f"{W[i, j]:.3g}\n{after[i, j] - W[i, j]:+.2g}",
                fontsize=7,
                ha="center",
                va="center",
                bbox={"fc": "white", "ec": "none", "pad": 0.6, "alpha": 0.85},
                zorder=2,
            )


def _free_place(start: Real, end: Real, taken: list[Real]) -> Real:
    """Where on an edge a label meets no other, near its first third if it can."""
    places = start + np.linspace(0.24, 0.76, 14)[:, None] * (end - start)
    if not taken:
        return places[3]
    # In widths and heights of a label.
    apart = np.abs(places[:, None] - np.array(taken)) / [0.19, 0.24]
    room = np.minimum(apart.max(axis=2).min(axis=1), 1.0)
    return places[np.argmax(room - 0.01 * np.abs(np.arange(14) - 3))]


def _draw_nodes(
    axes: Axes,
    places: list[Real],
    step: Step,
    row: int | None,
    limit: float | None,
) -> Any:
    """Discs coloured by a, with a and delta in them; b, or an input's scale, below."""
    values = [a.mean(axis=0) if row is None else a[row] for a in step.a]
    limit = limit or max(float(np.abs(a).max()) for a in values) or 1.0
    for m, (at, a) in enumerate(zip(places, values, strict=True)):
        colour = axes.scatter(
            *(at[:, 0], at[:, 1], 2700, a),
            cmap=MAP,
            vmin=-limit,
            vmax=limit,
            ec="0.3",
            zorder=3,
        )
        for j, (x, y) in enumerate(at):
            label, below = f"a {a[j]:.3g}", ""
            if m > 0:
                delta = step.delta[m - 1]
                own = delta[:, j].sum() if row is None else delta[row, j]
                label += f"\nδ {own:.2g}"
                b = step.before.biases[m - 1][j]
                below = f"b {b:.3g} {step.after.biases[m - 1][j] - b:+.2g}"
            elif step.before.scale is not None:
                scale = step.before.scale[j]
                below = f"scale {scale:.3g} {step.after.scale[j] - scale:+.2g}"
            if below:
                axes.annotate(
                    below,
                    (x, y),
                    (0, -34),
                    textcoords="offset points",
                    fontsize=7,
                    ha="center",
                    bbox={"fc": "white", "ec": "none", "pad": 0.6, "alpha": 0.85},
                    zorder=2,
                )
            dark = abs(a[j]) > 0.7 * limit
            axes.text(
                x,
                y,
                label,
                fontsize=8,
                ha="center",
                va="center",
                color="white" if dark else "black",
                zorder=4,
            )
        name = "input" if m == 0 else step.design.activations[m - 1]
        if m == 0 and step.before.scale is not None:
            name += " * scale"
        if m > 0 and step.design.dropout[m - 1]:
            name += " * kept"
        axes.annotate(
            name,
            at[0],
            (0, 30),
            textcoords="offset points",
            fontsize=9,
            ha="center",
            style="italic",
        )
    return colour


# --- large networks -------------------------------------------------------------------


def _draw_maps(step: Step, row: int | None) -> Figure:
    """A line of heat maps for each layer: a, delta, W and its change.

    Of many layers the first and the last.
    """
    from bpcore.show.figure import new_figure, use_whole_numbers

    first, last = ends(step.n_layers, LAYERS)
    layers = [*first, *last]
    figure = new_figure(13, 2.6 * len(layers) + 0.5)
    grid = figure.subplots(len(layers), 4, squeeze=False)
    rows = slice(None) if row is None else slice(row, row + 1)
    named = {} if row is None else {"yticks": [0], "yticklabels": [f"{row}"]}
    for l, panels in zip(layers, grid, strict=True):
        W, after = step.before.weights[l], step.after.weights[l]
        kept = f" * kept[{l}]" if step.design.dropout[l] else ""
        output = f"{step.design.activations[l]}(z[{l}]){kept}"
        shown = {
            f"a[{l + 1}] = {output}": step.a[l + 1][rows],
            f"delta[{l}]": step.delta[l][rows],
            f"W[{l}]": W,
            f"W[{l}], after - before": after - W,
        }
        for k, (axes, (name, array)) in enumerate(
            zip(panels, shown.items(), strict=True)
        ):
            # The few largest would leave all else pale.
            limit = float(np.quantile(np.abs(array), 0.999)) or float(
                np.abs(array).max() or 1
            )
            image = axes.imshow(
                array,
                cmap=MAP,
                vmin=-limit,
                vmax=limit,
                aspect="auto",
                interpolation="nearest",
            )
            axes.set_title(name, fontsize=9)
            axes.tick_params(labelsize=7)
            for axis in (axes.xaxis, axes.yaxis):
                use_whole_numbers(axis, 5)
            axes.set(**named if k < 2 else {})
            axes.set_xlabel("unit" if k < 2 else f"unit of a[{l + 1}]", fontsize=7)
            axes.set_ylabel("row" if k < 2 else f"unit of a[{l}]", fontsize=7)
            bar = figure.colorbar(image, ax=axes, pad=0.02)
            bar.ax.tick_params(labelsize=7)
    what = "" if row is None else f"; a and delta of row {row}"
    if last:
        what += f"; layers {first.stop} to {last.start - 1} left out"
    figure.suptitle(f"Step {step.step}: {_loss(step)}{what}")
    return figure
