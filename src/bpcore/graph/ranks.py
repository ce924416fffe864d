"""Layered layout, part one: the rank of each item, and the order within a rank.

A drawing has items in ranks.  Vertices have even ranks; an edge that passes a rank has
an item of its own there, a bend, so that all connections are between neighbouring
ranks.  The last bend of an edge, in the odd rank before its target, has its label.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

#: An edge: the indices of its source and of its target.
Arc = tuple[int, int]
#: Passes forwards and backwards that reduce the crossings.
SWEEPS = 6


@dataclass
class Layers:
    """The items of a drawing; vertices are the first, bends the others.

    Attributes
    ----------
    rank : list of int
        That of each item.
    routes : list of list of int
        The items of each edge, from its source to its target.
    ranks : list of list of int
        The items of each rank in order.
    before, after : list of list of int
        The neighbours of each item in the ranks before and after its own.
    """

    rank: list[int]
    routes: list[list[int]] = field(default_factory=list)
    ranks: list[list[int]] = field(default_factory=list)
    before: list[list[int]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)


def layers(count: int, arcs: list[Arc]) -> Layers:
    """Ranks and order of a graph whose vertices are numbered in topological order.

    Examples
    --------
    >>> from bpcore.graph.ranks import layers
    >>> found = layers(3, [(0, 1), (1, 2), (0, 2)])
    >>> found.rank[:3], found.routes[0]
    ([0, 2, 4], [0, 3, 1])
    """
    found = Layers([2 * level for level in levels(count, arcs)])
    for source, target in arcs:
        bends = range(found.rank[source] + 1, found.rank[target])
        first = len(found.rank)
        found.rank += bends
        found.routes.append([source, *range(first, first + len(bends)), target])
    found.before = [[] for _ in found.rank]
    found.after = [[] for _ in found.rank]
    for route in found.routes:
        for u, v in pairwise(route):
            found.after[u].append(v)
            found.before[v].append(u)
    found.ranks = first_order(found, count)
    reduce_crossings(found)
    return found


def levels(count: int, arcs: list[Arc]) -> list[int]:
    """The longest path from a leaf to each vertex.

    A vertex with more edges out than in, as a leaf, is then moved next to its targets,
    which makes its edges shorter.

    Examples
    --------
    >>> from bpcore.graph.ranks import levels
    >>> levels(5, [(0, 1), (1, 2), (2, 4), (3, 4)])
    [0, 1, 2, 2, 3]
    """
    sources: list[list[int]] = [[] for _ in range(count)]
    targets: list[list[int]] = [[] for _ in range(count)]
    for u, v in arcs:
        sources[v].append(u)
        targets[u].append(v)
    level = [0] * count
    for v in range(count):
        level[v] = max((level[u] + 1 for u in sources[v]), default=0)
    for v in reversed(range(count)):
        if len(targets[v]) > len(sources[v]):
            level[v] = min(level[t] for t in targets[v]) - 1
    return level


def first_order(found: Layers, count: int) -> list[list[int]]:
    """The items of each rank as met from the last vertex back, operands in order."""
    ranks: list[list[int]] = [[] for _ in range(max(found.rank) + 1)]
    known: set[int] = set()
    waiting = [count - 1]
    while waiting:
        item = waiting.pop()
        if item not in known:
            known.add(item)
            ranks[found.rank[item]].append(item)
            waiting += reversed(found.before[item])
    return ranks


def reduce_crossings(found: Layers) -> None:
    """Sort each rank by the mean place of its neighbours; the best order is kept."""
    best, fewest = found.ranks, crossings(found)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        for neighbours, ranks in (
            (found.before, range(1, len(found.ranks))),
            (found.after, range(len(found.ranks) - 2, -1, -1)),
        ):
            found.ranks = [[*rank] for rank in found.ranks]
            for r in ranks:
                step = -1 if neighbours is found.before else 1
                place = {u: k for k, u in enumerate(found.ranks[r + step])}
                found.ranks[r] = by_mean(found.ranks[r], neighbours, place, sweep % 2)
            if (count := crossings(found)) < fewest:
                best, fewest = found.ranks, count
    found.ranks = best


def by_mean(
    rank: list[int], neighbours: list[list[int]], place: dict[int, int], turned: int
) -> list[int]:
    """The items sorted by the mean place of their neighbours.

    Those without neighbours keep their places; ties are in their order, or `turned`.
    """
    fixed = {k: u for k, u in enumerate(rank) if not neighbours[u]}
    moved = [u for u in rank if neighbours[u]]
    if turned:
        moved.reverse()
    moved.sort(key=lambda u: fmean(place[v] for v in neighbours[u]))
    others = iter(moved)
    return [fixed[k] if k in fixed else next(others) for k in range(len(rank))]


def crossings(found: Layers) -> int:
    """The number of crossings between all neighbouring ranks.

    Examples
    --------
    >>> from bpcore.graph.ranks import Layers, crossings
    >>> ends = dict(before=[[], [], [1], [0]], after=[[3], [2], [], []])
    >>> crossings(Layers([0, 0, 1, 1], ranks=[[0, 1], [2, 3]], **ends))
    1
    """
    total = 0
    for rank, following in pairwise(found.ranks):
        place = {v: k for k, v in enumerate(following)}
        passed: list[int] = []
        for u in rank:
            ends = sorted(place[v] for v in found.after[u])
            total += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return total
