"""JSON, read strictly: bounded in size, without duplicate keys or infinite numbers."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

#: Most digits of a whole number.
MOST_DIGITS = 400
#: Most values in a text; each may take some hundred bytes of memory.
MOST_VALUES = 400_000
#: Most brackets within each other, few enough for Python's recursion limit.
MOST_DEPTH = 64
#: All up to the next bracket that is not in a string, and the bracket, or the rest.
NEXT_BRACKET = re.compile(
    rb'(?:[^][{}"]++|"(?:[^"\\]++|\\.)*+"?)*+([][{}]|\Z)', re.DOTALL
)


def parse_json(text: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises
    ------
    ValueError
        If it is no JSON, or has more than `MOST_VALUES` values, more than `MOST_DEPTH`
        brackets within each other, a key twice in one object, a number that is not
        finite, or half a pair of surrogates.

    Examples
    --------
    >>> from bpcore.files.strict_json import parse_json
    >>> parse_json(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}
    >>> parse_json(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
        ...
    ValueError: the key 'a' is there twice
    """
    if value_bound(text) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} values")
    if bracket_depth(text) > MOST_DEPTH:
        raise ValueError(f"more than {MOST_DEPTH} brackets within each other")
    try:
        value = json.loads(
            text.decode(),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
        if b"\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise ValueError(f"text that is not UTF-8: {error.reason}") from None
    return value


def value_bound(text: bytes) -> int:
    """A bound of the values in a JSON text, found without reading it.

    Examples
    --------
    >>> from bpcore.files.strict_json import value_bound
    >>> value_bound(b'{"a": [1, 2]}')
    3
    """
    return sum(map(text.count, (b",", b"[", b"{")))


def bracket_depth(text: bytes) -> int:
    """Most brackets within each other in a JSON text; a bound of them if they are few.

    Examples
    --------
    >>> from bpcore.files.strict_json import bracket_depth
    >>> bracket_depth(b"[" * 200 + b"]" * 200), bracket_depth(b"[[]]" * 200)
    (200, 2)
    """
    number = text.count(b"[") + text.count(b"{")
    if number <= MOST_DEPTH:
        return number
    depth = deepest = 0
    for part in NEXT_BRACKET.finditer(text):
        depth += 1 if part[1] in (b"[", b"{") else -1
        deepest = max(deepest, depth)
        if depth < 0:  # the end, or no JSON
            break
    return deepest


def as_json(value: Any) -> str:
    """A value as JSON on one line; numbers must be finite.

    Examples
    --------
    >>> from bpcore.files.strict_json import as_json
    >>> as_json({"lr": 0.1, "sizes": (2, 1)})
    '{"lr":0.1,"sizes":[2,1]}'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:80]!r} is there twice")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"the number {name}, which JSON does not have")


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]}, which is not finite as a float64")
    return number
