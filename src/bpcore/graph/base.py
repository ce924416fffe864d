"""Node and Operation: what the files of this package share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[..., Any]


class Operation(ABC):
    """A differentiable function of arrays.

    Attributes
    ----------
    written : str
        How the result is written: a format with a place for each operand, and one
        for the options.
    value : callable
        The result, of the operands and the options.
    is_network : bool
        Whether the result is the output of a network.
    """

    written: str
    value: Function
    is_network: ClassVar[bool] = False

    def check(self) -> None:
        """Raise if the derivatives can no longer be computed."""

    @abstractmethod
    def pull(self, i: int, g: Array, v: Array, operands: Any, options: Any) -> Array:
        """The vector-Jacobian product: from dJ/dv, g, to dJ by operand i."""

    @staticmethod
    def finish(operations: Sequence[Any], loss: float | None) -> None:
        """End a backward pass that began at `loss`, for all operations of one class."""

    def derivative_shape(self, v: Array, x: Array) -> tuple[int, ...]:
        """The shape of `derivative` by operand x."""
        return v.shape + x.shape

    def derivative(self, i: int, v: Array, operands: Any, options: Any) -> Array:
        """The Jacobian by operand i, v.shape + x.shape: one `pull` per element of v."""
        x = operands[i]
        jacobian = np.empty(self.derivative_shape(v, x), x.dtype)
        for at in np.ndindex(v.shape):
            row = np.zeros_like(v)
            row[at] = 1
            jacobian[at] = self.pull(i, row, v, operands, options)
        return jacobian


@dataclass(eq=False, repr=False, slots=True)
class Node:
    """One array of a graph, and how it was computed: an open record.

    Attributes
    ----------
    value : array
    name : str or None
    operation : Operation or None
        What computed the value; None of a leaf.
    operands : tuple
        What it was computed from: variables, and arrays that are constants.
    values : tuple of arrays
        The operands' values at that time.
    options : dict
        Axes, an index, a shape.
    grad : array or None
        dJ by the value, of the last backward pass that reached it.
    began, reached_by : object
        Tokens of backward passes: the last that began here, and the one of `grad`.
    record : callable or None
        A weak reference to the `Record` that the node is pickled in.
    """

    value: Array
    name: str | None = None
    operation: Operation | None = None
    operands: tuple[Any, ...] = ()
    values: tuple[Array, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    grad: Array | None = None
    began: object = None
    reached_by: object = None
    record: Callable[[], Any] | None = None


class Vertex:
    """What has a node: the base class of `Variable`.

    Nodes refer to variables and not to each other, so that a variable stays the same
    object wherever it is met in a graph.
    """

    __slots__ = ("node",)

    node: Node


V = TypeVar("V", bound=Vertex)
