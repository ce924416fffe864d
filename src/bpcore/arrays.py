"""Conversion of arguments to arrays for the kernels.

A list, an array of any library, a table or a column becomes a C-contiguous NumPy array
of float32 or float64; an array that is so already is used in place.  Each function
returns the array, or raises an error that names the argument.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import numbers
import sys
from collections.abc import Collection, Sequence
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore.engine.dispatch import kernels
from bpcore.engine.engine import labels_below
from bpcore.errstate import own_errstate
from bpcore.quoting import quoted

#: An array of float32 or float64.
Real = NDArray[Any]

#: Types of a number that need no further checks.
NUMBERS = frozenset((float, int, np.float64, np.float32))

#: The dtype of class labels.
LABELS = np.dtype(np.int64)

#: The most axes of an array of NumPy.
MOST_AXES = 64

#: The largest finite number of each dtype of a network.
LARGEST = {
    np.dtype(dtype): float(np.finfo(dtype).max) for dtype in (np.float32, np.float64)
}


def all_finite(array: Real) -> bool:
    """Whether a C-contiguous array of a network's dtype has no NaN and no infinity.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.all_finite(np.array([1.0, np.nan]))
    False
    """
    largest = LARGEST[array.dtype]
    finite: bool = kernels.all_between(array.reshape(-1), -largest, largest)
    return finite


def all_between(array: Real, least: float, most: float) -> bool:
    """Whether all elements of a C-contiguous array are finite and in least .. most.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.all_between(np.array([0.0, 1.0]), 0.0, 1.0)
    True
    """
    largest = LARGEST[array.dtype]
    within: bool = kernels.all_between(
        array.reshape(-1), max(least, -largest), min(most, largest)
    )
    return within


def as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """`value` as an array of real numbers of any dtype.

    Examples
    --------
    >>> from bpcore import arrays
    >>> arrays.as_array("X", [[1, 2], [3, 4.5]])
    array([[1. , 2. ],
           [3. , 4.5]])
    >>> arrays.as_array("X", [1, "a"])
    Traceback (most recent call last):
        ...
    TypeError: X must hold real numbers; got dtype <U21
    """
    array = value if type(value) is np.ndarray else _from_any(name, value)
    dtype = array.dtype
    if dtype in LARGEST:
        return array
    if dtype.kind == "O":
        return _from_objects(name, value, array)
    if dtype.isbuiltin == 2 and np.can_cast(dtype, np.float64):  # such as bfloat16
        return cast(array, np.dtype(np.float64))
    if dtype.kind not in "fiub":
        got = type(value).__name__ if array.ndim == 0 else f"dtype {dtype}"
        raise TypeError(f"{name} must hold real numbers; got {got}")
    return array


def as_contiguous(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> Real:
    """`value` as a C-contiguous array of the dtype; `value` itself if it is one.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> X = np.ones((2, 3))
    >>> arrays.as_contiguous("X", X, X.dtype) is X
    True
    """
    array: Any = value
    if not (
        type(array) is np.ndarray
        and array.dtype == dtype
        and array.flags.c_contiguous
        and array.flags.aligned
    ):
        array = cast(as_array(name, value), dtype, ["C", "A"])
    return array


def as_finite(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> Real:
    """`as_contiguous`, with all elements checked to be finite.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.as_finite("y", [1, 2], np.dtype("float32"))
    array([1., 2.], dtype=float32)
    >>> arrays.as_finite("y", [1, 1e39], np.dtype("float32"))
    Traceback (most recent call last):
        ...
    ValueError: y must be finite in float32; got 1e+39 at [1]
    """
    array = as_contiguous(name, value, dtype)
    if not all_finite(array):
        raise_not_finite(name, value, array)
    return array


def raise_not_finite(name: str, value: ArrayLike, array: Real) -> NoReturn:
    """Raise for the first element of `array`, converted from `value`, not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> X = np.array([[1.0, np.inf]])
    >>> arrays.raise_not_finite("X", X, X)
    Traceback (most recent call last):
        ...
    ValueError: X must be finite in float64; got inf at [0, 1]
    """
    at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise ValueError(
        f"{name} must be finite in {array.dtype.name}; "
        f"got {as_array(name, value)[at]} at {list(at)}"
    )


@own_errstate
def cast(
    array: NDArray[Any], dtype: np.dtype[Any], layout: Sequence[Literal["C", "A"]] = ()
) -> NDArray[Any]:
    """The array converted to a dtype; numbers beyond its range become infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.cast(np.array([1.0, 1e39]), np.dtype("float32"))
    array([ 1., inf], dtype=float32)
    """
    return np.require(array, dtype, [*layout])


def as_rows(name: str, value: ArrayLike, n_in: int, dtype: np.dtype[Any]) -> Real:
    """`value` as an array (n, n_in) of at least one row.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.as_rows("X", [[1, 2]], 3, np.dtype("float64"))
    Traceback (most recent call last):
        ...
    ValueError: X must have shape (n, 3) with n at least 1; got (1, 2)
    """
    array = as_finite(name, value, dtype)
    if array.ndim != 2 or array.shape[1] != n_in or array.shape[0] == 0:
        raise ValueError(
            f"{name} must have shape (n, {n_in}) with n at least 1; got {array.shape}"
        )
    return array


def as_labels(name: str, labels: NDArray[Any], n: int, n_out: int) -> NDArray[np.int64]:
    """Integer labels (n,) as int64, all in 0 .. n_out - 1.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.as_labels("y", np.array([0, 3]), 2, 3)
    Traceback (most recent call last):
        ...
    ValueError: y must hold labels in 0 .. 2; got 3
    """
    if labels.shape != (n,):
        raise ValueError(
            f"{name} must have shape ({n},) for labels or ({n}, {n_out}); "
            f"got {labels.shape}"
        )
    whole: NDArray[np.int64] = as_contiguous(name, labels, LABELS)
    if not labels_below(whole, n_out):
        low, high = labels.min(), labels.max()
        raise ValueError(
            f"{name} must hold labels in 0 .. {n_out - 1}; got "
            f"{low if low < 0 else high}"
        )
    return whole


#: Largest ratio of two sample weights above 0.
LARGEST_RATIO = 2.0**500


def as_weights(
    name: str, value: ArrayLike | None, n: int, *, some: bool = True
) -> NDArray[np.float64] | None:
    """Sample weights (n,) as float64, not negative; None stays None.

    With `some`, at least one must be above 0.

    Examples
    --------
    >>> from bpcore import arrays
    >>> arrays.as_weights("sample_weight", [1, 2], 2)
    array([1., 2.])
    """
    if value is None:
        return None
    weights: NDArray[np.float64] = as_finite(name, value, np.dtype(np.float64))
    if weights.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},); got {weights.shape}")
    check_weights(name, weights, some=some)
    return weights


def check_weights(
    name: str, weights: NDArray[np.float64], *, some: bool = True
) -> None:
    """Raise if weights are negative, too far apart, or with `some` all 0.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.check_weights("w", np.array([1.0, -1.0]))
    Traceback (most recent call last):
        ...
    ValueError: w must not be negative nor all zero; got values from -1.0 to 1.0
    """
    least, largest = float(weights.min()), float(weights.max())
    if math.isinf(largest):
        raise ValueError(f"{name} times sample_weight must be finite; got {largest}")
    if least < 0 or (some and largest == 0):
        raise ValueError(
            f"{name} must not be negative {'nor all zero' if some else 'anywhere'}; "
            f"got values from {least} to {largest}"
        )
    # Their sums must be finite when the largest is scaled to 1.
    flat = weights.reshape(-1)
    if not all_between(flat, largest / LARGEST_RATIO, largest):
        least = float(flat[flat > 0].min(initial=math.inf))
        if least < largest / LARGEST_RATIO:
            raise ValueError(
                f"{name} must not differ by more than a factor of {LARGEST_RATIO:.0e}; "
                f"got {least} and {largest}"
            )


def as_out(out: object, shape: tuple[int, ...], dtype: Any, *inputs: Real) -> Real:
    """`out`, checked: writable, of this shape and dtype, sharing no input's memory.

    A subclass becomes a view of the base class first: it may have attributes that are
    not those of its memory.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> out = np.empty((2, 3))
    >>> arrays.as_out(out, (2, 3), np.float64) is out
    True
    """
    if not issubclass(type(out), np.ndarray) or _is_masked(out):
        raise TypeError(f"out must be a NumPy array; got {type(out).__name__}")
    out = np.asarray(out)
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out must have shape {shape} and dtype {np.dtype(dtype).name}; "
            f"got {out.shape} and {out.dtype}"
        )
    for fits, expected, got in (
        (out.flags.writeable, "writable", "read-only"),
        (out.flags.c_contiguous, "C-contiguous", "strided"),
        (out.flags.aligned, "aligned", "misaligned"),
    ):
        if not fits:
            raise ValueError(f"out must be {expected}; got a {got} array")
    if any(np.may_share_memory(out, array) for array in inputs):
        raise ValueError("out must not share memory with the input; got one that does")
    return out


def reject_masked(name: str, value: object) -> None:
    """Raise for a masked array, also without masked elements, and for lists of them.

    Else the numbers under the mask would be used.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.reject_masked("X", [np.ma.masked_equal([1.0, 2.0], 1.0)])
    Traceback (most recent call last):
        ...
    TypeError: X must hold real numbers, none masked; got a list
    """
    if _is_masked(value):
        kind = type(value).__name__
        raise TypeError(f"{name} must hold real numbers, none masked; got a {kind}")


def reject_times(name: str, value: Any) -> None:
    """Raise for dates and times, which scikit-learn's checks convert to numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import arrays
    >>> arrays.reject_times("X", np.array(["2020"], dtype="M8[D]"))
    Traceback (most recent call last):
        ...
    TypeError: X must hold real numbers; got dtype datetime64[D]
    """
    _reject_times(name, value)
    if isinstance(value, list | tuple):
        with contextlib.suppress(ValueError, TypeError):
            value = np.asarray(value[:1])  # the first row
    frame = _is_pandas(value) and value.ndim == 2
    for dtype in value.dtypes if frame else (getattr(value, "dtype", None),):
        if getattr(dtype, "kind", "") in ("m", "M"):
            raise TypeError(f"{name} must hold real numbers; got dtype {dtype}")


def has_keys(value: object) -> bool:
    """Whether it has labels and values, as a mapping or a pandas Series.

    Examples
    --------
    >>> from bpcore import arrays
    >>> arrays.has_keys({0: 1.5}), arrays.has_keys([1.5])
    (True, False)
    """
    return hasattr(value, "keys") and hasattr(value, "items")


@own_errstate
def norm(array: NDArray[Any]) -> float:
    """The Frobenius norm in float64, without overflow or underflow of squares.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.arrays import norm
    >>> norm(np.array([[3.0, 4.0]])), norm(2.0**600 * np.array([3.0, 4.0])) / 2.0**600
    (5.0, 5.0)
    """
    flat = np.ravel(array)
    largest = float(np.abs(flat).max(initial=0.0))
    exponent = math.frexp(largest)[1]
    if abs(exponent) > 500 and math.isfinite(largest):
        return float(np.ldexp(norm(np.ldexp(flat, -exponent)), exponent))
    # einsum converts float32 by blocks, which is faster than to convert all first.
    return float(np.sqrt(np.einsum("i,i->", flat, flat, dtype=np.float64)))


# --- from lists, tables, columns and arrays of other libraries ------------------------


def _from_any(name: str, value: Any) -> NDArray[Any]:
    """A list, number, table, column or array of another library, as an array."""
    if type(value) in NUMBERS:
        return np.asarray(value)
    kind = type(value).__name__
    reject_masked(name, value)
    dtype, missing = None, {}
    _reject_times(name, value)
    if _is_pandas(value):
        dtype = _pandas_dtype(name, value)
        missing = {"na_value": np.nan} if dtype.kind == "f" else {}
    try:
        if dtype is not None:
            return np.asarray(value.to_numpy(dtype, **missing))
        found = np.asanyarray(value)  # masked, if its __array__ returns a masked one
        array: NDArray[Any] = np.asarray(found)
        if array.shape == () and array.dtype == object and _has(value, "__dlpack__"):
            array = np.from_dlpack(value)
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(value, list | tuple) and isinstance(error, ValueError):
            raise ValueError(
                f"{name} must be a regular array of real numbers; got a ragged {kind}"
            ) from error
        failure = ValueError if isinstance(error, ValueError) else TypeError
        raise failure(
            f"{name} must hold real numbers; got a {kind} that cannot be converted "
            f"to an array: {error}"
        ) from error
    reject_masked(name, found)
    return array


def _has(value: object, method: str) -> bool:
    """Whether its class has the attribute; properties are not evaluated."""
    return hasattr(type(value), method)


def _is_masked(value: object) -> bool:
    """Whether it is a masked array, or lists with one, without importing numpy.ma."""
    masked: Any = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    if masked is None or not isinstance(value, list | tuple):
        return masked is not None and isinstance(value, masked)
    lists: Collection[Any] = [value]
    for _ in range(MOST_AXES):  # a list may contain itself
        kinds = set(map(type, itertools.chain.from_iterable(lists)))
        if any(issubclass(kind, masked) for kind in kinds):
            return True
        nested = tuple(kind for kind in kinds if issubclass(kind, list | tuple))
        if not nested:
            break
        elements = itertools.chain.from_iterable(lists)
        inner = (each for each in elements if isinstance(each, nested))
        lists = {id(each): each for each in inner}.values()
    return False


def _reject_times(name: str, value: Any) -> None:
    """Raise for a table or column of polars with dates or times.

    Its `__array__` would convert them to numbers, if other columns are numbers.  Only
    its interface is used: polars is not imported.
    """
    columns: dict[Any, Any] = {}
    if _has(value, "schema") and not _has(value, "collect"):
        schema = value.schema
        if has_keys(schema):
            columns = dict(schema)
    elif _has(value, "dtype") and not isinstance(value, np.ndarray | np.generic):
        columns = {getattr(value, "name", name) or name: value.dtype}
    for column, dtype in columns.items():
        if _holds_times(dtype):
            raise TypeError(
                f"{name} must hold real numbers; got dtype {dtype} in {quoted(column)}"
            )


def _holds_times(dtype: Any) -> bool:
    """Whether a dtype of polars, or a part of it, is one of dates or times."""
    if not hasattr(dtype, "is_temporal"):
        return False
    parts = [field.dtype for field in getattr(dtype, "fields", ())]  # of a Struct
    parts += [dtype.inner] if hasattr(dtype, "inner") else []  # of a List
    return bool(dtype.is_temporal()) or any(map(_holds_times, parts))


def _is_pandas(value: object) -> bool:
    """Whether it has the interface of pandas, without importing pandas."""
    return _has(value, "isna") and _has(value, "to_numpy")


def _pandas_dtype(name: str, value: Any) -> np.dtype[Any]:
    """The dtype of an array for all columns, including nullable and sparse ones.

    Columns are taken by position, since several may have the same name.
    """
    columns = [(name, getattr(value, "dtype", None))]
    if getattr(value, "ndim", 1) == 2:
        columns = list(zip(value.columns, value.dtypes, strict=True))
    found = []
    for column, dtype in columns:
        # A subtype is that of a sparse column.
        plain = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))
        kind = getattr(dtype, "kind", "O")
        objects = type(dtype).__name__ in ("ObjectDType", "ArrowDtype")
        if kind not in "fiub" and not (kind == "O" and objects):
            raise TypeError(
                f"{name} must hold real numbers; got dtype {dtype} in {quoted(column)}"
            )
        found.append(np.dtype(plain if kind in "fiub" else object))
    dtype = np.result_type(*found) if found else np.dtype(np.float64)
    if dtype.kind in "iub" and value.isna().any(axis=None):
        return np.dtype(np.float64)
    return dtype


def own_objects(value: Any) -> Any:
    """`value`, or a copy of an array of Python objects: their methods may resize it.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.arrays import own_objects
    >>> x, y = np.ones(2), np.array([1, None])
    >>> own_objects(x) is x, own_objects(y) is y
    (True, False)
    """
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return value.copy()
    return value


def _from_objects(name: str, value: Any, array: NDArray[Any]) -> NDArray[Any]:
    """An array of Python objects that are all real numbers, as int64 or float64."""
    if array.shape == () and not _is_real(array.item()):
        advice = ""
        if _has(value, "collect"):
            advice = ", which is lazy: pass the result of its collect()"
        elif _has(value, "toarray"):
            advice = ", which is sparse: pass the result of its toarray()"
        raise TypeError(
            f"{name} must hold real numbers; got {type(value).__name__}{advice}"
        )
    array = own_objects(array)
    for at, number in np.ndenumerate(array):
        if not _is_real(number):
            place = f" at {list(at)}"
            columns = _column_names(value)
            if array.ndim == 2 and len(columns) == array.shape[1]:
                place = f" in row {at[0]} of {quoted(columns[at[1]])}"
            raise TypeError(
                f"{name} must hold real numbers; got {quoted(number)}{place} "
                "(dtype object)"
            )
    if all(isinstance(number, numbers.Integral) for number in array.flat):
        with contextlib.suppress(OverflowError):
            return array.astype(np.int64)
    try:
        floats = np.fromiter(map(_as_float, array.flat), np.float64, array.size)
    except Exception as error:
        failure = ValueError if isinstance(error, ValueError) else TypeError
        raise failure(
            f"{name} must hold real numbers; got an object that cannot be converted: "
            f"{error}"
        ) from error
    return floats.reshape(array.shape)


def _column_names(value: Any) -> Sequence[Any]:
    """The names of the columns of a table of any library; none for an array."""
    for names in ("column_names", "columns"):
        if _has(value, names):
            return list(getattr(value, names))
    return ()


def _is_real(number: object) -> bool:
    """Whether an object is one real number: a number of Python, or a Decimal."""
    if isinstance(number, numbers.Real | np.bool_):
        return not isinstance(number, np.timedelta64)  # a subclass of integers in NumPy
    return _has(number, "__float__") and not (
        isinstance(number, numbers.Complex | np.generic) or _has(number, "__array__")
    )


def _as_float(number: Any) -> float:
    """The nearest float; infinity beyond the largest float."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
