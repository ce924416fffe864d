"""The links between a variable and a result, and the number of paths along them.

A path is a chain of links; a link has a local derivative.  The links are the edges of
the graph, or those between single elements of arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.graph.base import V
from bpcore.graph.edge import Edge, edges

#: Counts of paths end here: this number stands for itself and all above.
UNCOUNTED = 10**100
#: Most elements of the Jacobians that paths between elements need.
LARGEST = 10**7

#: A variable's place in the order of the graph, and for an element its flat index.
Vertex = Any


@dataclass(frozen=True)
class Routes:
    """All links on paths from a start to an end.

    Attributes
    ----------
    start, end : vertex
    links : dict
        For each vertex those that follow, with the link to them: an `Edge`, or the
        local derivative as a number.  Empty if there is no path.
    counts, lengths : dict
        The number of paths from each vertex to the end, and of all their links.
    """

    start: Vertex
    end: Vertex
    links: dict[Vertex, list[tuple[Vertex, Any]]]
    counts: dict[Vertex, int]
    lengths: dict[Vertex, int]

    @property
    def n_paths(self) -> int:
        """The number of paths, counted without following each."""
        return self.counts.get(self.start, 0)

    @property
    def n_links(self) -> int:
        """The number of links of all paths together."""
        return self.lengths.get(self.start, 0)

    def __iter__(self) -> Iterator[tuple[list[Vertex], list[Any]]]:
        """The vertices and the links of each path, without recursion."""
        if not self.n_paths:
            return
        vertices: list[Vertex] = [self.start]
        links: list[Any] = []
        waiting = [iter(self.links[self.start])]
        while waiting:
            if vertices[-1] == self.end:
                yield [*vertices], [*links]
            step = next(waiting[-1], None)
            if step is not None:
                vertices.append(step[0])
                links.append(step[1])
                waiting.append(iter(self.links[step[0]]))
                continue
            waiting.pop()
            vertices.pop()
            if links:
                links.pop()


def counted(
    order: list[Vertex], links: dict[Vertex, list[tuple[Vertex, Any]]], end: Vertex
) -> Routes:
    """The links that lead to the end, with the number of paths from each vertex.

    The number of paths is the sum over the vertices that follow; `order` has each
    vertex before them, the first is the start.
    """
    found: dict[Vertex, list[tuple[Vertex, Any]]] = {}
    counts, lengths = {end: 1}, {end: 0}
    for vertex in reversed(order):
        following = [link for link in links.get(vertex, ()) if link[0] in counts]
        if following or vertex == end:
            found[vertex] = following
        if following:
            total = sum(counts[v] for v, _ in following)
            length = sum(lengths[v] + counts[v] for v, _ in following)
            counts[vertex] = min(total, UNCOUNTED)
            lengths[vertex] = min(length, UNCOUNTED)
    return Routes(order[0], end, found, counts, lengths)


def between_variables(order: list[V], a: V) -> Routes:
    """The links from a to the last variable: edges of the graph.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.backward import in_order
    >>> from bpcore.graph.routes import between_variables
    >>> x = Variable(2.0)
    >>> between_variables(in_order(x * x + x), x).n_paths
    3
    """
    number = {x: k for k, x in enumerate(order)}
    start, end = number.get(a, -1), len(order) - 1
    reached = {start}
    links: dict[Vertex, list[tuple[Vertex, Any]]] = {}
    for target, x in enumerate(order):
        for edge in edges(x):
            source = number[edge.source]
            if source in reached:
                reached.add(target)
                links.setdefault(source, []).append((target, edge))
    return counted(sorted(reached), links, end)


@own_errstate
def between_elements(order: list[V], whole: Routes, at: int) -> Routes:
    """The links from one element of the start to the end, of one element.

    Those of elementwise operations are all there; of the other operations those whose
    derivative is not 0.
    """
    steps = [
        (source, target, edge)
        for source, following in whole.links.items()
        for target, edge in following
    ]
    jacobians = sum(
        e.target.node.value.size * e.source.node.value.size
        for *_, e in steps
        if not is_elementwise(e)
    )
    if jacobians > LARGEST:
        raise ValueError(
            f"paths between elements need Jacobians of at most {LARGEST:,} elements "
            f"together; got {jacobians:,}"
        )
    reached: dict[Any, set[int]] = {whole.start: {at}}
    links: dict[Vertex, list[tuple[Vertex, Any]]] = {}
    for source, target, edge in sorted(steps, key=lambda step: step[1]):
        rows, columns, values = entries(edge)
        for i, j, value in zip(rows, columns, values, strict=True):
            if j in reached.get(source, ()):
                links.setdefault((source, j), []).append(((target, i), value))
                reached.setdefault(target, set()).add(i)
    vertices = [(v, k) for v in sorted(reached) for k in sorted(reached[v])]
    return counted(vertices, links, (whole.end, 0))


def is_elementwise(edge: Edge[Any]) -> bool:
    """Whether there is one derivative for each element of the target."""
    return edge.shape == edge.target.node.value.shape


def entries(edge: Edge[Any]) -> tuple[list[int], list[int], list[float]]:
    """Target, source and value of each local derivative, as flat indices.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.routes import entries
    >>> entries((Variable([1.0, 2.0]) * Variable(3.0)).edges[1])
    ([0, 1], [0, 0], [1.0, 2.0])
    """
    derivative, x = edge.derivative, edge.source.node.value
    target = edge.target.node.value
    if is_elementwise(edge):
        rows = np.arange(target.size)
        places = np.arange(x.size).reshape(x.shape)
        columns = np.broadcast_to(places, target.shape).ravel()
        values = derivative.ravel()
    else:
        jacobian = derivative.reshape(target.size, x.size)
        rows, columns = np.nonzero(jacobian)
        values = jacobian[rows, columns]
    return rows.tolist(), columns.tolist(), values.tolist()
