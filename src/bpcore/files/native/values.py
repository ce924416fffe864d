"""Values of tables as JSON: names of columns, categories and classes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.quoting import quoted

#: Dtypes of arrays of classes, by their names in a file.
DTYPES = {
    name: np.dtype(name)
    for name in (
        "bool", "object", "float16", "float32", "float64",
        "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    )
}  # fmt: skip
#: The name of dtypes of texts.
TEXT = "text"


def plain_value(what: str, value: Any) -> Any:
    """A text, bool, whole number, finite float or None as itself, for JSON.

    Raises
    ------
    TypeError, ValueError
        If it is another value, which a file cannot hold.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.native.values import plain_value
    >>> plain_value("a category", np.int64(3))
    3
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        if not value.isascii() and _has_surrogates(value):
            raise ValueError(f"{what} must be a text in UTF-8; got {quoted(value)}")
        return str(value)
    if value is not None and not isinstance(value, bool | int | float):
        raise TypeError(
            f"{what} must be a text, a number or a bool to be saved in a file; "
            f"got {quoted(value)} of type {type(value).__name__}"
        )
    if isinstance(value, float) and not np.isfinite(value):
        raise ValueError(f"{what} must be finite to be saved in a file; got {value}")
    return value


def _has_surrogates(text: str) -> bool:
    """Whether a text has half a pair of surrogates, which UTF-8 does not have."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def checked_value(what: str, value: Any) -> Any:
    """A value of a file; raises if it is a list or an object."""
    if isinstance(value, list | dict):
        raise ValueError(
            f"{what} must be a text, a number or a bool; got {quoted(value)}"
        )
    return value


def plain_classes(names: NDArray[Any]) -> dict[str, Any]:
    """An array of classes for JSON: its dtype and its values.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.native.values import classes_of, plain_classes
    >>> plain_classes(np.array(["no", "yes"]))
    {'dtype': 'text', 'values': ['no', 'yes']}
    >>> classes_of(plain_classes(np.array([1, 2], np.int8))).dtype
    dtype('int8')
    """
    dtype = TEXT if names.dtype.kind == "U" else names.dtype.name
    if dtype != TEXT and dtype not in DTYPES:
        raise TypeError(f"classes must not be of dtype {dtype} to be saved in a file")
    values = [plain_value("a class", value) for value in names.tolist()]
    return {"dtype": dtype, "values": values}


def classes_of(plain: Any) -> NDArray[Any]:
    """The array of classes of a file: at least two, in ascending order."""
    if not isinstance(plain, dict) or set(plain) != {"dtype", "values"}:
        raise ValueError(f"classes must have a dtype and values; got {quoted(plain)}")
    dtype, values = plain["dtype"], plain["values"]
    if not isinstance(values, list) or len(values) < 2:
        raise ValueError("classes must be a list of at least 2 values")
    for value in values:
        checked_value("a class", value)
    if dtype == TEXT:
        names = np.array(values)
        valid = all(isinstance(value, str) for value in values)
    elif isinstance(dtype, str) and dtype in DTYPES:
        names = np.array(values, DTYPES[dtype])
        valid = names.tolist() == values
    else:
        raise ValueError(f"the dtype of classes must not be {quoted(dtype)}")
    if not valid or not all(a < b for a, b in itertools.pairwise(values)):
        raise ValueError(
            f"classes must be values of dtype {dtype} in ascending order; "
            f"got {quoted(values)}"
        )
    return names
