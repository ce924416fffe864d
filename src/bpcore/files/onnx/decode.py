"""Decoding of protocol buffers by the schema, in bounded time and memory.

A message is a sequence of fields; each begins with a varint, its number times 8 plus
its wire type: 0 a varint, 1 eight bytes, 2 a length and as many bytes, 5 four bytes.
Fields that the schema lacks are skipped.  Bytes are not copied.
"""

from __future__ import annotations

import struct
from typing import Any

from bpcore.errors import ModelFileError
from bpcore.files.onnx.schema import MESSAGES, Field

#: A decoded message: the fields that it has by name, repeated ones as lists.  Lists of
#: float and double are lists of parts of the file with one or more numbers each.
Message = dict[str, Any]

#: The most fields, numbers of lists included, of all messages together: of a small
#: file, and of a large one, which must have so many bytes for each.
FEW_FIELDS, MOST_FIELDS, BYTES = 100_000, 1 << 20, 4

#: Fields of the schema that no reader here needs; they are skipped.
NOT_READ = ("doc_string", "value_info")

#: The most bytes of all texts together.
MOST_TEXT = 1 << 23

#: Wire types by the kind of a field; messages are of wire type 2.
WIRE = {"int": 0, "float": 5, "double": 1, "bytes": 2, "text": 2}

#: Bytes of a field by its wire type, where they are always the same.
WIDTHS = {1: 8, 5: 4}

#: Formats of ``struct`` of the kinds that are numbers.
FORMATS = {"float": "<f", "double": "<d"}


def decode(data: bytes, message: str) -> Message:
    r"""The fields of a message.

    Raises
    ------
    ModelFileError
        If it is damaged: cut off, a group, a varint of more than 64 bits, a field of
        another wire type or given twice, a text that is not UTF-8, or too many fields.

    Examples
    --------
    >>> from bpcore.files.onnx.decode import decode
    >>> decode(b"\x08\x0a\x12\x07pytorch", "ModelProto")
    {'ir_version': 10, 'producer_name': 'pytorch'}
    """
    try:
        return Decoder(data).message(message, 0, len(data))
    except Damaged as error:
        raise ModelFileError(str(error)) from None


class Damaged(Exception):
    """What is wrong at a byte, and the fields it is in."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(at, what)
        self.at, self.what, self.within = at, what, ""

    def __str__(self) -> str:
        return f"byte {self.at:,}{' in ' * bool(self.within)}{self.within}: {self.what}"


class Decoder:
    """Decodes parts of one file, and counts its fields."""

    def __init__(self, data: bytes) -> None:
        self.data, self.view = data, memoryview(data)
        self.fields = self.text = 0
        self.most = min(MOST_FIELDS, max(FEW_FIELDS, len(data) // BYTES))
        self.by_number = {
            message: {
                field.number: (name, field)
                for name, field in fields.items()
                if name not in NOT_READ
            }
            for message, fields in MESSAGES.items()
        }

    def message(self, message: str, at: int, end: int) -> Message:
        """The fields of the message from byte `at` to `end`."""
        known, found = self.by_number[message], Message()
        while at < end:
            start = at
            key, at = self.varint(at, end)
            number, wire = key >> 3, key & 7
            if not 0 < number < 1 << 29:
                raise Damaged(start, f"{number} is no number of a field")
            first, at = self.extent(start, wire, at, end)
            self.count(start)
            if number in known:
                name, field = known[number]
                try:
                    self.put(found, name, field, wire, start, first, at)
                except Damaged as error:
                    index = f"[{len(found.get(name, ()))}]" if field.repeated else ""
                    inner = f".{error.within}" if error.within else ""
                    error.within = f"{name}{index}{inner}"
                    raise
        return found

    def put(
        self,
        found: Message,
        name: str,
        field: Field,
        wire: int,
        start: int,
        first: int,
        end: int,
    ) -> None:
        """Add the field whose value is from byte `first` to `end`."""
        expected = WIRE.get(field.kind, 2)
        packed = field.repeated and wire == 2 and expected != 2
        if wire != expected and not packed:
            raise Damaged(
                start, f"{name} has wire type {wire}; {expected} was expected"
            )
        if not field.repeated:
            if name in found:
                raise Damaged(start, f"{name} is there twice")
            found[name] = self.value(field.kind, first, end)
        elif packed and field.kind == "int":
            values = found.setdefault(name, [])
            while first < end:
                value, first = self.varint(first, end)
                self.count(first)
                values.append(signed(value))
        elif field.kind in FORMATS:
            if (end - first) % WIDTHS[expected]:
                raise Damaged(start, f"{name} has {end - first} bytes: cut numbers")
            found.setdefault(name, []).append(self.view[first:end])
        else:
            value = self.value(field.kind, first, end)
            found.setdefault(name, []).append(value)

    def value(self, kind: str, first: int, end: int) -> Any:
        """The value of a kind from byte `first` to `end`."""
        if kind == "int":
            return signed(self.varint(first, end)[0])
        if kind == "text":
            return self.text_of(first, end)
        if kind in FORMATS:
            (number,) = struct.unpack(FORMATS[kind], self.view[first:end])
            return number
        if kind == "bytes":
            return self.view[first:end]
        return self.message(kind, first, end)

    def text_of(self, first: int, end: int) -> str:
        """The text from byte `first` to `end`."""
        self.text += end - first
        if self.text > MOST_TEXT:
            raise Damaged(first, f"more than {MOST_TEXT:,} bytes of text")
        try:
            return self.data[first:end].decode()
        except UnicodeDecodeError:
            raise Damaged(first, "the text is not UTF-8") from None

    def extent(self, start: int, wire: int, at: int, end: int) -> tuple[int, int]:
        """The first byte of a field's value, and the byte after it."""
        if wire == 0:
            return at, self.varint(at, end)[1]
        if wire == 2:
            size, at = self.varint(at, end)
        elif wire in WIDTHS:
            size = WIDTHS[wire]
        else:
            raise Damaged(start, f"wire type {wire}, which no ONNX file has")
        if size > end - at:
            raise Damaged(
                start, f"a field of {size:,} bytes where {end - at:,} are left"
            )
        return at, at + size

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The whole number that begins at byte `at`, and the byte after it."""
        value, start = 0, at
        for shift in range(0, 70, 7):
            if at >= end:
                raise Damaged(start, "a number is cut off")
            byte = self.data[at]
            at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                if value >> 64:
                    break
                return value, at
        raise Damaged(start, "a number has more than 64 bits")

    def count(self, at: int) -> None:
        """Count a field."""
        self.fields += 1
        if self.fields > self.most:
            raise Damaged(at, f"more than {self.most:,} fields")


def signed(value: int) -> int:
    """The number of 64 bits in two's complement."""
    return value - (1 << 64) if value >> 63 else value
