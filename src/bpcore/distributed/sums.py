"""Sums of the gradients of a process's mini-batches, as nodes of the tree.

A sum lies in the memory of its left term, if that is present.  The gradient of a
mini-batch may be added from its end on, as its layers are computed.
"""

from __future__ import annotations

from itertools import pairwise

from bpcore.arrays import Real
from bpcore.distributed.tree import Node, joins_last
from bpcore.errstate import own_errstate


class Sums:
    """The largest nodes of the mini-batches so far.

    Parameters
    ----------
    first : int
        The number of the first mini-batch.
    spare : list of arrays
        Memory that is not used, for others.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.distributed.sums import Sums
    >>> sums = Sums(4, [])
    >>> for i in (4, 5, 6):
    ...     join = sums.join_next(np.array([float(i), 0.0]))
    ...     join.add(0, present=True)
    ...     sums.keep(join, present=True)
    >>> sums.nodes  # 4 + 5, and 6
    [array([9., 0.]), array([6., 0.])]
    """

    def __init__(self, first: int, spare: list[Real]) -> None:
        self.next, self.spare = first, spare
        #: Nodes with their sums, None for those without a term; and their memory.
        self.stack: list[tuple[Node, bool, Real]] = []

    @property
    def nodes(self) -> list[Real]:
        """The memory of all nodes, from left to right."""
        return [memory for _, _, memory in self.stack]

    def join_next(self, gradient: Real) -> Join:
        """The sums that the gradient of the next mini-batch completes."""
        names, node = [node for node, _, _ in self.stack], Node(0, self.next)
        left: list[tuple[bool, Real]] = []
        while joins_last([*names, node]):
            names.pop()
            _, present, memory = self.stack[-1 - len(left)]
            left.append((present, memory))
            node = node.above
        return Join(node, left, gradient)

    def before(self, join: Join) -> list[Real]:
        """The memory of the nodes that it does not change."""
        return self.nodes[: len(self.stack) - len(join.left)]

    def keep(self, join: Join, present: bool) -> None:
        """Note that it has been added, if it is present."""
        del self.stack[len(self.stack) - len(join.left) :]
        result = join.result(present)
        self.stack.append((join.node, present or join.any_left, result))
        every = [join.gradient, *(memory for _, memory in join.left)]
        self.spare += [memory for memory in every if memory is not result]
        self.next += 1


class Join:
    """One gradient, and the sums to which it is added one after the other.

    Attributes
    ----------
    node : Node
        That of the result.
    left : list of (present, memory)
        The left terms, the lowest first.
    """

    def __init__(
        self, node: Node, left: list[tuple[bool, Real]], gradient: Real
    ) -> None:
        self.node, self.left, self.gradient = node, left, gradient
        self.end = len(gradient)

    @property
    def any_left(self) -> bool:
        """Whether a left term is present."""
        return any(present for present, _ in self.left)

    def terms(self, present: bool) -> list[Real]:
        """The memory of all terms that are present, the gradient first."""
        own = [self.gradient] if present else []
        return own + [memory for has_term, memory in self.left if has_term]

    @own_errstate
    def add(self, first: int, present: bool) -> None:
        """Add the numbers from `first` on that have not been added."""
        at = slice(first, self.end)
        terms = self.terms(present)
        for right, left in pairwise(terms):
            left[at] += right[at]
        self.end = first

    def result(self, present: bool) -> Real:
        """The memory of the sum; that of the gradient if there is none."""
        terms = self.terms(present)
        return terms[-1] if terms else self.gradient
