"""Objects as text of a bounded length, for messages and printed objects."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence

#: Most characters of a quoted object.
MOST = 200
#: Most items of a list that is shown whole.
ITEMS = 100
#: Items shown at each end of a longer one.
END = 10


def quoted(value: object) -> str:
    """``repr(value)``; of a long one the beginning and the end, or the beginning.

    Examples
    --------
    >>> from bpcore.quoting import quoted
    >>> quoted("relu"), len(quoted("x" * 10**6)), len(quoted([1.5] * 10**6))
    ("'relu'", 200, 35)
    """
    if isinstance(value, str | bytes):
        text = repr(value[: 2 * MOST])
    elif isinstance(value, list | tuple | dict | set) and len(value) > ITEMS:
        text = reprlib.repr(value)
    else:
        try:
            text = repr(value)
        except ValueError:  # an integer of more digits than Python converts
            text = reprlib.repr(type(value))
    return cut(text, MOST)


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
