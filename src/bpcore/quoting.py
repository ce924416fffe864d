"""Objects as text of a bounded length, in bounded time, for messages."""

from __future__ import annotations

import datetime
import enum
import pathlib
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Most characters of a quoted object.
MOST = 200
#: Most characters of a name, and of several ones with commas between them.
NAME, NAMES = 80, 340
#: Most items of a list that is shown whole.
ITEMS = 100
#: Items shown at each end of a longer list, and of a longer one within an object.
END = 10
FEW = 6
#: Lists in lists in lists ... are shown up to this depth.
DEEP = 20
#: An integer of more bits is not written: that takes a time quadratic in its digits.
BITS = 4096

#: Classes whose objects are written in a short time; derived ones may run other code.
CHEAP = [
    complex,
    range,
    types.NoneType,
    types.EllipsisType,
    types.NotImplementedType,
    types.FunctionType,
    types.BuiltinFunctionType,
    datetime.date,
    datetime.timedelta,
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
    pathlib.PosixPath,
    pathlib.WindowsPath,
]
CHEAP += [
    kind
    for kind in {*np.sctypeDict.values()}
    if not issubclass(kind, np.flexible | np.object_)
]
#: Most bytes of a Decimal that is written.
BYTES = 2048

#: What Python keeps in a class, whatever its metaclass has in its place.
_name_of = type.__dict__["__name__"].__get__
_mro_of = type.__dict__["__mro__"].__get__
_members_of = type.__dict__["__dict__"].__get__


def quoted(value: object) -> str:
    """``repr(value)``; of a long one the beginning and the end, or the beginning.

    It takes a short time for any value: no ``__repr__`` of a class of another library
    or of a user is called, and of lists, tuples, sets and dicts no more is read than is
    shown.  Only this library's objects write what they hold themselves: an `Adam` a
    user's schedule, by its ``__repr__``.

    Examples
    --------
    >>> from bpcore.quoting import quoted
    >>> quoted("relu"), len(quoted("x" * 10**6)), len(quoted([1.5] * 10**6))
    ("'relu'", 200, 35)
    """
    text = ""
    try:
        for piece in _pieces(value, 0):
            text += piece
            if len(text) > 4 * MOST:
                return text[: MOST - 3] + "..."
    except MemoryError:
        raise
    except Exception:  # for example of a list that another thread changes
        text = object.__repr__(value)
    return cut(text, MOST)


def _pieces(value: Any, depth: int) -> Iterator[str]:
    """``repr(value)`` in pieces, each of which takes a short time.

    Methods are those of Python's classes, whatever a derived class has in their place.
    """
    kind = type(value)
    if depth > DEEP:
        yield "..."
    elif issubclass(kind, str):
        yield str.__repr__(str.__getitem__(value, slice(2 * MOST)))
    elif kind is bytearray:
        yield repr(value[: 2 * MOST])
    elif issubclass(kind, bytes):
        yield bytes.__repr__(bytes.__getitem__(value, slice(2 * MOST)))
    elif issubclass(kind, bool):
        yield bool.__repr__(value)
    elif issubclass(kind, int):
        bits = int.bit_length(value)
        yield int.__repr__(value) if bits <= BITS else f"<an int of {bits} bits>"
    elif issubclass(kind, float):
        yield float.__repr__(value)
    elif issubclass(kind, list):
        yield from _items("[", list.__iter__(value), list.__len__(value), "]", depth)
    elif issubclass(kind, tuple):
        n = tuple.__len__(value)
        yield from _items("(", tuple.__iter__(value), n, ",)"[n != 1 :], depth)
    elif issubclass(kind, set):
        n = set.__len__(value)
        begin, end = ("{", "}") if n else ("set(", ")")
        yield from _items(begin, set.__iter__(value), n, end, depth)
    elif issubclass(kind, frozenset):
        n = frozenset.__len__(value)
        begin, end = ("frozenset({", "})") if n else ("frozenset(", ")")
        yield from _items(begin, frozenset.__iter__(value), n, end, depth)
    elif issubclass(kind, dict):
        pairs = (_Pair(*pair) for pair in dict.items(value))
        yield from _items("{", pairs, dict.__len__(value), "}", depth)
    elif kind is _Pair:
        yield from _pieces(value.key, depth)
        yield ": "
        yield from _pieces(value.value, depth)
    elif issubclass(kind, type):
        yield type.__repr__(value)
    elif kind is np.ndarray:
        yield _array(value)
    elif issubclass(kind, np.dtype):
        yield _dtype(value)
    elif kind is slice:
        ends = (value.start, value.stop, value.step)
        yield from _items("slice(", ends, 3, ")", depth)
    elif _is(kind, "fractions", "Fraction"):
        parts = (value.numerator, value.denominator)
        yield from _items("Fraction(", parts, 2, ")", depth)
    elif kind is types.ModuleType:
        yield "<module "
        yield from _pieces(vars(value).get("__name__"), depth)
        yield ">"
    elif issubclass(kind, enum.Enum):
        members = object.__getattribute__(value, "__dict__")
        name = members.get("_name_")
        yield f"<{cut(_name_of(kind), MOST)}."
        yield str.__getitem__(name, slice(MOST)) if isinstance(name, str) else "?"
        yield ": "
        yield from _pieces(members.get("_value_"), depth + 1)
        yield ">"
    else:
        yield cut(repr(value) if _is_cheap(value) else object.__repr__(value), MOST)


def _is_cheap(value: Any) -> bool:
    """Whether `repr(value)` takes a short time and runs no code of a user."""
    kind = type(value)
    if kind is datetime.datetime or kind is datetime.time:
        return value.tzinfo is None or value.tzinfo is datetime.UTC
    if kind is datetime.timezone:
        return len(value.tzname(None)) < MOST
    if _is(kind, "decimal", "Decimal"):
        return sys.getsizeof(value) < BYTES
    if any(kind is each for each in CHEAP) or _is(kind, "uuid", "UUID"):
        return True
    for each in _mro_of(kind):
        if "__repr__" in (members := _members_of(each)):
            method = members["__repr__"]
            place = method.__module__ if type(method) is types.FunctionType else None
            return type(place) is str and place.startswith("bpcore.")
    return False


def _is(kind: type, module: str, name: str) -> bool:
    """Whether it is a class of a module of Python's that may not be imported."""
    return getattr(sys.modules.get(module), name, None) is kind


def _array(array: NDArray[Any]) -> str:
    """A small array of numbers as NumPy writes it, any other by its shape."""
    if array.dtype.kind not in "biufc" or array.size > ITEMS:
        return f"array of shape {array.shape}, dtype {array.dtype.name}"
    with np.printoptions():  # without a user's functions that write numbers
        return repr(array)


def _dtype(dtype: np.dtype[Any]) -> str:
    """A dtype of single numbers or texts as NumPy writes it, any other by its name."""
    plain = dtype.names is None and dtype.subdtype is None and dtype.metadata is None
    return repr(dtype) if plain and dtype.kind != "T" else f"dtype({dtype.name!r})"


class _Pair:
    """A key of a dict and its value."""

    def __init__(self, key: object, value: object) -> None:
        self.key, self.value = key, value


def _items(
    begin: str, items: Iterable[object], n: int, end: str, depth: int
) -> Iterator[str]:
    """The text of n items in pieces; of many only the first ones."""
    yield begin
    for i, item in enumerate(islice(items, n if n <= ITEMS else FEW)):
        if i:
            yield ", "
        yield from _pieces(item, depth + 1)
    yield end if n <= ITEMS else f", ...{end}"


def cut(text: str, most: int) -> str:
    """The text; if longer than `most` characters, without its middle.

    Examples
    --------
    >>> from bpcore.quoting import cut
    >>> cut("x" * 100, 9), cut("short", 9)
    ('xxx...xxx', 'short')
    """
    if len(text) <= most:
        return text
    head = (most - 3) // 2
    return f"{text[:head]}...{text[head + 3 - most :]}"


def joined(names: Iterable[object]) -> str:
    """Names with commas between them, at most as long as two quoted objects.

    Examples
    --------
    >>> from bpcore.quoting import joined
    >>> joined(["relu", "tanh"]), len(joined(["x" * 10**6, "y"] * 10**3))
    ('relu, tanh', 340)
    """
    shown = [cut(str(name), NAME) for name in islice(names, ITEMS)]
    return cut(", ".join(shown), NAMES)


def name_of(function: object) -> str:
    """The name of a function in short; of another object what `quoted` writes.

    Examples
    --------
    >>> from bpcore.quoting import name_of
    >>> name_of(len), name_of("relu")
    ('len', "'relu'")
    """
    name = getattr(function, "__name__", None)
    return cut(name, NAME) if isinstance(name, str) else quoted(function)


def listed(values: Sequence[object]) -> str:
    """A list as Python writes it; of many items the first and the last.

    Examples
    --------
    >>> from bpcore.quoting import listed
    >>> listed((2, 3, 1)), listed(range(10**6))[-30:]
    ('[2, 3, 1]', '997, 999998, 999999] (1000000)')
    """
    if len(values) <= ITEMS:
        return cut(repr([*values]), 10 * MOST)
    ends = [", ".join(map(repr, part)) for part in (values[:END], values[-END:])]
    return f"[{', ..., '.join(ends)}] ({len(values)})"


def counted(n: int) -> str:
    """A count with separators of thousands; of more than 100 digits a bound.

    Python does not convert integers of more than 4300 digits to text.

    Examples
    --------
    >>> from bpcore.quoting import counted
    >>> counted(12345), counted(4**8000)
    ('12,345', '10^100 or more')
    """
    return f"{n:,}" if n < 10**100 else "10^100 or more"
