"""The native file: a container with one JSON text that describes what is in it.

``__metadata__`` of the container has "format": "bpcore", and "bpcore", a JSON text::

    {"format": 1, "writer": "0.1.0", "kind": "network", ...}

What follows depends on the kind.  Files of every format ever released can be read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from numpy.typing import NDArray

from bpcore.errors import ModelFileError
from bpcore.files.native.container import Container, write_container
from bpcore.files.regular import errors_of
from bpcore.files.strict_json import as_json, parse_json
from bpcore.files.whole import Path
from bpcore.quoting import quoted
from bpcore.version import VERSION

#: The number of the format that is written.
FORMAT = 1

#: What files of other kinds begin with.
OTHERS = {
    b"PK\x03\x04": "a zip file, such as NumPy's .npz, PyTorch's .pt, or Keras' .keras, "
    "which bpcore.from_keras reads",
    b"\x89HDF": "an HDF5 file; bpcore.from_keras reads Keras' .weights.h5",
    b"FANN": "a network of FANN; bpcore.from_fann reads it",
    b"\x80": "a pickle",
    b"\x93NUMPY": "an array of NumPy",
    b"\x1f\x8b": "a gzip file",
    b"GGUF": "a GGUF file",
}


#: Suffixes of other forms, and what writes them.
OTHER_SUFFIXES = {
    ".onnx": "to_onnx",
    ".h": "to_c",
    ".net": "bpcore.to_fann",
    ".pt": "bpcore.to_torch",
    ".pth": "bpcore.to_torch",
    ".keras": "bpcore.to_keras",
    ".h5": "bpcore.to_keras",
    ".npz": "numpy.savez",
    ".pkl": "pickle.dump",
    ".pickle": "pickle.dump",
}


def require_native_suffix(path: Path) -> None:
    """Raise if a path has the suffix of another form than the native one.

    Examples
    --------
    >>> from bpcore.files.native.model_file import require_native_suffix
    >>> require_native_suffix("net.onnx")
    Traceback (most recent call last):
        ...
    ValueError: path must not end in .onnx, which to_onnx writes; got 'net.onnx'
    """
    path = os.fsdecode(path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in OTHER_SUFFIXES:
        raise ValueError(
            f"path must not end in {suffix}, which {OTHER_SUFFIXES[suffix]} writes; "
            f"got {quoted(path)}"
        )


def write_model(
    path: Path,
    kind: str,
    content: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    finite: Collection[str] = (),
    sync: bool = True,
) -> None:
    """Write a model to a file, or leave it as it was; its first array is aligned.

    The arrays in `finite` must have finite numbers only.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from bpcore.files.native.model_file import opened_model, write_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "a.bpc")
    ...     write_model(path, "numbers", {"unit": "m"}, {"a": np.ones(2)})
    ...     with opened_model(path) as (content, file):
    ...         print(content["kind"], content["unit"], file.array("a"))
    numbers m [1. 1.]
    """
    require_native_suffix(path)
    text = as_json({"format": FORMAT, "writer": VERSION, "kind": kind, **content})
    metadata = {"format": "bpcore", "bpcore": text}
    first = next(iter(arrays), None)
    write_container(
        path, metadata, arrays, first, finite=finite, with_sums=True, sync=sync
    )


@contextmanager
def opened_model(path: Path) -> Iterator[tuple[dict[str, Any], Container]]:
    """Content and arrays of a file, for a ``with`` block that must read all arrays.

    Raises
    ------
    OSError
        If it cannot be opened.
    ModelFileError
        If it is not such a file, or the block raises since something is wrong in it.
    """
    path = os.fsdecode(path)
    with errors_of(path):
        try:
            with Container.opened(path) as file:
                yield _content(file), file
                file.finish()
        except ModelFileError:  # no regular file, which cannot be looked into
            raise
        except (ValueError, TypeError, LookupError, OverflowError):
            if kind := kind_of(path):
                raise ValueError(f"it is {kind}") from None
            raise


def _content(file: Container) -> dict[str, Any]:
    """The JSON text of a container."""
    if "bpcore" in file.metadata and not file.sums and file.entries:
        raise ValueError("the array 'checksums' is missing")
    if "bpcore" not in file.metadata:
        raise ValueError(
            "it is a safetensors file without a model of bpcore; "
            "bpcore.from_torch reads weights from such files"
        )
    content = parse_json(file.metadata["bpcore"].encode())
    if not isinstance(content, dict):
        raise ValueError("the text 'bpcore' must be a JSON object")
    number = content.pop("format", None)
    if type(number) is not int or number < 1:
        raise ValueError(f"format must be a whole number; got {quoted(number)}")
    writer = content.pop("writer", None)
    if not isinstance(writer, str):
        raise ValueError(f"writer must be a text; got {quoted(writer)}")
    if number > FORMAT:
        raise ValueError(
            f"it has format {number}, written by bpcore {writer:.40}; this version, "
            f"{VERSION}, reads formats up to {FORMAT}: install a newer one"
        )
    if not isinstance(content.get("kind"), str):
        raise ValueError("kind must be a text")
    return content


def kind_of(path: Path) -> str:
    r"""What a file of another kind is, in words; empty if it is not known.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from bpcore.files.native.model_file import kind_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "a.npy")
    ...     size = path.write_bytes(b"\x93NUMPY")
    ...     print(kind_of(path))
    an array of NumPy
    """
    with open(path, "rb") as file:
        first = file.read(16)
    if not first:
        return "empty"
    return next((what for magic, what in OTHERS.items() if first.startswith(magic)), "")


def require_keys(what: str, content: Any, *names: str) -> None:
    """Raise unless `content` is an object with these keys and no others.

    Examples
    --------
    >>> from bpcore.files.native.model_file import require_keys
    >>> require_keys("scale", {"centre": 0.0}, "centre", "factor")
    Traceback (most recent call last):
        ...
    ValueError: scale must be an object with centre, factor; got centre
    """
    if not isinstance(content, dict) or set(content) != set(names):
        got = ", ".join(content) if isinstance(content, dict) else quoted(content)
        raise ValueError(
            f"{what} must be an object with {', '.join(names)}; got {got:.200}"
        )
