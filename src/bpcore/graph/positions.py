"""Layered layout, part two: coordinates.

Along is the direction of the ranks, across the direction within one.  Edges run
straight through the full depth of a rank, at the place of their bend, and curve only
between ranks, where there are no boxes: no edge can run through a box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from bpcore.graph.ranks import Layers

#: Distance between boxes of a rank, and between a bend and its neighbour.
APART, BESIDE = 18.0, 8.0
#: Distance between ranks, and its part of the largest step across of an edge there.
BETWEEN, SLOPE, WIDEST = 16.0, 0.2, 70.0
#: Passes forwards and backwards that place the items.
PASSES = 24
#: Weight of a connection for each of its ends that is a bend: long edges are straight.
STRAIGHT = 3.0
#: Weight of items without neighbours on the side of the pass.
LOOSE = 0.01
#: Largest distance between the ends of edges at a box.
PORT = 14.0


@dataclass(frozen=True)
class Extent:
    """The size of an item: along, and across before and after its line."""

    along: float
    low: float
    high: float


@dataclass(frozen=True)
class Layout:
    """Coordinates of a drawing.

    Attributes
    ----------
    across : list of float
        The line of each item.
    ranks : list of (float, float)
        The begin and the end of each rank along.
    ports : dict
        The distance from a box's line at which an edge meets it, by the edge's number
        and the box.
    depth, breadth : float
        The size of the drawing, along and across.
    """

    across: list[float]
    ranks: list[tuple[float, float]]
    ports: dict[tuple[int, int], float]
    depth: float
    breadth: float


def layout(found: Layers, extents: list[Extent], count: int) -> Layout:
    """Coordinates of all items; the first `count` are vertices.

    Examples
    --------
    >>> from bpcore.graph.positions import Extent, layout
    >>> from bpcore.graph.ranks import layers
    >>> found = layers(2, [(0, 1)])
    >>> extents = [Extent(40, 10, 10), Extent(40, 10, 10), Extent(0, 0, 0)]
    >>> layout(found, extents, 2).ranks
    [(0.0, 40.0), (56.0, 56.0), (72.0, 112.0)]
    """
    ports = all_ports(found, extents, count)
    links = all_links(found, ports)
    across = place(found, extents, links, count)
    straighten(found, extents, across, count)
    shift = min(y - e.low for y, e in zip(across, extents, strict=True))
    across = [y - shift for y in across]
    breadth = max(y + e.high for y, e in zip(across, extents, strict=True))
    # The largest step across after each rank.
    step = [0.0] * len(found.ranks)
    for item, neighbours in enumerate(links):
        for other, difference in neighbours:
            r = min(found.rank[item], found.rank[other])
            step[r] = max(step[r], abs(across[item] - across[other] - difference))
    ranks, begin = [], 0.0
    for r, rank in enumerate(found.ranks):
        end = begin + max(extents[item].along for item in rank)
        ranks.append((begin, end))
        begin = end + min(BETWEEN + SLOPE * step[r], WIDEST)
    return Layout(across, ranks, ports, ranks[-1][1], breadth)


def all_ports(
    found: Layers, extents: list[Extent], count: int
) -> dict[tuple[int, int], float]:
    """Where each edge meets its boxes: side by side, in the order of their bends."""
    place = {u: k for rank in found.ranks for k, u in enumerate(rank)}
    sides: list[list[tuple[int, int]]] = [[] for _ in range(2 * count)]
    for k, route in enumerate(found.routes):
        sides[2 * route[0]].append((place[route[1]], k))
        sides[2 * route[-1] + 1].append((place[route[-2]], k))
    ports = {}
    for side, edges in enumerate(sides):
        item = side // 2
        room = extents[item].low + extents[item].high
        apart = min(PORT, room / (len(edges) + 1))
        for i, (_, k) in enumerate(sorted(edges)):
            ports[k, item] = (i - (len(edges) - 1) / 2) * apart
    return ports


#: For each item its neighbours, and the difference of their lines in a straight edge.
Links = list[list[tuple[int, float]]]


def all_links(found: Layers, ports: dict[tuple[int, int], float]) -> Links:
    """The connections of all edges."""
    links: Links = [[] for _ in found.rank]
    for k, route in enumerate(found.routes):
        for u, v in pairwise(route):
            difference = ports.get((k, v), 0.0) - ports.get((k, u), 0.0)
            links[u].append((v, difference))
            links[v].append((u, -difference))
    return links


def place(
    found: Layers, extents: list[Extent], links: Links, count: int
) -> list[float]:
    """The line of each item: near the mean of its neighbours, in order, not too near.

    Passes forwards and backwards use the neighbours on one side, the last ones both.
    """
    across = [0.0] * len(extents)
    offsets = [spaced(rank, extents, count) for rank in found.ranks]
    for rank, offset in zip(found.ranks, offsets, strict=True):
        for item, o in zip(rank, offset, strict=True):
            across[item] = o - offset[-1] / 2
    every = range(len(found.ranks))
    for k in range(PASSES):
        forwards = k % 2 == 0
        sides = {-1, 1} if k >= PASSES // 2 else {-1 if forwards else 1}
        for r in every if forwards else reversed(every):
            rank, offset = found.ranks[r], offsets[r]
            wanted, weights = [], []
            for item, o in zip(rank, offset, strict=True):
                near = [
                    (
                        across[other] + d,
                        STRAIGHT ** ((item >= count) + (other >= count)),
                    )
                    for other, d in links[item]
                    if found.rank[other] - r in sides
                ]
                weight = sum(w for _, w in near)
                mean = sum(y * w for y, w in near) / weight if near else across[item]
                wanted.append(mean - o)
                weights.append(weight or LOOSE)
            placed = ascending(wanted, weights)
            for item, y, o in zip(rank, placed, offset, strict=True):
                across[item] = y + o
    return across


def straighten(
    found: Layers, extents: list[Extent], across: list[float], count: int
) -> None:
    """Put as many consecutive bends of each edge as possible on one line."""
    distance: dict[tuple[int, int], float] = {}
    beside: dict[int, tuple[int | None, int | None]] = {}
    for rank in found.ranks:
        offset = spaced(rank, extents, count)
        for k, item in enumerate(rank):
            left = rank[k - 1] if k else None
            right = rank[k + 1] if k + 1 < len(rank) else None
            beside[item] = left, right
            if left is not None:
                distance[left, item] = offset[k] - offset[k - 1]

    def room(item: int) -> tuple[float, float]:
        left, right = beside[item]
        return (
            -math.inf if left is None else across[left] + distance[left, item],
            math.inf if right is None else across[right] - distance[item, right],
        )

    for route in found.routes:
        run: list[int] = []
        low, high = -math.inf, math.inf
        for item in route[1:-1]:
            least, most = room(item)
            if run and max(low, least) > min(high, most):
                settle(run, low, high, across)
                run, low, high = [], -math.inf, math.inf
            run.append(item)
            low, high = max(low, least), min(high, most)
        settle(run, low, high, across)


def settle(run: list[int], low: float, high: float, across: list[float]) -> None:
    """Put the items of a run at their mean, or the nearest place within the bounds."""
    line = min(max(sum(across[item] for item in run) / len(run), low), high)
    for item in run:
        across[item] = line


def spaced(rank: list[int], extents: list[Extent], count: int) -> list[float]:
    """The least distance of each item's line from that of the first."""
    offset = [0.0]
    for u, v in pairwise(rank):
        apart = APART if u < count and v < count else BESIDE
        offset.append(offset[-1] + extents[u].high + apart + extents[v].low)
    return offset


def ascending(wanted: list[float], weights: list[float]) -> list[float]:
    """The ascending numbers x with the least sum of w (x - wanted)^2.

    Isotonic regression: neighbours in the wrong order are pooled at their mean.

    Examples
    --------
    >>> from bpcore.graph.positions import ascending
    >>> ascending([1.0, 4.0, 2.0, 5.0], [1.0, 1.0, 1.0, 1.0])
    [1.0, 3.0, 3.0, 5.0]
    """
    pools: list[tuple[float, float, int]] = []
    for x, w in zip(wanted, weights, strict=True):
        size = 1
        while pools and pools[-1][0] > x:
            mean, weight, n = pools.pop()
            x, w, size = (mean * weight + x * w) / (weight + w), weight + w, size + n
        pools.append((x, w, size))
    return [x for x, _, size in pools for _ in range(size)]
