"""Objects as text of a bounded length, in bounded time, for messages."""

from __future__ import annotations

import datetime
import pathlib
import types
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

#: Most characters of a quoted object.
MOST = 200
#: Most items of a list that is shown whole.
ITEMS = 100
#: Items shown at each end of a longer list, and of a longer one within an object.
END = 10
FEW = 6
#: Lists in lists in lists ... are shown up to this depth.
DEEP = 20
#: An integer of more bits is not written: that takes a time quadratic in its digits.
BITS = 4096

#: The ``__repr__`` of classes whose objects are written in a short time.
CHEAP = {
    kind.__repr__
    for kind in (
        complex,
        range,
        types.NoneType,
        types.EllipsisType,
        types.FunctionType,
        types.BuiltinFunctionType,
        datetime.date,
        datetime.datetime,
        datetime.time,
        datetime.timedelta,
        pathlib.PurePath,
        *np.sctypeDict.values(),
    )
    if not issubclass(kind, np.flexible | np.object_)
}


def quoted(value: object) -> str:
    """``repr(value)``; of a long one the beginning and the end, or the beginning.

    It takes a short time for any value: no ``__repr__`` of a class of another library
    or of a user is called, and of lists, tuples, sets and dicts no more is read than is
    shown.

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
        n, items = frozenset.__len__(value), frozenset.__iter__(value)
        yield from _items("frozenset({", items, n, "})", depth)
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
        short = value.dtype.kind in "biufc" and value.size <= ITEMS
        name = value.dtype.name
        yield repr(value) if short else f"array of shape {value.shape}, dtype {name}"
    else:
        method = type.__getattribute__(kind, "__repr__")
        own = str(getattr(method, "__module__", "")).startswith("bpcore.")
        yield cut(
            repr(value) if own or method in CHEAP else object.__repr__(value), MOST
        )


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
