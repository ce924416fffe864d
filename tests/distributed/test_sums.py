"""Sums of a process's gradients: every range, with gaps, whole or layer by layer."""

import numpy as np
import pytest

from bpcore.distributed.sums import Sums
from bpcore.distributed.tree import nodes_within
from bpcore.reference.engine import tree_sum

RNG = np.random.default_rng(0)
GRADIENTS = RNG.normal(size=(24, 6)).astype("float32")


def summed(numbers, absent, pieces):
    """The nodes of these mini-batches; the last is added in pieces, from its end on."""
    spare = [np.full(6, np.nan, "float32") for _ in range(8)]
    sums = Sums(numbers.start, spare)
    for number in numbers:
        gradient = spare.pop()
        present = number not in absent
        if present:
            gradient[...] = GRADIENTS[number]
        join = sums.join_next(gradient)
        for first in pieces if present and number == numbers[-1] else [0]:
            join.add(first, present)
        sums.keep(join, present)
    assert len(sums.spare) + len(sums.nodes) == 8  # no memory is lost
    return sums


@pytest.mark.parametrize("pieces", [[0], [5, 2, 0], [4, 4, 1, 0]], ids=str)
@pytest.mark.parametrize("first", [0, 3, 8])
def test_the_nodes_are_those_of_the_tree(first, pieces):
    for end in range(first + 1, first + 9):
        for pattern in range(1 << (end - first)):
            absent = {first + i for i in range(end - first) if pattern >> i & 1}
            sums = summed(range(first, end), absent, pieces)
            names = nodes_within(first, end)
            assert [node for node, _, _ in sums.stack] == names
            for node, present, memory in sums.stack:
                numbers = range(node.first, node.first + (1 << node.level))
                terms = [None if i in absent else GRADIENTS[i] for i in numbers]
                expected = tree_sum(terms)
                assert present == (expected is not None)
                if present:
                    assert memory.tobytes() == expected.tobytes()


def test_what_a_gradient_does_not_change_is_known_before():
    sums = summed(range(5), set(), [0])  # 0 .. 3, and 4
    join = sums.join_next(np.zeros(6, "float32"))
    assert [memory is sums.nodes[0] for memory in sums.before(join)] == [True]
