"""The numbers in the picture of a small network: those of one row, or of all rows."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from bpcore.arrays import Real
from bpcore.tracing import weighting
from bpcore.tracing.step import Step

#: What the edges show.
SHOWN = ("weights", "gradient", "change")


@dataclass(frozen=True)
class Numbers:
    """Numbers and words of a picture.

    Attributes
    ----------
    nodes : list of arrays (n_l,)
        a of each layer, from the input on.
    deltas : list of arrays (n_{l+1},)
    edges : list of arrays (n_l, n_{l+1})
        The weights, their gradient or their change.
    below : list of lists of str
        For each node its bias and gain, or the scale of an input, as the edges.
    dropped : list of arrays of bool (n_{l+1},)
        Whether dropout set the unit to 0 in this row.
    y : array
        The targets.
    loss : list of str
        E_i of the row, and E.
    title : list of str
    """

    nodes: list[Real]
    deltas: list[Real]
    edges: list[Real]
    below: list[list[str]]
    dropped: list[Real]
    y: Real
    loss: list[str]
    title: list[str]


def numbers(step: Step, row: int | None, show: str) -> Numbers:
    """The numbers of one row; without a row means of a and y, and sums of the others.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.picture_numbers import numbers
    >>> step = bp.trace(bp.Network([1, 1], init="zeros"), [[3.0]], [[2.0]])
    >>> numbers(step, 0, "gradient").edges[0].item()
    -6.0
    """
    rows = slice(None) if row is None else slice(row, row + 1)
    return Numbers(
        nodes=[a[rows].mean(axis=0) for a in step.a],
        deltas=[delta[rows].sum(axis=0) for delta in step.delta],
        edges=_edges(step, rows, show),
        below=_below(step, rows, show, row),
        dropped=[
            np.zeros(z.shape[1], bool) if kept is None else (kept[rows] == 0).all(0)
            for z, kept in zip(step.z, step.kept, strict=True)
        ],
        y=_targets(step)[rows].mean(axis=0),
        loss=_losses(step, row),
        title=_title(step, row, show),
    )


def short(x: float, digits: int = 3, sign: str = "") -> str:
    """A number of few characters; `sign` "+" writes the sign of those above 0 as well.

    Examples
    --------
    >>> from bpcore.tracing.picture_numbers import short
    >>> short(-0.12345), short(0.0012345), short(12345.6), short(1e-6, 2, "+")
    ('-0.123', '1.2e-3', '1.2e4', '+1e-6')
    """
    text = f"{x:{sign}.{digits}g}" if x else "0"
    if "e" in text or len(text.lstrip("+-")) > len("0.0123"):
        text = re.sub(r"e(-?)\+?0*", r"e\1", f"{x:{sign}.1e}".replace(".0e", "e"))
    return text


def headline(step: Step) -> str:
    """The number of the step, its loss, and the number of its rows."""
    rows = "1 row" if len(step.X) == 1 else f"{len(step.X)} rows"
    return f"Step {step.step} on {rows}: E = {step.loss:.4g}"


def _edges(step: Step, rows: slice, show: str) -> list[Real]:
    """W, a.T @ delta of these rows, or W after - before."""
    before, after = step.before.weights, step.after.weights
    if show == "weights":
        return list(before)
    if show == "change":
        return [new - old for old, new in zip(before, after, strict=True)]
    return [
        a[rows].T @ (delta if du is None else du)[rows]
        for a, delta, du in zip(step.a[:-1], step.delta, step.du, strict=True)
    ]


def _below(step: Step, rows: slice, show: str, row: int | None) -> list[list[str]]:
    """b and gain, their derivatives or changes; of the inputs those of the scale.

    Of one row of several, its parts of the derivatives: db_2 is that of row 2.
    """
    before, after = step.before, step.after
    of_row = "" if row is None or len(step.X) == 1 else f"_{row}"
    scale: list[Real | None] = [before.scale, after.scale]
    found = [[""] * step.sizes[0]]
    if before.scale is not None:
        by_scale = (step.da[0] * step.X)[rows].sum(axis=0)
        found = [_written([("scale", *scale, by_scale)], show, of_row)]
    for l in range(step.n_layers):
        delta = step.delta[l][rows]
        names = [("b", before.biases[l], after.biases[l], delta.sum(axis=0))]
        if step.design.norms[l]:
            by_gain = (delta * step.hat[l][rows]).sum(axis=0)
            names.append(("gain", before.gains[l], after.gains[l], by_gain))
        found.append(_written(names, show, of_row))
    return found


def _written(
    parameters: list[tuple[str, Real, Real, Real]], show: str, of_row: str
) -> list[str]:
    """One text for each unit: name, and value, derivative or change."""
    columns = []
    for name, before, after, derivative in parameters:
        if show == "weights":
            columns.append([f"{name} {short(x)}" for x in before])
        elif show == "gradient":
            columns.append([f"d{name}{of_row} {short(x, 2)}" for x in derivative])
        else:
            columns.append([f"Δ{name} {short(x, 2, '+')}" for x in after - before])
    return ["\n".join(parts) for parts in zip(*columns, strict=True)]


def _targets(step: Step) -> Real:
    """y with a column for each target; labels as 0 and 1 of each class."""
    if step.y.ndim == 2:
        return step.y
    if step.sizes[-1] == 1:
        return step.y[:, None]
    one_hot: Real = np.eye(step.sizes[-1])[step.y.astype(int)]
    return one_hot


def _losses(step: Step, row: int | None) -> list[str]:
    """E_i of the row if there are several, and E."""
    whole = f"E = {step.loss:.4g}"
    if row is None or len(step.X) == 1:
        return [whole]
    factor = "" if weighting.is_within(step) else weighting.factor(step)
    return [f"{factor} E_{row} = {step.losses[row]:.4g}".strip(), whole]


def _title(step: Step, row: int | None, show: str) -> list[str]:
    """What the nodes and the edges are, and of which rows."""
    n, alone = len(step.X), len(step.X) == 1
    product = "a[i] δ[j]"
    if any(step.design.norms):
        product += " (of a normalised layer a[i] du[j])"
    if alone:
        nodes = "a, δ and y of the row"
    elif row is None:
        nodes = f"means of a and y, and sums of δ, over the {n} rows"
    else:
        nodes = f"a, δ and y of row {row} of {n}, counted from 0"
    if show == "weights":
        edges = "W before the step"
        edges += "" if alone else " (dW is the sum over all rows)"
    elif show == "change":
        of = "" if alone else f", made by all {n} rows together"
        edges = f"change of W in this step{of}"
    elif alone:
        edges = f"dW = {product}"
    elif row is None:
        edges = f"dW, the sum of {product} over the rows, not a product of these means"
    else:
        edges = f"{product} of this row; dW is the sum of them over all rows"
    return [headline(step), f"nodes: {nodes}", f"edges: {edges}"]
