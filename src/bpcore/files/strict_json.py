"""JSON, read strictly: bounded in size, without duplicate keys or infinite numbers."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

#: Most digits of a whole number.
MOST_DIGITS = 400
#: Most values in a text; each may take some hundred bytes of memory.
MOST_VALUES = 400_000


def parse_json(text: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises
    ------
    ValueError
        If it is no JSON, or has more than `MOST_VALUES` values, a key twice in one
        object, a number that is not finite, or half a pair of surrogates.

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
    except RecursionError:
        raise ValueError("too many brackets within each other") from None
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
