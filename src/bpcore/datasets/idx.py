"""IDX files, the format of MNIST, plain or compressed with gzip."""

from __future__ import annotations

from gzip import BadGzipFile, GzipFile
from math import inf, prod
from os import PathLike, fspath, fstat
from stat import S_ISREG
from struct import unpack
from sys import maxsize
from typing import Any
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray

FilePath = str | PathLike[str]

# Type codes, the third byte of an IDX file. There is no 0x0A.
DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
MAX_DIMENSIONS = 64  # of a NumPy array
GZIP_MAGIC = b"\x1f\x8b"
#: The most bytes that one byte of gzip data can stand for.
MOST_UNPACKED = 1032
#: Bytes that are read at a time.
CHUNK = 1 << 20


def load_idx(path: FilePath) -> NDArray[Any]:
    """Read an IDX file, the format of MNIST, plain or compressed with gzip.

    An IDX file is two zero bytes, one byte for the type of its values, one for the
    number of dimensions, each dimension as an unsigned 32-bit integer, then the values
    in C order; all of it big-endian.

    Parameters
    ----------
    path : str or path-like
        The file. Its content decides whether it is compressed, not its name.

    Returns
    -------
    ndarray
        The values in the shape that the file declares and in the machine's byte order.
        The dtype follows the type code: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32,
        0x0D float32, 0x0E float64.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not an IDX file, or has fewer or more values than it declares. The
        message names the file, what was expected and what was found.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from bpcore.datasets import load_idx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "three.idx")
    ...     _ = path.write_bytes(bytes([0, 0, 0x08, 1, 0, 0, 0, 3]) + b"abc")
    ...     load_idx(path)
    array([97, 98, 99], dtype=uint8)
    """
    try:
        with open(path, "rb") as file:
            found = fstat(file.fileno())
            size = found.st_size if S_ISREG(found.st_mode) else inf
            if not file.peek(2).startswith(GZIP_MAGIC):
                return _values(path, file, size)
            with GzipFile(fileobj=file) as unpacked:
                return _values(path, unpacked, size * MOST_UNPACKED)
    except (EOFError, BadGzipFile, ZlibError) as error:
        raise unexpected(path, "whole gzip data", error) from None


def _values(path: FilePath, file: Any, most: float) -> NDArray[Any]:
    """The values of a file that can have at most `most` bytes in all."""
    dtype, shape, start = _read_header(path, file)
    n_bytes = prod(shape) * dtype.itemsize
    expected = f"{n_bytes} bytes of values for {dtype.name} of shape {shape}"
    if start + n_bytes > most:  # before any memory is reserved for them
        raise unexpected(path, expected, int(most) - start)
    if prod(n or 1 for n in shape) * dtype.itemsize > maxsize:  # no array, even empty
        raise unexpected(path, f"a shape of at most {maxsize} bytes", shape)
    buffer = bytearray()
    while part := file.read(min(CHUNK, n_bytes + 1 - len(buffer))):
        buffer += part  # grows by what the file has, whatever it announces
    if len(buffer) != n_bytes:
        got = len(buffer) if len(buffer) < n_bytes else f"more than {n_bytes}"
        raise unexpected(path, expected, got)
    values = np.frombuffer(buffer, dtype).reshape(shape)
    native = dtype.newbyteorder("=")
    return values.view(native) if dtype.isnative else values.byteswap(True).view(native)


def _read_header(
    path: FilePath, file: Any
) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return the dtype, the shape and the offset of the first value."""
    data = file.read(4)
    if len(data) < 4:
        raise unexpected(path, "an IDX header of at least 4 bytes", len(data))
    zeros, code, n_dims = unpack(">HBB", data)
    if zeros:
        raise unexpected(
            path, "an IDX file, which starts with 00 00", data[:2].hex(" ")
        )
    if code not in DTYPES:
        known = ", ".join(f"0x{known:02X}" for known in DTYPES)
        raise unexpected(path, f"one of the IDX types {known}", f"0x{code:02X}")
    if not 1 <= n_dims <= MAX_DIMENSIONS:
        raise unexpected(path, f"1 to {MAX_DIMENSIONS} dimensions", n_dims)
    start = 4 + 4 * n_dims
    data = file.read(4 * n_dims)
    if len(data) < 4 * n_dims:
        expected = f"a header of {start} bytes for {n_dims} dimensions"
        raise unexpected(path, expected, 4 + len(data))
    return DTYPES[code], unpack(f">{n_dims}I", data), start


def unexpected(path: FilePath, expected: str, got: object) -> ValueError:
    """The error for a file that is not as expected."""
    return ValueError(f"{fspath(path)}: expected {expected}; got {got}")
