"""Node and Operation: the classes on which this package is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
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
        The notation: a format string with a place for each operand, and one for the
        options.
    value : callable
        Computes the result from the operands and the options.
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

    def add(
        self, total: Array, i: int, g: Array, v: Array, operands: Any, options: Any
    ) -> None:
        """Add `pull` to an array."""
        total += self.pull(i, g, v, operands, options)

    @staticmethod
    def finish(
        operations: Sequence[Any], loss: float | None
    ) -> Iterable[Callable[[], None]]:
        """Called at the end of a backward pass, with all operations of this class.

        Returns what is then to be stored, as functions that cannot fail and may be
        called again.  `loss` is the value at which the pass began, if that is one
        number.
        """
        return ()

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
    """One array of a graph, with the operation and the operands that gave it.

    Attributes
    ----------
    value : array
    name : str or None
    operation : Operation or None
        The operation that computed the value; None for a leaf.
    operands : tuple
        Variables, and arrays that are constants.
    values : tuple of arrays
        The values of the operands at that time.
    options : dict
        Axes, an index, a shape.
    grad : array or None
        dJ by the value, of the last backward pass that reached it.
    began, reached_by : object
        Identity of the last backward pass that began here, and of that of `grad`.
    record : callable or None
        A weak reference to the `Record` in which the node is being pickled.
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
    """Base class of `Variable`: an object with a node.

    The operands of a node are variables and not nodes, so that a variable is the same
    object everywhere in a graph.
    """

    __slots__ = ("node",)

    node: Node


V = TypeVar("V", bound=Vertex)
