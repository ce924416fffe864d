"""What a drawing shows of a variable and of an edge: lines of text and tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bpcore.graph.base import Array, V
from bpcore.graph.edge import Edge
from bpcore.graph.grid import Grid, grid, number
from bpcore.graph.show import derivative, gradient_of, written
from bpcore.quoting import cut

#: Most rows and columns of a local derivative.
EDGE_SIDE = 4
#: Most characters of a line.
LINE = 32


@dataclass(frozen=True)
class Part:
    """A line of text, and the table below it; empty for a number."""

    text: str
    grid: Grid


def box(x: V, name: dict[V, str], J: V) -> list[Part]:
    """The variable's name and operation, its constants, its value, and dJ by it.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.box import box
    >>> x = Variable(3.0, "x")
    >>> J = 2 * x
    >>> [part.text for part in box(J, {x: "x", J: "J"}, J)]
    ['J = 2 * x', '6']
    """
    own, operation = name[x], written(x, name, _constant)
    constants = [o for o in x.node.operands if isinstance(o, np.ndarray) and o.ndim]
    g = gradient_of(x, J)
    return [
        Part(cut(f"{own} = {operation}" if operation else own, LINE), []),
        *(part("constant", array) for array in constants),
        part("value" if x.node.value.ndim else "", x.node.value),
        *([part(cut(f"d{name[J]}/d{own}", LINE), g)] if g is not None else []),
    ]


def part(text: str, array: Array) -> Part:
    """A number beside the text, or an array's shape beside it and its table below.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.graph.box import part
    >>> part("dJ/dx", np.array(2.0)).text, part("dJ/dx", np.zeros(3)).text
    ('dJ/dx = 2', 'dJ/dx (3,)')
    """
    if array.ndim:
        return Part(f"{text} {array.shape}", grid(array))
    return Part(f"{text} = {number(float(array))}".removeprefix(" = "), [])


def edge_part(edge: Edge[V]) -> Part:
    """The local derivative: a number, a small table, or the shape of a Jacobian.

    An array of equal numbers is written as one number.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.box import edge_part
    >>> [edge_part(edge).text for edge in (3 * Variable([1.0, 2.0])).edges]
    ['3']
    """
    array = derivative(edge)
    if isinstance(array, str):
        return Part(array, [])
    if array.size and (array == array.flat[0]).all():
        return Part(number(float(array.flat[0])), [])
    return Part("", grid(array, EDGE_SIDE))


def _constant(array: Array) -> str:
    """A constant within an operation: arrays have a table of their own."""
    text = "constant" if array.ndim else number(float(array))
    return f"({text})" if text.startswith("-") else text
