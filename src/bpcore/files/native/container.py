"""Arrays and texts in one file, in the layout of safetensors.

The file is, in this order::

    8 bytes       N, the length of the header, little-endian
    N bytes       the header, JSON: {"__metadata__": {name: text},
                  name: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    the rest      the arrays, C-contiguous and little-endian, one after the other

Offsets are counted from the end of the header.  The arrays cover the rest without gaps.
The last one, `CHECKSUMS`, has a sum of the words of each array before it, which is
compared when that array is read, and the CRC-32 of length and header.  Every reader of
safetensors opens such a file; this one also refuses what it cannot use.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.files.native.header import Entry, header_of, read_header
from bpcore.files.native.parallel import Later, for_each
from bpcore.files.regular import size_of
from bpcore.files.whole import Path, write_whole

#: The name of the array of checksums.
CHECKSUMS = "checksums"
#: Checksums are modulo this.
WORDS = 1 << 64
#: Bytes that are work for a thread of its own.
LARGE = 1 << 20
#: Bytes that are read at a time and checked while they are in a cache.
PIECE = 1 << 20


def write_container(
    path: Path,
    metadata: Mapping[str, str],
    named: Mapping[str, NDArray[Any] | Later],
    aligned: str | None = None,
    *,
    finite: Collection[str] = (),
    with_sums: bool = False,
    sync: bool = True,
) -> None:
    """Write arrays and texts to a file, or leave it as it was.

    Parameters
    ----------
    path : path
    metadata : mapping of str to str
    named : mapping of str to array
        Written in their order, but numbers smaller than those of `aligned` after the
        others, and arrays that are there `Later` last.
    aligned : str, optional
        The name of an array that is to begin at a multiple of 64 bytes.
    finite : collection of str
        The names of arrays that must have finite numbers only.
    with_sums : bool
        Whether to write the array of checksums.
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
    # So each begins at a multiple of the size of its numbers, or of those of `aligned`.
    sizes = {name: array.dtype.itemsize for name, array in named.items()}
    most = sizes[aligned] if aligned else max(sizes.values(), default=1)
    ordered = sorted(
        named.items(),
        key=lambda item: (isinstance(item[1], Later), -min(sizes[item[0]], most)),
    )
    forms = {name: (array.dtype, array.shape) for name, array in ordered}
    if with_sums:
        forms[CHECKSUMS] = np.dtype(np.uint64), (len(ordered) + 1,)
    waiting = [array for _, array in ordered if isinstance(array, Later)]

    def checked() -> NDArray[Any]:
        sums = [_checked_sum(name, _stored(a), name in finite) for name, a in ordered]
        return np.array([*sums, zlib.crc32(head)], np.uint64)

    head, size = header_of(metadata, forms, aligned)
    try:
        for later in waiting:
            later.begin()
        sums: NDArray[Any] | Later
        if size < LARGE:
            sums = checked()
        else:
            sums = Later(checked, (len(ordered) + 1,), np.dtype(np.uint64))
            waiting.append(sums)
            sums.begin()

        def parts() -> Iterator[Any]:
            yield head
            for _, array in ordered:
                yield _stored(array)
            found = _stored(sums)  # raises if something was not finite
            if with_sums:
                yield found

        write_whole(path, parts(), size=size, sync=sync)
    finally:
        for later in waiting:
            later.join()  # no thread stays, whatever has happened


def _stored(array: NDArray[Any] | Later) -> NDArray[Any]:
    """An array as it is written: contiguous and little-endian."""
    found = array.array() if isinstance(array, Later) else array
    return np.ascontiguousarray(found, found.dtype.newbyteorder("<"))


def _checked_sum(name: str, array: NDArray[Any], must_be_finite: bool) -> int:
    """The checksum of an array, whose pieces are checked while they are in a cache."""
    total, flat, step = 0, array.reshape(-1), PIECE // max(1, array.itemsize)
    for i in range(0, flat.size, step):
        piece = flat[i : i + step]
        if must_be_finite and not arrays.all_finite(piece):
            raise ValueError(
                f"{name} must be finite to be saved in a file; got NaN or infinity"
            )
        total += checksum(piece)
    return total % WORDS


def _little(array: NDArray[Any]) -> NDArray[Any]:
    """An array with its bytes in the order of the file."""
    return array if sys.byteorder == "little" else array.byteswap()


def checksum(piece: NDArray[Any]) -> int:
    """The sum of the bytes of a 1-D array as words of 64 bits, modulo 2^64.

    The last word is filled up with zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.native.container import checksum
    >>> checksum(np.array([1, 2], np.uint8))
    513
    """
    octets = piece.view(np.uint8)
    whole = octets.size // 8 * 8
    words = np.add.reduce(octets[:whole].view("<u8"), dtype=np.uint64)
    rest = int.from_bytes(octets[whole:].tobytes(), "little")
    return (int(words) + rest) % WORDS


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
        self.metadata, self.entries, self.data_at = read_header(file)
        self.unread = set(self.entries)
        self.lock = threading.Lock()
        self.sums = self._checksums()

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Container]:
        """Open a file, for a ``with`` block.

        Raises
        ------
        OSError
            If it cannot be opened.
        ValueError
            If it is no regular file, or does not have this layout.
        """
        size_of(path)  # raises for a pipe, whose opening would wait
        with open(path, "rb", buffering=0) as file:
            yield cls(file)

    def array(self, name: str) -> NDArray[Any]:
        """A copy of an array."""
        entry = self._entry(name)
        out = np.empty(entry.shape, entry.dtype)
        self._read(entry.start, out)
        if out.size:
            self._require_sum(name, checksum(_little(out.reshape(-1))))
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

    def read_numbers(self, arrays_out: Mapping[str, NDArray[Any]]) -> None:
        """Read arrays of real numbers, which must be finite, into those given by name.

        Their dtypes and shapes must be those of the file.
        """
        pieces: list[tuple[str, int, NDArray[Any]]] = []
        for name, out in arrays_out.items():
            entry, flat = self._entry(name), out.reshape(-1)
            if entry.dtype != out.dtype or entry.shape != out.shape:
                raise ValueError(
                    f"{name} must have shape {out.shape} and dtype {out.dtype}; got "
                    f"{entry.shape} and {entry.dtype}"
                )
            step = PIECE // out.itemsize
            pieces += [
                (name, entry.start + i * out.itemsize, flat[i : i + step])
                for i in range(0, flat.size, step)
            ]
        sums: dict[str, list[int]] = {name: [] for name in arrays_out}

        def read(job: tuple[str, int, NDArray[Any]]) -> None:
            """Read a piece, and check it while it is in a cache."""
            name, start, piece = job
            self._read(start, piece)
            sums[name].append(checksum(_little(piece)))
            if not arrays.all_finite(piece):
                raise ValueError(f"{name} must be finite; got NaN or infinity")

        size = sum(out.nbytes for out in arrays_out.values())
        for_each(read, pieces, most=size // LARGE)
        for name, found in sums.items():
            self._require_sum(name, sum(found) % WORDS)

    def mapped(self, start: int, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Numbers as a map of the file, whose pages several processes share.

        They may be written: the pages are then copied, and the file stays as it is.
        """
        if sys.byteorder == "big":
            raise ValueError("numbers in a file are little-endian; this machine is not")
        offset = self.data_at + start
        if offset % dtype.itemsize:
            raise ValueError(
                f"numbers that are mapped must begin at a multiple of {dtype.itemsize} "
                f"bytes; got {offset}: load it without mmap"
            )
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

    def _checksums(self) -> dict[str, int]:
        """The checksum of each array but the last one; none if there are none."""
        if CHECKSUMS not in self.entries:
            return {}
        *names, last = sorted(self.entries, key=lambda name: self.entries[name][2:])
        entry = self._entry(CHECKSUMS)
        if last != CHECKSUMS or entry[:2] != (np.dtype(np.uint64), (len(names) + 1,)):
            raise ValueError(
                f"{CHECKSUMS} must be the last array, with a uint64 for each other one "
                "and one for the header"
            )
        sums = np.empty(len(names) + 1, np.uint64)
        self._read(entry.start, sums)
        *of_arrays, of_header = sums.tolist()
        head = np.empty(self.data_at, np.uint8)
        self._read(-self.data_at, head)
        if zlib.crc32(head.tobytes()) != of_header:
            raise ValueError("the header is damaged: its checksum differs")
        return dict(zip(names, of_arrays, strict=True))

    def _require_sum(self, name: str, found: int) -> None:
        if self.sums.get(name, found) != found:
            raise ValueError(
                f"the array {name[:80]!r} is damaged: its checksum differs"
            )

    def _read_at(self, at: int, out: Any) -> int:
        """Read bytes from a place on; the number of those that were read."""
        if hasattr(os, "preadv"):  # several threads may read at once
            return os.preadv(self.file.fileno(), [out], at)
        with self.lock:
            self.file.seek(at)
            count: int = self.file.readinto(out)  # type: ignore[attr-defined]
            return count

    def _entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise ValueError(f"the array {name!r} is missing")
        self.unread.discard(name)
        return self.entries[name]

    def _read(self, start: int, out: NDArray[Any]) -> None:
        if out.nbytes == 0:
            return
        rest, at = out.reshape(-1).view(np.uint8).data, self.data_at + start
        while rest:
            count = self._read_at(at, rest)
            if not count:
                raise ValueError("the file has become shorter while it was read")
            rest, at = rest[count:], at + count
        if sys.byteorder == "big":
            out.byteswap(inplace=True)
