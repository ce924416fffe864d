"""The header of a container: the names, dtypes and places of its arrays, checked."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from bpcore.files.strict_json import MOST_VALUES, as_json, parse_json, value_bound
from bpcore.quoting import quoted

#: Dtypes by their names in a header.
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U64": np.dtype(np.uint64),
    "U32": np.dtype(np.uint32),
    "U16": np.dtype(np.uint16),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}

#: Keys of an array in a header.
KEYS = ("dtype", "shape", "data_offsets")
#: Most dimensions of an array of NumPy 1 and 2.
MOST_DIMENSIONS = 32
#: Most bytes of a header.
MOST_HEADER = 8 << 20


class Entry(NamedTuple):
    """An array in a file: its dtype and shape, and its bytes from `start` to `stop`."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


def header_of(
    metadata: Mapping[str, str],
    forms: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]],
    aligned: str | None = None,
) -> tuple[bytes, int]:
    """The bytes before the arrays of a file, and the bytes of the whole file.

    Parameters
    ----------
    metadata : mapping of str to str
    forms : mapping of str to (dtype, shape)
        The arrays, in their order.
    aligned : str, optional
        The name of an array that is to begin at a multiple of 64 bytes.

    Raises
    ------
    ValueError
        If the header would be longer than `read_header` reads.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.native.header import header_of
    >>> head, size = header_of({}, {"a": (np.dtype(np.float32), (2, 3))})
    >>> len(head) % 64, size - len(head)
    (0, 24)
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    at, aligned_at = 0, 0
    for name, (dtype, shape) in forms.items():
        aligned_at = at if name == aligned else aligned_at
        stop = at + math.prod(shape) * dtype.itemsize
        offsets = at, stop
        header[name] = dict(zip(KEYS, (NAMES[dtype], shape, offsets), strict=True))
        at = stop
    text = as_json(header).encode()
    if len(text) > MOST_HEADER or value_bound(text) > MOST_VALUES:
        raise ValueError(
            "too many layers, columns or names for a file: its header has "
            f"{len(text)} bytes of at most {MOST_HEADER}, and about "
            f"{value_bound(text)} values of at most {MOST_VALUES}"
        )
    text += b" " * (-(8 + len(text) + aligned_at) % 64)
    return len(text).to_bytes(8, "little") + text, 8 + len(text) + at


def read_header(file: IO[bytes]) -> tuple[dict[str, str], dict[str, Entry], int]:
    """Metadata and entries of an open file, and the first byte after its header.

    Raises
    ------
    ValueError
        If it is no such header, or the arrays do not cover the rest of the file.

    Examples
    --------
    >>> import tempfile
    >>> from bpcore.files.native.header import read_header
    >>> with tempfile.TemporaryFile() as file:
    ...     place = file.write((2).to_bytes(8, "little") + b"{}"), file.seek(0)
    ...     read_header(file)
    ({}, {}, 10)
    """
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    length = int.from_bytes(_first(file, 8), "little")
    if status.st_size < 8 or length > status.st_size - 8:
        raise ValueError(
            "it is no file of a network, or it is cut short: its header must fit the "
            f"{status.st_size} bytes; got a length of {length}"
        )
    if length > MOST_HEADER:
        raise ValueError(
            f"the header must have at most {MOST_HEADER} bytes; got {length}"
        )
    text = _first(file, length)
    if text[:1] != b"{":
        raise ValueError("the header must begin with '{'")
    try:
        header = parse_json(text)
    except ValueError as error:
        raise ValueError(f"the header must be JSON; got {error}") from None
    metadata = _texts(header.pop("__metadata__", {}))
    entries = {name: _entry_of(name, entry) for name, entry in header.items()}
    _require_no_gaps(entries, status.st_size - 8 - length)
    return metadata, entries, 8 + length


def _first(file: IO[bytes], count: int) -> bytes:
    """The next `count` bytes, fewer at the end of the file."""
    found = b""
    while len(found) < count and (part := file.read(count - len(found))):
        found += part
    return found


def _texts(metadata: Any) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise ValueError("__metadata__ must be an object of texts")
    return metadata


def _entry_of(name: str, entry: Any) -> Entry:
    """An entry of the header, checked by itself."""
    if not isinstance(entry, dict) or entry.keys() != set(KEYS):
        raise ValueError(f"{_of(name)} must have a dtype, a shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(
            f"the dtype of {_of(name)} must be one of {', '.join(DTYPES)}; "
            f"got {quoted(code)}"
        )
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(
            f"shape and data_offsets of {_of(name)} must be lists of whole numbers"
        )
    start, stop = offsets
    expected = math.prod(shape) * DTYPES[code].itemsize
    if stop - start != expected or len(shape) > MOST_DIMENSIONS:
        raise ValueError(
            f"{_of(name)} of shape {shape!s:.80} must have {expected!s:.40} bytes; "
            f"got {(stop - start)!s:.40}"
        )
    return Entry(DTYPES[code], tuple(shape), start, stop)


def _of(name: str) -> str:
    """An array in messages."""
    return f"the array {name[:80]!r}"


def _are_counts(values: Any) -> bool:
    """Whether it is a list of whole numbers from 0 to 2^62."""
    if not isinstance(values, list) or not set(map(type, values)) <= {int}:
        return False
    return not values or (min(values) >= 0 and max(values) < 1 << 62)


def _require_no_gaps(entries: Mapping[str, Entry], size: int) -> None:
    """Raise unless the arrays cover `size` bytes, one after the other."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.start != at:
            raise ValueError(
                f"{_of(name)} must begin at byte {at}, where the one "
                f"before it ends; got {entry.start}"
            )
        at = entry.stop
    if at != size:
        what = "is cut short" if size < at else "has more behind them"
        raise ValueError(
            f"the file {what}: the arrays have {at} bytes by the header, and {size} "
            "bytes follow it"
        )
