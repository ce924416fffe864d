"""Pickles with values replaced.

A *tree* is an object taken apart as pickle does it: a `Part` for each object with a
reduce value, dicts, lists, tuples, and leaves.  A place in it is a path of keys; each
place can be replaced by hostile values, and the tree pickled again.
"""

from dataclasses import dataclass
from types import FunctionType, ModuleType

import numpy as np

from trust.pickling.hostile import ARRAYS, VALUES

#: Beginnings of the names of modules whose classes count as this library's.
PACKAGES = ("bpcore", "trust")
#: Leaves that are pickled by name or by value.
PLAIN = (type(None), bool, int, float, complex, str, bytes, bytearray, type, np.generic,
         np.ndarray, np.dtype, FunctionType, ModuleType, range, slice)  # fmt: skip


@dataclass(eq=False)
class Part:
    """An object's reduce value: what makes it, the arguments of that, its state."""

    function: object
    arguments: object
    state: object = None
    items: object = None
    pairs: object = None

    @property
    def is_own(self):
        """Whether it is of a class of this library."""
        made_by = self.arguments[0] if self.function is new else self.function
        return made_by.__module__.startswith(PACKAGES)

    def __reduce__(self):
        """The value itself, so that pickling a Part pickles the object."""
        items = self.items if self.items is None else iter(self.items)
        pairs = self.pairs if self.pairs is None else iter(self.pairs.items())
        return self.function, self.arguments, self.state, items, pairs


def new(cls, *arguments):
    """``cls.__new__``, which pickle calls by an opcode."""
    return cls.__new__(cls, *arguments)


def tree(value, known=None):
    """An object taken apart; one that is met twice is one Part."""
    known = {} if known is None else known
    if isinstance(value, PLAIN) or (callable(value) and hasattr(value, "__qualname__")):
        return value
    if id(value) in known:
        return known[id(value)][0]
    if type(value) in (list, tuple, set, frozenset):
        found = type(value)(tree(each, known) for each in value)
    elif type(value) is dict:
        found = {key: tree(each, known) for key, each in value.items()}
    else:
        found = Part(None, None)
        known[id(value)] = found, value  # kept alive, so that its id stays its own
        function, arguments, *rest = value.__reduce_ex__(4)
        state, items, pairs = (*rest, None, None, None)[:3]
        if function.__name__ == "__newobj__":
            function = new
        found.function, found.arguments = function, tree(arguments, known)
        found.state = tree(state, known)
        found.items = None if items is None else tree(list(items), known)
        found.pairs = None if pairs is None else tree(dict(pairs), known)
    known[id(value)] = found, value
    return found


def places(root):
    """The path of each value of a tree, once each; not those of classes."""
    waiting, seen = [((), root)], set()
    while waiting:
        path, value = waiting.pop()
        yield path, value
        if isinstance(value, Part | dict | list):
            if id(value) in seen:
                continue
            seen.add(id(value))
        waiting += [((*path, key), each) for key, each in _inside(value)]


def _inside(value):
    if isinstance(value, Part) and not value.is_own:
        return []  # another library's: what it reads is not ours
    if isinstance(value, Part):
        names = ("arguments", "state", "items", "pairs")
        found = [(name, getattr(value, name)) for name in names]
        if value.function is new and len(value.arguments) == 1:
            found = found[1:]
        return [(name, each) for name, each in found if each is not None]
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def replacements(path, value):
    """The names of what a value of a tree may be replaced by.

    A state is not replaced by None, which pickle takes for no state.
    """
    found = [f"value {name}" for name in VALUES]
    if path[-1:] == ("state",):
        found.remove("value None")
    if type(value) is np.ndarray:
        found += [f"array {name}" for name in ARRAYS]
    if isinstance(value, dict):
        found += [f"without {key!r}" for key in value] + ["with an unknown key"]
    if isinstance(value, list | tuple) and value:
        found += ["shorter", "longer", "doubled", "as the other sequence"]
    if isinstance(value, str):
        found += ["text tanh", "text batch", "text softmax", "text sigmoid"]
    return found


def replaced(value, how):
    """What a value is replaced by."""
    kind, _, name = how.partition(" ")
    if kind == "value":
        return VALUES[name]
    if kind == "array":
        return ARRAYS[name](value)
    if kind == "text":
        return name
    if kind == "without":
        return {key: each for key, each in value.items() if repr(key) != name}
    if how == "with an unknown key":
        return {**value, "unknown": 1}
    changed = {
        "shorter": list(value)[:-1],
        "longer": [*value, value[-1]],
        "doubled": [*value, *value],
        "as the other sequence": [*value],
    }[how]
    other = {list: tuple, tuple: list}[type(value)]
    return other(changed) if how == "as the other sequence" else type(value)(changed)


def with_replaced(root, path, how):
    """A copy of a tree in which the value at a path is replaced."""
    if not path:
        return replaced(root, how)
    known = {}

    def copied(value, at):
        here = at == path
        if here:
            return replaced(value, how)
        if isinstance(value, Part):
            if id(value) in known:
                return known[id(value)]
            other = known[id(value)] = Part(value.function, None)
            for name in ("arguments", "state", "items", "pairs"):
                setattr(other, name, copied(getattr(value, name), (*at, name)))
            return other
        if isinstance(value, dict):
            return {key: copied(each, (*at, key)) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(copied(e, (*at, i)) for i, e in enumerate(value))
        return value

    return copied(root, ())


def text_of(value):
    """A tree as a text that is equal where every bit is."""
    numbers = {}

    def written(value):
        if isinstance(value, Part):
            if id(value) in numbers:
                return f"part {numbers[id(value)]}"
            numbers[id(value)] = len(numbers)
            parts = value.function, value.arguments, value.state, value.items
            return f"{[written(part) for part in (*parts, value.pairs)]}"
        if isinstance(value, dict):
            return f"{[(str(key), written(each)) for key, each in value.items()]}"
        if isinstance(value, list | tuple):
            return f"{type(value).__name__}{[written(each) for each in value]}"
        if isinstance(value, np.ndarray):
            return f"{value.dtype}{value.shape}{value.tolist()!r}"
        return repr(value)

    return written(value)
