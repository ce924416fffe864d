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
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.graph.backward import in_order

if TYPE_CHECKING:
    from bpcore.graph.variable import Variable

#: Attributes by name: in ``__dict__`` of a subclass, if it has one, and in slots.
State = tuple[dict[str, Any] | None, dict[str, Any]]


class Record:
    """Variables as they are pickled: in order, operands by their position in it.

    A variable is pickled as ``recorded(record, position)``.  In one call of
    ``pickle.dump`` all variables of a graph share a record, however many of them it
    meets and wherever it begins: a record lives as long as the pickler, and a variable
    refers to the living record that has it.  What is computed from variables of one
    record gets another record, that refers to those.
    """

    def __init__(self, classes: Sequence[type[Variable]]) -> None:
        self.variables = [cls.__new__(cls) for cls in classes]

    @classmethod
    def of(cls, x: Variable) -> Record:
        """The living record that has x, or a new one of x and what it came from."""
        record = living(x)
        if record is None:
            record = cls(())
            record.variables = in_order(x, lambda other: living(other) is not None)
            record.positions = {x: i for i, x in enumerate(record.variables)}
            reference = weakref.ref(record)
            for each in record.variables:
                each._record = reference
        return record

    def __reduce__(self) -> tuple[Any, ...]:
        """Empty variables first, then what is in them, which may refer to them."""
        states = [state_of(x) for x in self.variables]
        for _, slots in states:
            slots["_operands"] = tuple(
                o if isinstance(o, np.ndarray) else self.positions.get(o, o)
                for o in slots["_operands"]
            )
        return Record, ([type(x) for x in self.variables],), states

    def __setstate__(self, states: list[State]) -> None:
        for x, (attributes, slots) in zip(self.variables, states, strict=True):
            slots["_operands"] = tuple(
                self.variables[o] if isinstance(o, int) else o
                for o in slots["_operands"]
            )
            fill(x, attributes, slots)

    positions: dict[Variable, int]


def living(x: Variable) -> Record | None:
    """The record that has x, while something is being pickled."""
    return None if x._record is None else x._record()


def recorded(record: Record, position: int) -> Variable:
    """One variable of a record, where it is unpickled."""
    return record.variables[position]


def state_of(x: Variable) -> State:
    """The attributes of x, without the record."""
    found: Any = object.__getstate__(x)
    attributes, slots = found
    return attributes, {**slots, "_record": None}


def fill(x: Variable, attributes: dict[str, Any] | None, slots: dict[str, Any]) -> None:
    """Give an empty variable its attributes."""
    for name, value in {**(attributes or {}), **slots}.items():
        setattr(x, name, value)


def shallow_copy(x: Variable) -> Variable:
    """Another variable with the same attributes."""
    other = type(x).__new__(type(x))
    fill(other, *state_of(x))
    return other


def deep_copy(x: Variable, memo: dict[int, Any]) -> Variable:
    """A copy of x and of everything it was computed from; `memo` has those made."""
    order = in_order(x, lambda other: id(other) in memo)
    for each in order:
        memo[id(each)] = type(each).__new__(type(each))
    for each in order:
        # Its operands are in the memo by now, so nothing goes deeper than one step.
        attributes, slots = state_of(each)
        fill(
            memo[id(each)], copy.deepcopy(attributes, memo), copy.deepcopy(slots, memo)
        )
    copied: Variable = memo[id(x)]
    return copied
