"""IDX files, the format of MNIST, plain or compressed with gzip."""

from __future__ import annotations

from gzip import decompress
from math import prod
from os import PathLike, fspath
from pathlib import Path
from struct import unpack_from
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
    data = _read(path)
    dtype, shape, start = _parse_header(path, data)
    n_bytes = prod(shape) * dtype.itemsize
    if len(data) != start + n_bytes:
        expected = f"{n_bytes} bytes of values for {dtype.name} of shape {shape}"
        raise unexpected(path, expected, len(data) - start)
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _read(path: FilePath) -> bytes:
    data = Path(path).read_bytes()
    if not data.startswith(GZIP_MAGIC):
        return data
    try:
        return decompress(data)
    except (EOFError, OSError, ZlibError) as error:
        raise unexpected(path, "whole gzip data", error) from None


def _parse_header(
    path: FilePath, data: bytes
) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return the dtype, the shape and the offset of the first value."""
    if len(data) < 4:
        raise unexpected(path, "an IDX header of at least 4 bytes", len(data))
    zeros, code, n_dims = unpack_from(">HBB", data)
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
    if len(data) < start:
        expected = f"a header of {start} bytes for {n_dims} dimensions"
        raise unexpected(path, expected, len(data))
    return DTYPES[code], unpack_from(f">{n_dims}I", data, 4), start


def unexpected(path: FilePath, expected: str, got: object) -> ValueError:
    """The error for a file that is not as expected."""
    return ValueError(f"{fspath(path)}: expected {expected}; got {got}")
