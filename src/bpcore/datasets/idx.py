"""Data sets in the form `Network.fit` takes: rows of floats and integer labels.

`load_digits` needs nothing but the package; `load_mnist` and `load_idx` read files of
the user's.
"""

from __future__ import annotations

from gzip import decompress
from importlib.resources import files
from math import prod
from os import PathLike, fspath
from pathlib import Path
from struct import unpack_from
from typing import Any
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray

__all__ = ["load_digits", "load_idx", "load_mnist"]

Images = NDArray[np.float32]
Labels = NDArray[np.int64]
FilePath = str | PathLike[str]

# The third byte of an IDX file names the type of its values. There is no 0x0A.
_IDX_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_MAX_DIMENSIONS = 64  # of a NumPy array
_GZIP_MAGIC = b"\x1f\x8b"

_MNIST_SIDE = 28
_MNIST_CLASSES = 10


def load_digits() -> tuple[Images, Labels]:
    """Return the 1797 handwritten digits shipped with the package.

    The images are the test part of *Optical Recognition of Handwritten Digits*
    (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0), in
    their order there.

    Returns
    -------
    X : ndarray of float32, shape (1797, 64)
        One image of 8 x 8 pixels per row: ``X = grey / 16``, where ``grey`` is a whole
        number from 0 (paper) to 16 (ink).
    y : ndarray of int64, shape (1797,)
        The digit that each image shows, 0 to 9.

    Examples
    --------
    >>> from bpcore.datasets import load_digits
    >>> X, y = load_digits()
    >>> X.shape, y[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    file = files(__package__) / "data" / "digits.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return _scaled(archive["pixels"], 16), archive["labels"].astype(np.int64)


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
        If it is not an IDX file, or holds fewer or more values than it declares. The
        message names the file, what was expected and what came.

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
    dtype, shape, start = _parse_idx_header(path, data)
    n_bytes = prod(shape) * dtype.itemsize
    if len(data) != start + n_bytes:
        expected = f"{n_bytes} bytes of values for {dtype.name} of shape {shape}"
        raise _surprise(path, expected, len(data) - start)
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def load_mnist(
    directory: FilePath,
) -> tuple[Images, Labels, Images, Labels]:
    """Read the four MNIST files, or those of a data set made in its image.

    Parameters
    ----------
    directory : str or path-like
        The folder that holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``. Each may end in
        ``.gz``, and ``.idx`` may stand for ``-idx``.

    Returns
    -------
    X_train, y_train, X_test, y_test : tuple of ndarray
        `X` is float32 of shape (n, 784), one image of 28 x 28 pixels per row:
        ``X = grey / 255``. `y` is int64 of shape (n,), 0 to 9. MNIST has 60,000 images
        for training and 10,000 for the test.

    Raises
    ------
    FileNotFoundError
        If a file is missing. The message names the folder and the names looked for.
    OSError
        If a file cannot be read.
    ValueError
        If a file is not what its name says: not IDX, not bytes, not 28 x 28, a label
        above 9, or not as many labels as images.

    Examples
    --------
    >>> from bpcore.datasets import load_mnist
    >>> X_train, y_train, X_test, y_test = load_mnist("mnist")  # doctest: +SKIP
    >>> X_train.shape, y_test.shape  # doctest: +SKIP
    ((60000, 784), (10000,))
    """
    folder = Path(directory)
    # All four are looked for before the first is read, so that none is missed late.
    train, test = (
        (_find(folder, part, "images-idx3"), _find(folder, part, "labels-idx1"))
        for part in ("train", "t10k")
    )
    return *_load_part(*train), *_load_part(*test)


def _scaled(grey: NDArray[np.uint8], white: int) -> Images:
    """Return ``grey / white`` as float32, with no float64 array on the way."""
    scaled: Images = np.divide(grey, white, dtype=np.float32)
    return scaled


def _read(path: FilePath) -> bytes:
    data = Path(path).read_bytes()
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        return decompress(data)
    except (EOFError, OSError, ZlibError) as error:
        raise _surprise(path, "whole gzip data", error) from None


def _parse_idx_header(
    path: FilePath, data: bytes
) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return the dtype, the shape and the offset of the first value."""
    if len(data) < 4:
        raise _surprise(path, "an IDX header of at least 4 bytes", len(data))
    zeros, code, n_dims = unpack_from(">HBB", data)
    if zeros:
        raise _surprise(path, "an IDX file, which starts with 00 00", data[:2].hex(" "))
    if code not in _IDX_DTYPES:
        known = ", ".join(f"0x{known:02X}" for known in _IDX_DTYPES)
        raise _surprise(path, f"one of the IDX types {known}", f"0x{code:02X}")
    if not 1 <= n_dims <= _MAX_DIMENSIONS:
        raise _surprise(path, f"1 to {_MAX_DIMENSIONS} dimensions", n_dims)
    start = 4 + 4 * n_dims
    if len(data) < start:
        expected = f"a header of {start} bytes for {n_dims} dimensions"
        raise _surprise(path, expected, len(data))
    return _IDX_DTYPES[code], unpack_from(f">{n_dims}I", data, 4), start


def _find(folder: Path, part: str, kind: str) -> Path:
    """Return the path of one MNIST file under whichever of its names is there."""
    stems = (f"{part}-{kind}-ubyte", f"{part}-{kind.replace('-', '.')}-ubyte")
    names = [stem + suffix for stem in stems for suffix in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    fault = "lacks an MNIST file" if folder.is_dir() else "is not a folder"
    raise FileNotFoundError(f"{folder} {fault}: looked for {', '.join(names)}")


def _load_part(images_path: Path, labels_path: Path) -> tuple[Images, Labels]:
    images, labels = load_idx(images_path), load_idx(labels_path)
    side = _MNIST_SIDE
    if images.dtype != np.uint8 or images.shape[1:] != (side, side):
        expected = f"uint8 images of shape (n, {side}, {side})"
        raise _surprise(images_path, expected, f"{images.dtype} {images.shape}")
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        expected = f"uint8 labels of shape {images.shape[:1]}, one per image"
        raise _surprise(labels_path, expected, f"{labels.dtype} {labels.shape}")
    if labels.max(initial=0) >= _MNIST_CLASSES:
        raise _surprise(labels_path, "labels from 0 to 9", labels.max())
    return _scaled(images.reshape(-1, side * side), 255), labels.astype(np.int64)


def _surprise(path: FilePath, expected: str, got: object) -> ValueError:
    return ValueError(f"{fspath(path)}: expected {expected}; got {got}")
