"""Copies and pickles of a graph of any depth, without recursion.

``copy.deepcopy`` and ``pickle`` recurse into the objects that an object refers to, so a
chain of thousands of variables would exceed the interpreter's stack.  Here the
variables of a graph are first put in order, each after its operands, then copied or
written one after the other.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Sequence
from dataclasses import fields
from types import NoneType
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.graph.backward import in_order
from bpcore.graph.base import Node, Operation, V, Vertex
from bpcore.quoting import quoted

#: Classes of the fields of a stored node.
NODE: dict[str, Any] = {
    "value": np.ndarray,
    "name": (str, NoneType),
    "operation": (Operation, NoneType),
    "operands": tuple,
    "values": tuple,
    "options": dict,
    "grad": (np.ndarray, NoneType),
    "record": NoneType,
}
#: The fields of a node, and the attributes of its variable: those of a subclass.
Contents = tuple[dict[str, Any], dict[str, Any]]


class Record:
    """The variables of a pickle in order; operands are positions in that order.

    A variable is pickled as ``recorded(record, position)``.  In one call of
    ``pickle.dump`` all variables of a graph share a record, in whatever order they are
    pickled: a record exists as long as the pickler, and its nodes refer to it by weak
    references.  Variables computed from those of one record get another record, which
    refers to the first.
    """

    positions: dict[Vertex, int]

    def __init__(self, classes: Sequence[type[Vertex]]) -> None:
        for cls in classes:
            if not (isinstance(cls, type) and issubclass(cls, Vertex)):
                raise TypeError(f"a graph must be of variables; got {quoted(cls)}")
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
        checks.instance("the contents of a graph", contents, list)
        if len(contents) != len(self.variables):
            raise ValueError(
                f"a graph of {len(self.variables)} variables must have as many "
                f"contents; got {len(contents)}"
            )
        checked = [_checked(found) for found in contents]
        places = {id(x): i for i, x in enumerate(self.variables)}
        for i, (node, _) in enumerate(checked):
            for o in node["operands"]:
                at = o if isinstance(o, int) else places.get(id(o), -1)
                if at >= i or (isinstance(o, int) and o < 0):
                    raise ValueError(
                        f"operands of variable {i} must come before it; got {at}"
                    )
        for x, (node, attributes) in zip(self.variables, checked, strict=True):
            operands = tuple(
                self.variables[o] if isinstance(o, int) else o for o in node["operands"]
            )
            fill(x, Node(**node | {"operands": operands}), attributes)


def record_of(x: Vertex) -> Record:
    """The existing record of x, or a new one of x and all that it depends on."""
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
    """The record of x while it is being pickled, else None."""
    return None if x.node.record is None else x.node.record()


def reduced(x: Vertex) -> tuple[Any, ...]:
    """The value of ``Variable.__reduce__``."""
    record = record_of(x)
    return recorded, (record, record.positions[x])


def recorded(record: Record, position: int) -> Vertex:
    """One variable of a record, when it is unpickled."""
    checks.instance("record", record, Record)
    return record.variables[checks.index("position", position, len(record.variables))]


def contents_of(x: Vertex) -> Contents:
    """The fields of x's node without the record, and the attributes of a subclass."""
    node = {each.name: getattr(x.node, each.name) for each in fields(Node)}
    node["record"] = None
    found: Any = object.__getstate__(x)
    attributes, slots = found
    attributes = {**(attributes or {}), **slots}
    del attributes["node"]
    return node, attributes


def _checked(found: Any) -> Contents:
    """The contents of one variable as `contents_of` returns them, or an error."""
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise TypeError(f"a variable must have two contents; got {quoted(found)}")
    for part in found:
        checks.instance("a content of a variable", part, dict)
    node, attributes = found
    if set(node) != {each.name for each in fields(Node)}:
        raise ValueError(f"a node must have its fields; got {sorted(map(str, node))}")
    for name, kind in NODE.items():
        checks.instance(name, node[name], kind)
    for i, each in enumerate(node["values"]):
        checks.instance(f"values[{i}]", each, np.ndarray)
    operands, values = node["operands"], node["values"]
    is_computed = node["operation"] is not None
    if len(operands) != len(values) or bool(operands) != is_computed:
        raise ValueError(
            f"operands must be those of an operation, with a value each; got "
            f"{len(operands)} operands, {len(values)} values"
        )
    for i, each in enumerate(operands):
        checks.instance(f"operands[{i}]", each, (int, np.ndarray, Vertex))
    for name in attributes:
        checks.instance("the name of an attribute", name, str)
    return node, attributes


def fill(x: Vertex, node: Node, attributes: dict[str, Any]) -> None:
    """Give an empty variable its node and its attributes."""
    x.node = node
    for name, value in attributes.items():
        try:
            setattr(x, name, value)
        except AttributeError as error:
            raise ValueError(
                f"a {type(x).__name__} must not have {quoted(name)}: {error}"
            ) from error


def shallow_copy(x: V) -> V:
    """A new variable with the same attributes."""
    other = type(x).__new__(type(x))
    node, attributes = contents_of(x)
    fill(other, Node(**node), attributes)
    return other


def deep_copy(x: V, memo: dict[int, Any]) -> V:
    """A copy of x and all that it depends on; `memo` has the copies made before."""
    order = in_order(x, lambda other: id(other) in memo)
    for each in order:
        memo[id(each)] = type(each).__new__(type(each))
    for each in order:
        # Its operands are in the memo by now: the recursion ends there.
        node, attributes = copy.deepcopy(contents_of(each), memo)
        fill(memo[id(each)], Node(**node), attributes)
    copied: V = memo[id(x)]
    return copied
