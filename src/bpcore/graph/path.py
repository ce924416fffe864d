"""Path: a chain of links from a variable to a result, and the product along it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.graph.backward import pull
from bpcore.graph.base import Array
from bpcore.graph.edge import Edge
from bpcore.graph.routes import Routes
from bpcore.graph.show import brief
from bpcore.quoting import cut
from bpcore.show.table import ends

#: Most names and factors of a path in print, and most characters of a name.
NAMES, CHARACTERS = 10, 24


@dataclass(frozen=True, repr=False, eq=False)
class Path:
    """One path, and the product of the local derivatives along it.

    Attributes
    ----------
    names : tuple of str
        From the variable to J.
    links : tuple
        The edges of the graph; local derivatives as floats between elements.
    product : float or array
        The product of the local derivatives; an array has the variable's shape.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> b, c = Variable(3.0, "b"), Variable(4.0, "c")
    >>> print((2 * (b * c)).paths(b).paths[0])
    b -> v1 -> J: 4 * 2 = 8
    """

    names: tuple[str, ...]
    links: tuple[Any, ...]
    product: Any

    @property
    def factors(self) -> tuple[Any, ...]:
        """The local derivatives: numbers, or arrays as ``Edge.derivative`` has them."""
        return tuple(
            plain(link.derivative) if isinstance(link, Edge) else link
            for link in self.links
        )

    @property
    def chain(self) -> str:
        """The names with arrows between them; of a long path not the middle ones."""
        return joined(self.names, lambda name: cut(name, CHARACTERS), " -> ")

    @property
    def formula(self) -> str:
        """The factors as text: numbers, or shapes of arrays."""
        return joined(self.links, factor_text, " * ")

    def __repr__(self) -> str:
        return f"<Path {self.chain}>"

    @property
    def equation(self) -> str:
        """The factors and their product as text."""
        product = brief(np.asarray(self.product))
        return f"{self.formula} = {product}" if len(self.links) > 1 else product

    def __str__(self) -> str:
        return f"{self.chain}: {self.equation}"


@dataclass(frozen=True)
class Paths:
    """All paths of a graph between two of its variables, or of their elements."""

    routes: Routes
    order: list[Any]
    names: dict[Any, str]

    def __iter__(self) -> Iterator[Path]:
        for vertices, links in self.routes:
            names = tuple(map(self.name, vertices))
            numbers = isinstance(self.routes.end, tuple)
            product = math.prod(links) if numbers else plain(self.product(links))
            yield Path(names, tuple(links), product)

    @own_errstate
    def product(self, edges: Sequence[Edge[Any]]) -> Array:
        """The product of Jacobians, as vector-Jacobian products from J back."""
        g: Array = np.ones_like(self.order[-1].node.value)
        for edge in reversed(edges):
            g = pull(edge.target, edge.position, g)
        return g

    def name(self, vertex: Any) -> str:
        """The name of a variable, or of an element."""
        if not isinstance(vertex, tuple):
            return self.names[self.order[vertex]]
        x = self.order[vertex[0]]
        return element_name(self.names[x], vertex[1], x.node.value.shape)


def plain(array: Array) -> Any:
    """An array, or its number as a float if it has no axes."""
    return array if array.ndim else float(array)


def element_name(name: str, k: int, shape: tuple[int, ...]) -> str:
    """The name of the element with the flat index k.

    Examples
    --------
    >>> from bpcore.graph.path import element_name
    >>> element_name("W", 5, (2, 3)), element_name("J", 0, ())
    ('W[1, 2]', 'J')
    """
    index = ", ".join(map(str, np.unravel_index(k, shape)))
    return f"{name}[{index}]" if shape else name


def factor_text(link: Any) -> str:
    """A local derivative: a number, or the shape of an array."""
    if isinstance(link, Edge):
        if link.shape:
            return str(link.shape)
        link = float(link.derivative)
    return f"({link:.6g})" if link < 0 else brief(np.asarray(link))


def joined(items: Sequence[Any], text: Callable[[Any], str], by: str) -> str:
    """The items as text with a sign between them; of many the first and the last."""
    first, last = ends(len(items), NAMES)
    gap = ["..."] if last else []
    before, after = ([text(items[k]) for k in part] for part in (first, last))
    return by.join([*before, *gap, *after])
