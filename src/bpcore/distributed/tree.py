"""The fixed binary tree in which the gradients of one step are added.

Over the numbers 0 .. m-1 of the mini-batches of a step::

    S(0, i) = gradient of mini-batch i
    S(j, i) = S(j-1, 2i) + S(j-1, 2i+1)      of mini-batches i 2^j .. (i+1) 2^j - 1

where missing terms add nothing: mini-batches from m on, and those whose weights are all
0.  It is the tree of the engine's accumulated gradients.  A process with the
mini-batches ``first .. end - 1`` sums the largest nodes that lie within them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

Term = TypeVar("Term")


class Node(NamedTuple):
    """A node of the tree: S(level, i)."""

    level: int
    i: int

    @property
    def first(self) -> int:
        """The first of its mini-batches."""
        return self.i << self.level

    @property
    def is_left(self) -> bool:
        """Whether it is the left term of the node above."""
        return self.i % 2 == 0

    @property
    def above(self) -> Node:
        """The node of whose sum it is a term."""
        return Node(self.level + 1, self.i // 2)


def nodes_within(first: int, end: int) -> list[Node]:
    """The largest nodes of mini-batches ``first .. end - 1``, from left to right.

    Examples
    --------
    >>> from bpcore.distributed.tree import nodes_within
    >>> [tuple(node) for node in nodes_within(3, 6)]  # 3, and 4 + 5
    [(0, 3), (1, 2)]
    """
    stack: list[Node] = []
    for i in range(first, end):
        stack.append(Node(0, i))
        while joins_last(stack):
            stack[-2:] = [stack[-1].above]
    return stack


def joins_last(stack: list[Node]) -> bool:
    """Whether the last two nodes are the terms of one."""
    return (
        len(stack) > 1
        and stack[-2].is_left
        and stack[-2].level == stack[-1].level
        and stack[-2].i + 1 == stack[-1].i
    )


def with_terms(nodes: Iterable[Node], absent: Iterable[int]) -> list[Node]:
    """Those of the nodes that have any mini-batch which is not absent.

    Examples
    --------
    >>> from bpcore.distributed.tree import Node, with_terms
    >>> with_terms([Node(1, 0), Node(0, 2)], absent=[0, 2])
    [Node(level=1, i=0)]
    """
    gone = set(absent)
    return [
        node
        for node in nodes
        if not gone.issuperset(range(node.first, node.first + (1 << node.level)))
    ]


def total(
    terms: Mapping[Node, Term], count: int, add: Callable[[Term, Term], Term]
) -> Term | None:
    """The sum over all `count` mini-batches, from nodes that cover them.

    ``add(left, right)`` is called in the order of the tree; None if there are no terms.

    Examples
    --------
    >>> from bpcore.distributed.tree import Node, total
    >>> terms = {Node(1, 0): "ab", Node(0, 2): "c", Node(1, 2): "ef"}
    >>> total(terms, 6, lambda left, right: f"({left} {right})")
    '((ab c) ef)'
    """
    height = max(count - 1, 0).bit_length()

    def sum_of(node: Node) -> Term | None:
        if node in terms:
            return terms[node]
        if node.level == 0 or node.first >= count:
            return None
        left, right = (
            sum_of(Node(node.level - 1, 2 * node.i + side)) for side in (0, 1)
        )
        if left is None or right is None:
            return right if left is None else left
        return add(left, right)

    return sum_of(Node(height, 0))
