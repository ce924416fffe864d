"""Places of nodes and labels in the picture of a small network, in inches.

The labels of a layer are each on its own edge, where no other edge crosses them and
they do not touch each other, in a column if it can be.  A layer that has no room for
all, however far its columns of nodes are moved apart, has no labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real

#: Radius of a node, and the distance between the centres of two of a layer.
RADIUS, ROW = 0.32, 1.02
#: Widths of the space between two layers: for labels in a column, else for any others.
COLUMN, SCATTERED = (1.3, 1.7, 2.2), (1.7, 2.2, 2.8, 3.4)
#: Free space around a label, and between a label of an edge and the nodes.
FREE, APART = 0.04, 0.12
#: Height of the key below the nodes.
BELOW = 0.9
#: Margin at the left, distances from the outputs to y and to E, margin at the right.
LEFT, TO_Y, TO_E, RIGHT = 0.65, 1.2, 1.25, 0.8


@dataclass(frozen=True)
class Places:
    """Centres of the nodes, and for each edge where its label is, 0 to 1; or None.

    x has the columns of all layers, then those of y and of E; y the rows of all layers,
    and of y.  The nodes are below `top`.
    """

    x: list[float]
    y: list[Real]
    along: list[Real | None]
    width: float
    top: float


def places(sizes: Sequence[int], n_targets: int, labels: Sequence[Real]) -> Places:
    """Columns of nodes, as far apart as their labels need.

    `labels` has for each layer the widths and heights of its labels, (2, n_l, n_{l+1}).

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tracing.picture_places import places
    >>> places([1, 1], 1, [np.full((2, 1, 1), 0.2)]).along
    [array([[0.5]])]
    """
    widest = max(*sizes, n_targets)
    middle = BELOW + widest * ROW / 2
    y = [middle + ROW * ((n - 1) / 2 - np.arange(n)) for n in (*sizes, n_targets)]
    x = [LEFT]
    along: list[Real | None] = []
    for l, extents in enumerate(labels):
        found = (
            (gap, place)
            for column, gaps in ((True, COLUMN), (False, SCATTERED))
            for gap in gaps
            if (place := free_places(y[l], y[l + 1], gap, extents, column)) is not None
        )
        gap, place = next(found, (COLUMN[1], None))
        along.append(place)
        x.append(x[-1] + 2 * RADIUS + gap)
    x += [x[-1] + TO_Y, x[-1] + TO_Y + TO_E]
    return Places(x, y, along, x[-1] + RIGHT, BELOW + widest * ROW)


def free_places(
    left: Real, right: Real, gap: float, extents: Real, column: bool = False
) -> Real | None:
    """Where along each edge its label meets no other label and no other edge.

    Edges run from each of `left` to each of `right`, through a gap between two columns
    of nodes; a place is the fraction of the way.  With `column` all are the same.  None
    if there is no room.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tracing.picture_places import free_places
    >>> y = np.arange(2.0)
    >>> free_places(y, y, 2.0, np.full((2, 2, 2), 0.1)) is None
    False
    >>> free_places(y / 100, y / 100, 2.0, np.full((2, 2, 2), 0.1)) is None
    True
    """
    width, height = (extent.ravel() for extent in extents)
    start = np.repeat(left, len(right))
    rise = np.tile(right, len(left)) - start
    t = np.linspace(0.04, 0.96, 47)[:, None]
    y = start + t * rise
    free = _distances(start, rise, t, y, width / gap) - height / 2 - FREE
    free[np.minimum(t, 1 - t) * gap < width / 2 + APART] = -1
    # Distances of more than a tenth of an inch are as good as that.
    worth = np.minimum(free, 0.1) - 0.01 * np.abs(t - 0.5)
    boxes = t * gap + 0 * y, y, width, height
    if column:
        at = np.repeat(np.argsort(-worth.min(axis=1))[:, None], len(start), axis=1)
        found = next((k for k in at if _apart(boxes, free, k)), None)
    else:
        found = _one_by_one(boxes, free, worth)
    return None if found is None else t[found, 0].reshape(len(left), len(right))


def _distances(start: Real, rise: Real, t: Real, y: Real, width: Real) -> Real:
    """From the middle of each label at t to the nearest other edge beside it."""
    if len(start) == 1:
        return np.full(y.shape, np.inf)
    nearest = np.full(y.shape, np.inf)
    for p in range(len(start)):
        others = np.arange(len(start)) != p
        ends = [
            start[others] + (t + side * width[p] / 2) * rise[others] - y[:, [p]]
            for side in (-1, 1)
        ]
        beside = np.maximum(np.minimum(*ends), -np.maximum(*ends))
        nearest[:, p] = beside.min(axis=1)
    return nearest


def _apart(boxes: tuple[Real, ...], free: Real, at: NDArray[np.intp]) -> bool:
    """Whether labels at these places meet neither an edge nor each other."""
    edges = np.arange(len(at))
    return bool((free[at, edges] >= 0).all()) and not any(
        _meets(boxes, at, p, edges[:p]).any() for p in range(len(at))
    )


def _meets(
    boxes: tuple[Real, ...], at: NDArray[np.intp], p: int, others: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Whether the label of edge p meets those of the others."""
    x, y, width, height = boxes
    i = at[others]
    beside = np.abs(x[i, others] - x[at[p], p]) < (width[others] + width[p]) / 2 + FREE
    above = np.abs(y[i, others] - y[at[p], p]) < (height[others] + height[p]) / 2 + FREE
    return beside & above


def _one_by_one(
    boxes: tuple[Real, ...], free: Real, worth: Real
) -> NDArray[np.intp] | None:
    """The best place for each label that those before it left, the hardest first."""
    at = np.zeros(free.shape[1], np.intp)
    order = np.argsort((free >= 0).sum(axis=0), kind="stable")
    for n, p in enumerate(order.tolist()):
        for k in np.argsort(-worth[:, p]):
            at[p] = k
            if free[k, p] >= 0 and not _meets(boxes, at, p, order[:n]).any():
                break
        else:
            return None
    return at
