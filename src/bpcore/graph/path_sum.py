"""PathSum: a derivative as the sum over all paths, and by backpropagation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.errstate import own_errstate
from bpcore.graph.backward import in_order, pull
from bpcore.graph.base import Array, V
from bpcore.graph.path import Path, Paths, element_name, plain
from bpcore.graph.routes import UNCOUNTED, Routes, between_elements, between_variables
from bpcore.graph.show import brief, names
from bpcore.quoting import cut, quoted
from bpcore.show.html import page, table

#: Most paths that are kept and printed, and their most links together.
SHOWN, LINKS = 12, 10**4
#: Most elements that are multiplied for the sum over all paths.
MOST = 10**5
#: Most characters of a line with a path and its product.
WIDTH = 88

#: The index of an element.
Index = int | tuple[int, ...]


@dataclass(frozen=True, repr=False, eq=False)
class PathSum:
    """dJ/da in two forms that agree: the sum over all paths, and backpropagation.

    ``print`` shows the first paths and both results; iteration gives every `Path`.

    Attributes
    ----------
    name : str
        The derivative, as "dJ/da".
    n_paths : int
        The number of paths, counted without following each; 10**100 stands for that
        many or more.
    paths : tuple of Path
        The first 12; fewer if they have more than 10,000 links together.
    expanded : float, array or None
        The sum of the products along all paths; None if that takes more than 100,000
        multiplications.
    backward : float or array
        The same by backpropagation, with one product for each edge.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> x = Variable(3.0, "x")
    >>> J = x * x + 2 * x
    >>> found = J.paths(x)
    >>> found.n_paths, found.expanded, [path.product for path in found]
    (3, 8.0, [3.0, 3.0, 2.0])
    """

    name: str
    n_paths: int
    paths: tuple[Path, ...]
    expanded: Any
    backward: Any
    #: All paths.
    every: Paths = field(repr=False)

    @property
    @own_errstate
    def difference(self) -> float | None:
        """The largest |expanded - backward|; None without an expanded form."""
        if self.expanded is None:
            return None
        return float(np.max(np.abs(self.expanded - self.backward), initial=0.0))

    def __iter__(self) -> Iterator[Path]:
        return iter(self.every)

    def __repr__(self) -> str:
        return f"<PathSum of {cut(self.name, WIDTH)}: {count(self.n_paths)}>"

    def __str__(self) -> str:
        lines = [f"{cut(self.name, WIDTH)} along {count(self.n_paths)}"]
        paths = [f"  {path}" for path in self.paths]
        if any(len(path) > WIDTH for path in paths):
            paths = [f"  {path.chain}\n    {path.equation}" for path in self.paths]
        lines += paths
        if more := self.n_paths - len(self.paths):
            lines.append(f"  ... {count(more, 'more ')} ...")
        results = self._results()
        width = max(len(what) for what, _ in results)
        return "\n".join([*lines, *(f"{w:<{width}} = {x}" for w, x in results)])

    def _repr_html_(self) -> str:
        rows: list[tuple[str, ...]] = [
            (path.chain, path.formula, brief(np.asarray(path.product)))
            for path in self.paths
        ]
        if more := self.n_paths - len(self.paths):
            rows.append((f"... {count(more, 'more ')} ...",))
        rows += [(what, "", result) for what, result in self._results()]
        head = ("path", "local derivatives", "product")
        return page(
            table(head, rows, f"{cut(self.name, WIDTH)} along {count(self.n_paths)}")
        )

    def _results(self) -> list[tuple[str, str]]:
        """The sum over all paths and the result of backpropagation, as text."""
        total = f"not added up: more than {MOST:,} factors"
        if self.expanded is not None:
            total = brief(np.asarray(self.expanded))
        return [
            (f"sum of {count(self.n_paths)}", total),
            ("backpropagation", brief(np.asarray(self.backward))),
        ]


@own_errstate
def path_sum(J: V, a: V, at: Index | None = None) -> PathSum:
    """All paths from a to J; see ``Variable.paths``."""
    value = a.node.value
    if J.node.value.size != 1:
        raise ValueError(
            "paths() must end at one element: take an element or a sum; got the shape "
            f"{J.node.value.shape}"
        )
    k = None if at is None else flat_index(at, value.shape)
    order = in_order(J)
    name = {a: a.node.name or "a"} | names(order)
    routes = between_variables(order, a)
    for _, edge in (link for following in routes.links.values() for link in following):
        edge.target.node.operation.check()
    gradient = backpropagated(order, routes, value)
    source, size = name[a], max(order[v].node.value.size for v in routes.counts)
    if k is not None:
        routes = between_elements(order, routes, k)
        gradient = np.asarray(float(gradient.reshape(-1)[k]))
        source, size = element_name(source, k, value.shape), 1
    every = Paths(routes, order, name)
    total = None
    if routes.n_links * size <= MOST:
        total = sum((path.product for path in every), np.zeros_like(gradient))
    return PathSum(
        f"d{name[J]}/d{source}",
        routes.n_paths,
        tuple(first_paths(every)),
        None if total is None else plain(np.asarray(total)),
        plain(gradient),
        every,
    )


def first_paths(every: Paths) -> Iterator[Path]:
    """The paths that are kept."""
    links = 0
    for path in islice(every, SHOWN):
        yield path
        links += len(path.links)
        if links > LINKS:
            break


def backpropagated(order: list[V], routes: Routes, a: Array) -> Array:
    """dJ/da by one pass from J back, along the links that lead from a."""
    gradients = {routes.end: np.ones_like(order[-1].node.value)}
    for vertex in sorted(routes.links, reverse=True):
        for target, edge in routes.links[vertex]:
            part = pull(edge.target, edge.position, gradients[target])
            known = gradients.get(vertex)
            gradients[vertex] = part if known is None else known + part
    return gradients.get(routes.start, np.zeros_like(a))


def flat_index(at: Index, shape: tuple[int, ...]) -> int:
    """The place of an element in the flat array.

    Examples
    --------
    >>> from bpcore.graph.path_sum import flat_index
    >>> flat_index((1, 2), (2, 3))
    5
    """
    places = at if isinstance(at, tuple) else (at,)
    if len(places) != len(shape):
        raise ValueError(
            f"at must have an index for each axis of {shape}; got {quoted(at)}"
        )
    k = 0
    for place, size in zip(places, shape, strict=True):
        k = k * size + checks.index("at", place, size)
    return k


def count(n: int, kind: str = "") -> str:
    """A number of paths in words.

    Examples
    --------
    >>> from bpcore.graph.path_sum import count
    >>> count(1), count(1234, "more "), count(2**100), count(10**100)
    ('1 path', '1,234 more paths', '1.26765e+30 paths', '10^100 or more paths')
    """
    if n == 1:
        return f"1 {kind}path"
    if n == UNCOUNTED:
        return f"10^100 or more {kind}paths"
    return f"{n:,} {kind}paths" if n < 10**15 else f"{float(n):.6g} {kind}paths"
