"""The tree of sums: every range of mini-batches, and every number of processes."""

import pytest

from bpcore.distributed.tree import (
    Node,
    nodes_within,
    total,
    with_terms,
)
from bpcore.reference.engine import tree_sum


class Term:
    """A sum that is written with its brackets."""

    def __init__(self, text):
        self.text = text

    def __add__(self, other):
        return Term(f"({self.text}+{other.text})")


def texts(gradients):
    found = tree_sum(gradients)
    return None if found is None else found.text


def leaves(count, absent=()):
    return [None if i in absent else Term(str(i)) for i in range(count)]


def shared(count, processes, absent=()):
    """The sum of all mini-batches, of which each process sums the nodes it has."""
    terms = {}
    for rank in range(processes):
        first, end = (count * r // processes for r in (rank, rank + 1))
        for node in with_terms(nodes_within(first, end), absent):
            at = slice(node.first, node.first + (1 << node.level))
            terms[node] = tree_sum(leaves(count, absent)[at])
    found = total(terms, count, lambda left, right: left + right)
    return None if found is None else found.text


@pytest.mark.parametrize("count", range(1, 65))
def test_any_number_of_processes_adds_in_the_same_order(count):
    for processes in range(1, count + 1):
        assert shared(count, processes) == texts(leaves(count))


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_what_is_absent_adds_nothing(count):
    for pattern in range(1 << count):
        absent = {i for i in range(count) if pattern >> i & 1}
        for processes in {1, 2, min(3, count), count}:
            assert shared(count, processes, absent) == texts(leaves(count, absent))


def test_nodes_cover_a_range_once():
    for first in range(33):
        for end in range(first, 33):
            nodes = nodes_within(first, end)
            covered = [
                i
                for node in nodes
                for i in range(node.first, node.first + 2**node.level)
            ]
            assert covered == [*range(first, end)]
            assert len(nodes) <= 10


def test_a_whole_block_is_one_node():
    assert nodes_within(8, 16) == [Node(3, 1)]
    assert nodes_within(3, 3) == []
