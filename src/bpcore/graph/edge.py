"""Edge: the local derivative of an operation by one of its operands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.graph.base import Array, Operation, V


@dataclass(frozen=True, eq=False)
class Edge(Generic[V]):
    """The connection of a result with one of its operands.

    Attributes
    ----------
    source, target : Variable
        The operand, and the result.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> b, c = Variable([1.0, 2.0], "b"), Variable([3.0, 4.0], "c")
    >>> [edge.derivative for edge in (b * c).edges]
    [array([3., 4.]), array([1., 2.])]
    """

    source: V
    target: V
    #: Index of the operand.
    position: int = field(default=0, repr=False)

    @property
    @own_errstate
    def derivative(self) -> Array:
        """The local derivative d target / d source.

        For an elementwise operation it has the derivative of each element, in the shape
        of the target.  For the others (products, reductions, indexing, networks) it is
        the whole Jacobian, ``target.shape + source.shape``, computed anew in each call
        by one backward pass of the operation for each element of the target.

        Raises
        ------
        RuntimeError
            If the target is the node of a network that was trained since.
        """
        node, operation = self.target.node, self._operation
        operation.check()
        return operation.derivative(
            self.position, node.value, node.values, node.options
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `derivative`, without computing it."""
        node = self.target.node
        return self._operation.derivative_shape(node.value, node.values[self.position])

    @property
    def _operation(self) -> Operation:
        operation = self.target.node.operation
        assert operation is not None
        return operation


def edges(target: V) -> tuple[Edge[V], ...]:
    """An edge from each operand of the target that is a variable.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.edge import edges
    >>> a = Variable(3.0, "a")
    >>> [edge.derivative.item() for edge in edges(a * a)]
    [3.0, 3.0]
    """
    return tuple(
        Edge(x, target, i)
        for i, x in enumerate(target.node.operands)
        if not isinstance(x, np.ndarray)
    )
