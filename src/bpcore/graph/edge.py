"""Edge: what one variable contributes to another directly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpcore.errstate import own_errstate
from bpcore.graph.operations import Array

if TYPE_CHECKING:
    from bpcore.graph.variable import Variable


@dataclass(frozen=True, eq=False)
class Edge:
    """What one variable contributes to another directly.

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

    source: Variable
    target: Variable
    #: Which operand it is.
    position: int = field(default=0, repr=False)

    @property
    @own_errstate
    def derivative(self) -> Array:
        """The local derivative d target / d source.

        Of an elementwise operation that of each element, in the shape of the target.
        Of the others (products, reductions, indexing, networks) the whole Jacobian,
        ``target.shape + source.shape``: computed anew each time by one backward pass of
        the operation for each element of the target.

        Raises
        ------
        RuntimeError
            If the target is the node of a network that was trained since.
        """
        target = self.target
        assert target._operation is not None
        target._operation.check()
        return target._operation.derivative(
            self.position, target._value, target._values, target._options
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `derivative`, which is not computed for it."""
        assert self.target._operation is not None
        return self.target._operation.derivative_shape(
            self.target._value, self.target._values[self.position]
        )
