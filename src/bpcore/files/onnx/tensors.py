"""Tensors: arrays of ``TensorProto`` messages, without copies of their bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errors import ModelFileError
from bpcore.files.onnx.decode import Message

#: Names of some of ``TensorProto.DataType``, for messages.
NAMES = {
    2: "UINT8",
    3: "INT8",
    8: "STRING",
    10: "FLOAT16",
    14: "COMPLEX64",
    16: "BFLOAT16",
}

#: Those that can be read: {type: dtype, field of its numbers if they are not raw}.
TYPES = {
    1: ("<f4", "float_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("?", "int32_data"),
    11: ("<f8", "double_data"),
}

#: The most axes of a tensor.
MOST_AXES = 8


def array_of(tensor: Message) -> NDArray[Any]:
    """The array of a tensor, read-only.

    Raises
    ------
    ModelFileError
        If its type cannot be read, its shape does not agree with its bytes, or its
        bytes are in another file.

    Examples
    --------
    >>> from bpcore.files.onnx.tensors import array_of
    >>> array_of({"dims": [2], "data_type": 1, "raw_data": bytes(8)})
    array([0., 0.], dtype=float32)
    """
    name = f"tensor {tensor.get('name', '')[:80]!r}"
    if tensor.get("data_location") or tensor.get("external_data"):
        raise ModelFileError(
            f"{name}: its numbers are in another file: write one file, as by "
            "torch.onnx.export(..., external_data=False), or "
            'onnx.save(onnx.load("x.onnx"), "one.onnx")'
        )
    kind = tensor.get("data_type", 0)
    if kind not in TYPES:
        raise ModelFileError(
            f"{name}: has type {NAMES.get(kind, kind)}; FLOAT, DOUBLE, INT32, INT64 "
            "and BOOL can be read"
        )
    dtype, field = TYPES[kind]
    shape = tuple(tensor.get("dims", ()))
    if len(shape) > MOST_AXES or any(size < 0 for size in shape):
        raise ModelFileError(f"{name}: has shape {list(shape[: MOST_AXES + 1])}")
    flat = _numbers(tensor, np.dtype(dtype), field)
    if flat.size != math.prod(shape):
        raise ModelFileError(
            f"{name}: has shape {list(shape)}, and {flat.size:,} numbers"
        )
    return flat.reshape(shape)


def _numbers(tensor: Message, dtype: np.dtype[Any], field: str) -> NDArray[Any]:
    """The numbers of a tensor, in one axis."""
    name = f"tensor {tensor.get('name', '')[:80]!r}"
    given = [key for key in ("raw_data", *_FIELDS) if len(tensor.get(key, ()))]
    if len(given) > 1 or (given and given[0] not in ("raw_data", field)):
        raise ModelFileError(f"{name}: has numbers in {' and '.join(given)}")
    if not given:
        return np.empty(0, dtype)
    values = tensor[given[0]]
    if given[0] == "raw_data":
        if len(values) % dtype.itemsize:
            raise ModelFileError(f"{name}: {len(values):,} bytes are no whole numbers")
        return np.frombuffer(values, dtype)
    if dtype.kind == "f":
        parts = [np.frombuffer(part, dtype) for part in values]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    wide = np.array(values, np.int64)
    if (wide != wide.astype(dtype)).any():
        raise ModelFileError(f"{name}: has numbers beyond its type")
    return wide.astype(dtype)


_FIELDS = ("float_data", "double_data", "int32_data", "int64_data", "string_data")
