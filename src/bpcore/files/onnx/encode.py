"""Encoding of messages as protocol buffers, by the table of ``schema``."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

from bpcore.files.onnx.schema import MESSAGES, Field

#: Wire types: how a value is written after its key.
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

#: The wire type and the form of numbers of a fixed size.
FIXED = {"float": (FIXED32, "<f"), "double": (FIXED64, "<d")}

#: A protocol-buffers message must be smaller than this.
LIMIT = 1 << 31


def encoded(message: str, values: Mapping[str, Any]) -> list[bytes]:
    r"""A message as parts, which are to be written one after the other.

    Parameters
    ----------
    message : str
        A name of ``MESSAGES``.
    values : mapping of str to value
        The fields that are written, zeros and empty texts too: an int, a float, bytes
        or a contiguous array, a text, a mapping for a message, or a list of them.
        Large bytes are parts of their own, so that they are not copied.

    Raises
    ------
    ValueError
        If it has 2 GB or more.

    Examples
    --------
    >>> from bpcore.files.onnx.encode import encoded
    >>> b"".join(encoded("OperatorSetIdProto", {"domain": "", "version": 17}))
    b'\n\x00\x10\x11'
    """
    parts = _joined(_message(message, values))
    if (size := sum(map(len, parts))) >= LIMIT:
        raise ValueError(
            f"an ONNX file must have fewer than 2^31 bytes; this one has {size:,}"
        )
    return parts


def varint(number: int) -> bytes:
    r"""An integer in groups of 7 bits, the lowest first; of 64 bits if it is negative.

    Examples
    --------
    >>> from bpcore.files.onnx.encode import varint
    >>> varint(300)
    b'\xac\x02'
    """
    number &= (1 << 64) - 1
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _message(message: str, values: Mapping[str, Any]) -> list[Any]:
    fields = MESSAGES[message]
    parts: list[Any] = []
    for name, value in values.items():
        parts += _field(fields[name], value)
    return parts


def _field(field: Field, value: Any) -> list[Any]:
    """The key of a field and its value; of a list, once for each or packed."""
    if field.repeated and field.kind in ("int", *FIXED):
        packed = b"".join(_number(field.kind, number) for number in value)
        return _with_length(field.number, [packed])
    if field.repeated:
        one = field._replace(repeated=False)
        return [part for item in value for part in _field(one, item)]
    if field.kind in ("int", *FIXED):
        wire = FIXED[field.kind][0] if field.kind in FIXED else VARINT
        return [varint(field.number << 3 | wire), _number(field.kind, value)]
    if field.kind == "text":
        return _with_length(field.number, [value.encode()])
    if field.kind == "bytes":
        return _with_length(field.number, [memoryview(value).cast("B")])
    return _with_length(field.number, _message(field.kind, value))


def _number(kind: str, value: Any) -> bytes:
    return struct.pack(FIXED[kind][1], value) if kind in FIXED else varint(value)


def _with_length(number: int, parts: list[Any]) -> list[Any]:
    return [varint(number << 3 | LENGTH), varint(sum(map(len, parts))), *parts]


def _joined(parts: Iterable[Any]) -> list[Any]:
    """The same bytes with neighbouring small parts as one."""
    found: list[Any] = []
    small = bytearray()
    for part in parts:
        if len(part) < 4096:
            small += part
            continue
        found += [bytes(small), part]
        small = bytearray()
    return [*found, bytes(small)]
