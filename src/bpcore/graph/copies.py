"""Copies and pickles of a graph of any depth, without recursion.

``copy.deepcopy`` and ``pickle`` go from an object into what it refers to, so a chain of
thousands of variables, each referring to the one before, would exceed the interpreter's
stack.  Here the variables of a graph are first put in order, each after its operands;
then they are copied or written one after the other.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from bpcore.graph.backward import in_order
from bpcore.graph.base import Node, V, Vertex

#: The fields of a node, and the attributes of its variable: those of a subclass.
Contents = tuple[dict[str, Any], dict[str, Any]]


class Record:
    """Variables as they are pickled: in order, operands by their position in it.

    A variable is pickled as ``recorded(record, position)``.  In one call of
    ``pickle.dump`` all variables of a graph share a record, however many of them are
    pickled and whichever comes first: a record lives as long as the pickler, and a node
    refers to the living record that has it.  What is computed from variables of one
    record gets another record, that refers to those.
    """

    positions: dict[Vertex, int]

    def __init__(self, classes: Sequence[type[Vertex]]) -> None:
        self.variables = [cls.__new__(cls) for cls in classes]

    def __reduce__(self) -> tuple[Any, ...]:
        """Empty variables first, then their contents, which may refer to them."""
        contents = [contents_of(x) for x in self.variables]
        for node, _ in contents:
            node["operands"] = tuple(
                o if isinstance(o, np.ndarray) else self.positions.get(o, o)
                for o in node["operands"]
            )
        return Record, ([type(x) for x in self.variables],), contents

    def __setstate__(self, contents: list[Contents]) -> None:
        for x, (node, attributes) in zip(self.variables, contents, strict=True):
            node["operands"] = tuple(
                self.variables[o] if isinstance(o, int) else o for o in node["operands"]
            )
            fill(x, Node(**node), attributes)


def record_of(x: Vertex) -> Record:
    """The living record that has x, or a new one of x and what it came from."""
    record = living_record(x)
    if record is None:
        record = Record(())
        record.variables = in_order(x, lambda o: living_record(o) is not None)
        record.positions = {x: i for i, x in enumerate(record.variables)}
        reference = weakref.ref(record)
        for each in record.variables:
            each.node.record = reference
    return record


def living_record(x: Vertex) -> Record | None:
    """The record that has x, while something is being pickled."""
    return None if x.node.record is None else x.node.record()


def reduced(x: Vertex) -> tuple[Any, ...]:
    """What ``__reduce__`` of a variable returns."""
    record = record_of(x)
    return recorded, (record, record.positions[x])


def recorded(record: Record, position: int) -> Vertex:
    """One variable of a record, where it is unpickled."""
    return record.variables[position]


def contents_of(x: Vertex) -> Contents:
    """The fields of x's node without the record, and the attributes of a subclass."""
    node = {each.name: getattr(x.node, each.name) for each in fields(Node)}
    node["record"] = None
    found: Any = object.__getstate__(x)
    attributes, slots = found
    attributes = {**(attributes or {}), **slots}
    del attributes["node"]
    return node, attributes


def fill(x: Vertex, node: Node, attributes: dict[str, Any]) -> None:
    """Give an empty variable its node and its attributes."""
    x.node = node
    for name, value in attributes.items():
        setattr(x, name, value)


def shallow_copy(x: V) -> V:
    """Another variable with the same attributes."""
    other = type(x).__new__(type(x))
    node, attributes = contents_of(x)
    fill(other, Node(**node), attributes)
    return other


def deep_copy(x: V, memo: dict[int, Any]) -> V:
    """A copy of x and of everything it was computed from; `memo` has those made."""
    order = in_order(x, lambda other: id(other) in memo)
    for each in order:
        memo[id(each)] = type(each).__new__(type(each))
    for each in order:
        # Its operands are in the memo by now: the recursion ends there.
        node, attributes = copy.deepcopy(contents_of(each), memo)
        fill(memo[id(each)], Node(**node), attributes)
    copied: V = memo[id(x)]
    return copied
