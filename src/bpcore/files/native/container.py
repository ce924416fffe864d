"""Arrays and texts in one file, in the layout of safetensors.

The file is, in this order::

    8 bytes       N, the length of the header, little-endian
    N bytes       the header, JSON: {"__metadata__": {name: text},
                  name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    the rest      the arrays, C-contiguous and little-endian, one after the other

Offsets are counted from the end of the header.  The arrays cover the rest without gaps.
Every reader of safetensors opens it; this one also refuses what it cannot use.
"""

from __future__ import annotations

import math
import mmap
import os
import stat
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.files.strict_json import as_json, parse_json
from bpcore.files.whole import Path, write_whole

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

#: Most bytes of a header.
MOST_HEADER = 8 << 20
#: Bytes that are read at a time and checked while they are in a cache.
PIECE = 1 << 19


class Entry(NamedTuple):
    """An array in a file: its dtype and shape, and its bytes from `start` to `stop`."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    stop: int


def write_container(
    path: Path,
    metadata: Mapping[str, str],
    named: Mapping[str, NDArray[Any]],
    aligned: str | None = None,
    *,
    finite: Collection[str] = (),
    sync: bool = True,
) -> None:
    """Write arrays and texts to a file, or leave it as it was.

    Parameters
    ----------
    path : path
    metadata : mapping of str to str
    named : mapping of str to array
        Written in their order.
    aligned : str, optional
        The name of an array that is to begin at a multiple of 64 bytes.
    finite : collection of str
        The names of arrays that must have finite numbers only.
    sync : bool
        Whether to wait until the disk has the file.

    Raises
    ------
    ValueError
        If a number that must be finite is not.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from bpcore.files.native.container import Container, write_container
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.safetensors")
    ...     write_container(path, {"note": "one"}, {"a": np.arange(3.0)})
    ...     with Container.opened(path) as file:
    ...         print(file.metadata, file.array("a"))
    {'note': 'one'} [0. 1. 2.]
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    at, aligned_at = 0, 0
    parts: dict[str, NDArray[Any]] = {}
    for name, array in named.items():
        stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": array.shape,
            "data_offsets": (at, at + stored.nbytes),
        }
        aligned_at = at if name == aligned else aligned_at
        at += stored.nbytes
        parts[name] = stored
    text = as_json(header).encode()
    if len(text) > MOST_HEADER:
        raise ValueError(f"names and settings of more than {MOST_HEADER} bytes")
    text += b" " * (-(8 + len(text) + aligned_at) % 64)
    head = len(text).to_bytes(8, "little") + text

    def pieces() -> Iterator[Any]:
        yield head
        for name, array in parts.items():
            yield from _checked(name, array) if name in finite else [array]

    write_whole(path, pieces(), size=len(head) + at, sync=sync)


def _checked(name: str, array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The pieces of an array, each found to be finite while it is in a cache."""
    flat, step = array.reshape(-1), PIECE // array.itemsize
    for i in range(0, flat.size, step):
        piece = flat[i : i + step]
        if not arrays.all_finite(piece):
            raise ValueError(
                f"{name} must be finite to be saved in a file; got NaN or infinity"
            )
        yield piece


class Container:
    """The header of an open file, checked, and its arrays, read when needed.

    Attributes
    ----------
    metadata : dict of str to str
    entries : dict of str to Entry
    unread : set of str
        The names of the arrays that have not been read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.metadata, self.entries, self.data_at = _read_header(file)
        self.unread = set(self.entries)

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Container]:
        """Open a file, for a ``with`` block.

        Raises
        ------
        OSError
            If it cannot be opened.
        ValueError
            If it does not have this layout.
        """
        with open(path, "rb", buffering=0) as file:
            yield cls(file)

    def array(self, name: str) -> NDArray[Any]:
        """A copy of an array."""
        entry = self._entry(name)
        out = np.empty(entry.shape, entry.dtype)
        self._read(entry.start, out)
        return out

    def span(
        self,
        names: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
        dtype: np.dtype[Any],
    ) -> int:
        """The first byte of arrays that lie one after the other.

        Raises
        ------
        ValueError
            If one is missing, has another shape or dtype, or lies elsewhere.
        """
        start = at = self._entry(names[0]).start
        for name, shape in zip(names, shapes, strict=True):
            entry = self._entry(name)
            if entry.shape != shape or entry.dtype != dtype:
                raise ValueError(
                    f"{name} must have shape {shape} and dtype {dtype}; got "
                    f"{entry.shape} and {entry.dtype}"
                )
            if entry.start != at:
                raise ValueError(f"{name} must follow the array before it")
            at = entry.stop
        return start

    def read_numbers(self, start: int, out: NDArray[Any], name: str) -> None:
        """Read real numbers of the dtype of `out`, which must all be finite."""
        flat, step = out.reshape(-1), PIECE // out.itemsize
        for i in range(0, flat.size, step):
            piece = flat[i : i + step]
            self._read(start + i * out.itemsize, piece)
            if not arrays.all_finite(piece):
                raise ValueError(f"{name} must be finite; got NaN or infinity")

    def mapped(self, start: int, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Numbers as a map of the file, whose pages several processes share.

        They may be written: the pages are then copied, and the file stays as it is.
        """
        if sys.byteorder == "big":
            raise ValueError("numbers in a file are little-endian; this machine is not")
        offset = self.data_at + start
        page = offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        length = offset - page + size * dtype.itemsize
        pages = mmap.mmap(
            self.file.fileno(), length, access=mmap.ACCESS_COPY, offset=page
        )
        return np.frombuffer(pages, dtype, size, offset - page)

    def skip(self, prefix: str) -> None:
        """Leave the arrays whose names begin so unread."""
        self.unread = {name for name in self.unread if not name.startswith(prefix)}

    def finish(self) -> None:
        """Raise if there are arrays that have not been read."""
        if self.unread:
            names = ", ".join(sorted(self.unread)[:5])
            raise ValueError(f"the file must not have unknown arrays; got {names:.200}")

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise ValueError(f"the array {name!r} is missing")
        self.unread.discard(name)
        return self.entries[name]

    def _read(self, start: int, out: NDArray[Any]) -> None:
        if out.nbytes == 0:
            return
        self.file.seek(self.data_at + start)
        rest = out.reshape(-1).view(np.uint8).data
        while rest:
            count = self.file.readinto(rest)  # type: ignore[attr-defined]
            if not count:
                raise ValueError("the file has become shorter while it was read")
            rest = rest[count:]
        if sys.byteorder == "big":
            out.byteswap(inplace=True)


def _read_header(file: IO[bytes]) -> tuple[dict[str, str], dict[str, Entry], int]:
    """Metadata, entries, and the first byte after the header."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is not a regular file")
    length = int.from_bytes(_first(file, 8), "little")
    if status.st_size < 8 or length > status.st_size - 8:
        raise ValueError(
            f"the header must fit the file of {status.st_size} bytes; "
            f"got a length of {length}"
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
    where = f"the array {name[:80]!r}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{where} must have a dtype, a shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(
            f"the dtype of {where} must be one of {', '.join(DTYPES)}; got {code!r:.40}"
        )
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(
            f"shape and data_offsets of {where} must be lists of whole numbers"
        )
    start, stop = offsets
    expected = math.prod(shape) * DTYPES[code].itemsize
    if stop - start != expected or len(shape) > 32:
        raise ValueError(
            f"{where} of shape {shape!s:.80} must have {expected!s:.40} bytes; "
            f"got {(stop - start)!s:.40}"
        )
    return Entry(DTYPES[code], tuple(shape), start, stop)


def _are_counts(values: Any) -> bool:
    """Whether it is a list of whole numbers from 0 to 2^62."""
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 1 << 62 for value in values
    )


def _require_no_gaps(entries: Mapping[str, Entry], size: int) -> None:
    """Raise unless the arrays cover `size` bytes, one after the other."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1][2:]):
        if entry.start != at:
            raise ValueError(
                f"the array {name[:80]!r} must begin at byte {at}, where the one "
                f"before it ends; got {entry.start}"
            )
        at = entry.stop
    if at != size:
        raise ValueError(f"the arrays must have {size} bytes, the rest; they have {at}")
