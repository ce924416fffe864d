"""A small network as a picture: nodes, edges, targets and the loss."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.arrays import Real
from bpcore.show.colours import colour_of
from bpcore.tracing.picture_numbers import Numbers, numbers, short
from bpcore.tracing.picture_pen import Pen
from bpcore.tracing.picture_places import RADIUS, places
from bpcore.tracing.step import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Sizes of letters in points: title and heads, a in the nodes, all other numbers.
TITLE, NODE, LABEL = 10, 9, 7.5
#: Heights of a line of the title and of the heads of the columns, in inches.
LINE, HEADS = 0.18, 0.45
#: Half the width of a target's box.
BOX = 0.28
#: What the edges show, in the key.
EDGES = {"weights": "W", "gradient": "a[i] δ[j]", "change": "change of W"}


def draw_network(
    step: Step, row: int | None, show: str, axes: Axes | None, limit: float | None
) -> Any:
    """A column of nodes for each layer, joined by edges, then y and the loss."""
    from bpcore.show.figure import figure_of_axes, text_extent

    shown = numbers(step, row, show)
    form = (3, "") if show == "weights" else (2, "+")
    labels = [[[short(x, *form) for x in line] for line in W] for W in shown.edges]
    extents = [
        np.moveaxis(np.array([[text_extent(x, LABEL) for x in xs] for xs in W]), -1, 0)
        for W in labels
    ]
    plan = places(step.sizes, len(shown.y), extents)
    wide = int((plan.width - 0.3) * 72 / (0.54 * TITLE))
    title = [part for line in shown.title for part in textwrap.wrap(line, wide)]
    height = plan.top + HEADS + LINE * len(title) + 0.2
    if axes is None:
        axes = figure_of_axes(plan.width, height)
    pen = Pen(axes, plan, height)
    pen.write(plan.width / 2, height - 0.12, "\n".join(title), TITLE, va="top")
    largest = max(map(_largest, shown.edges)) or 1.0
    for l, W in enumerate(shown.edges):
        _draw_edges(pen, l, _shares(W, largest), labels[l])
    nodes = [*shown.nodes, shown.y]
    limit = limit or max(map(_largest, nodes)) or 1.0
    _draw_nodes(pen, step, shown, limit)
    _draw_loss(pen, step, shown, limit)
    pen.key(0, "a and y", np.concatenate(nodes), limit, colour_of)
    edges = "dW" if show == "gradient" and row is None else EDGES[show]
    flat = np.concatenate([W.ravel() for W in shown.edges])
    pen.key(1, edges, flat, largest, _edge_colour)
    return axes.figure


def _largest(values: Real) -> float:
    """The largest finite size of a number."""
    return float(np.abs(values, where=np.isfinite(values), out=0 * values).max())


def _shares(values: Real, largest: float) -> Real:
    """Numbers as shares of the largest, from -1 to 1."""
    return np.clip(np.nan_to_num(values / largest), -1, 1)


def _edge_colour(share: float) -> str:
    """As of any number, but never quite white: the smallest must be seen as well."""
    return colour_of(float(0.25 * np.sign(share) + 0.75 * share))


def _draw_edges(pen: Pen, l: int, shares: Real, labels: list[list[str]]) -> None:
    """Lines as coloured and wide as their numbers, with these if there is room."""
    plan, n_out = pen.plan, shares.shape[1]
    x = plan.x[l] + RADIUS, plan.x[l + 1] - RADIUS
    ends = [[(x[0], y), (x[1], other)] for y in plan.y[l] for other in plan.y[l + 1]]
    order = np.argsort(np.abs(shares), axis=None)  # the largest last, above the others
    flat = shares.ravel()
    pen.lines(
        [ends[k] for k in order],
        [_edge_colour(float(flat[k])) if flat[k] else "0.8" for k in order],
        0.8 + 3.2 * np.abs(flat[order]),
    )
    along = plan.along[l]
    if along is not None:
        for k, t in enumerate(along.ravel()):
            y = ends[k][0][1] + t * (ends[k][1][1] - ends[k][0][1])
            label = labels[k // n_out][k % n_out]
            pen.write(x[0] + t * (x[1] - x[0]), y, label, LABEL, framed=True)


def _draw_nodes(pen: Pen, step: Step, shown: Numbers, limit: float) -> None:
    """Discs coloured by a, with a and delta in them; b, or an input's scale, below."""
    plan, design = pen.plan, step.design
    for m, a in enumerate(shown.nodes):
        x, kind = plan.x[m], "input"
        if m:
            kind = design.activations[m - 1]
            kind += f", {design.norms[m - 1]} norm" if design.norms[m - 1] else ""
            kind += " * kept" if design.dropout[m - 1] else ""
        elif step.before.scale is not None:
            kind += " * scale"
        pen.head(x, f"a[{m}]", kind)
        for j, share in enumerate(_shares(a, limit)):
            y = plan.y[m][j]
            dropped = m > 0 and bool(shown.dropped[m - 1][j])
            colour = pen.disc(x, y, float(share), dashed=dropped)
            lift = 0.07 if m else 0.0
            pen.write(x, y + lift, short(a[j]), NODE, color=colour)
            if m:
                delta = f"δ {short(shown.deltas[m - 1][j], 2)}"
                pen.write(x, y - 0.1, delta, LABEL, color=colour)
            if below := shown.below[m][j]:
                pen.write(x, y - RADIUS - 0.04, below, LABEL, va="top")


def _draw_loss(pen: Pen, step: Step, shown: Numbers, limit: float) -> None:
    """The targets as boxes joined with the outputs, and with the box of the loss."""
    plan = pen.plan
    outputs, targets = plan.y[-2:]
    x_out, x_y, x_loss = plan.x[-3:]
    middle = float(targets.mean())
    alike = len(outputs) == len(targets)
    pen.lines(
        [
            [(x_out + RADIUS, a), (x_y - BOX, b)]
            for i, a in enumerate(outputs)
            for j, b in enumerate(targets)
            if i == j or not alike
        ]
        + [[(x_y + BOX, y), (x_loss - 0.55, middle)] for y in targets]
    )
    pen.head(x_y, "y", "target")
    loss = step.design.loss.name.replace("_", " ")
    pen.head(x_loss, "E", textwrap.fill(loss, 18))
    for y, value, share in zip(targets, shown.y, _shares(shown.y, limit), strict=True):
        colour = pen.box(x_y, y, BOX, 0.2, float(share))
        pen.write(x_y, y, short(value), NODE, color=colour)
    pen.box(x_loss, middle, 0.55, 0.12 + 0.1 * len(shown.loss), None)
    pen.write(x_loss, middle, "\n".join(shown.loss), NODE - 1)
