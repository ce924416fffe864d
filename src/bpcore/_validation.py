"""The door: everything a caller hands in is checked and converted here, once.

Each function returns what the engine can use in place, or raises before anything has
changed, naming the argument, what was expected and what came.
"""

from __future__ import annotations

import contextlib
import math
import numbers
import operator
import reprlib
import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import _dispatch
from bpcore._errstate import own_errstate
from bpcore.engine.engine import labels_below

if TYPE_CHECKING:
    from bpcore.losses import Loss

Real = NDArray[Any]


#: What other libraries call things.
ALIASES = {
    "mae": "mean_absolute_error",
    "l1": "mean_absolute_error",
    "l2": "mean_squared_error",
    "pinball": "quantile",
    "kl": "kl_divergence",
    "kldiv": "kl_divergence",
    "logcosh": "log_cosh",
    "smooth_l1": "huber",
    "swish": "silu",
    "exponential": "exp",
    "leakyrelu": "leaky_relu",
    "hardtanh": "hard_tanh",
    "hardsigmoid": "hard_sigmoid",
    "heaviside": "step",
    "batch_norm": "batch",
    "batchnorm": "batch",
    "layer_norm": "layer",
    "layernorm": "layer",
    "bce": "binary_cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "he": "he_uniform",
    "glorot": "glorot_uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "linear": "identity",
    "log_loss": "cross_entropy",
    "logistic": "sigmoid",
    "mse": "mean_squared_error",
    "sparse_categorical_crossentropy": "cross_entropy",
    "xavier": "glorot_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}


def one_of(name: str, value: object, choices: Collection[str]) -> str:
    """`value` if it is one of the choices; a near miss is named in the message."""
    if isinstance(value, str) and value in choices:
        return value
    lower = str(value).lower()
    import difflib  # only to be helpful

    near = [ALIASES[lower]] if ALIASES.get(lower) in choices else []
    near += difflib.get_close_matches(lower, choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}{hint}")


def whole_number(name: str, value: object, least: int, others: str = "") -> int:
    """`value` as an int of at least `least`; `others` tells what else is taken."""
    expected = (
        f"{name} must be a whole number of at least {least}{others}; got {value!r}"
    )
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(expected) from None
    if isinstance(value, bool | np.bool_) or number < least:
        raise ValueError(expected)
    return number


def index(name: str, value: object, size: int) -> int:
    """`value` as an index in 0 .. size - 1."""
    expected = f"{name} must be a whole number in 0 .. {size - 1}; got {value!r}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(expected) from None
    if isinstance(value, bool | np.bool_):
        raise TypeError(expected)
    if not 0 <= number < size:
        raise IndexError(expected)
    return number


def real_number(name: str, value: object, *, above_zero: bool = False) -> float:
    """`value` as a finite float of at least 0, or above 0."""
    return number_within(name, value, None if above_zero else 0.0, None)


def number_within(
    name: str,
    value: object,
    low: float | None,
    high: float | None,
    *,
    above: float | None = None,
    most: float | None = None,
) -> float:
    """`value` as a finite float in a range, which the message names in full.

    It is at least `low`, or above `above` (0 where both are None), and below `high`, or
    at most `most`.
    """
    if isinstance(value, bool | np.bool_ | np.timedelta64) or not isinstance(
        value, numbers.Real
    ):
        raise TypeError(f"{name} must be a number; got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if low is None:
        least, fits = f"above {above or 0:g}", number > (above or 0)
    else:
        least, fits = f"at least {low:g}", number >= low
    if high is not None:
        span, fits = f"{least} and below {high:g}", fits and number < high
    elif most is not None:
        span, fits = f"{least} and at most {most:g}", fits and number <= most
    else:
        span = f"finite and {least}"
    if not (fits and math.isfinite(number)):
        raise ValueError(f"{name} must be {span}; got {number}")
    return number


def yes_or_no(name: str, value: object) -> bool:
    """`value` as a bool, if it is one."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be a bool; got {value!r}")
    return bool(value)


def instance(name: str, value: object, kind: type) -> None:
    """Raise unless `value` is of this kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}; got {type(value).__name__}")


#: The largest finite number of each dtype of a network.
LARGEST = {
    np.dtype(dtype): float(np.finfo(dtype).max) for dtype in (np.float32, np.float64)
}


def all_finite(array: Real) -> bool:
    """Whether a C-contiguous array of a network's dtype has no NaN and no infinity."""
    largest = LARGEST[array.dtype]
    finite: bool = _dispatch.kernels.all_between(array.reshape(-1), -largest, largest)
    return finite


def as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """`value` as an array of real numbers, if NumPy can make one of it."""
    array = value if type(value) is np.ndarray else _from_any(name, value)
    dtype = array.dtype
    if dtype.kind == "O":
        return _from_objects(name, value, array)
    if dtype.isbuiltin == 2 and np.can_cast(dtype, np.float64):  # bfloat16 and its like
        return in_dtype(array, np.dtype(np.float64))
    if dtype.kind not in "fiub":
        got = type(value).__name__ if array.ndim == 0 else f"dtype {dtype}"
        raise TypeError(f"{name} must hold real numbers; got {got}")
    return array


def _from_any(name: str, value: Any) -> NDArray[Any]:
    """Any other array, a list, a number, a table or a column of one, as an array."""
    kind = type(value).__name__
    if _is_masked(value):
        raise TypeError(f"{name} must hold real numbers, none masked; got a {kind}")
    dtype, missing = None, {}
    _reject_times(name, value)
    if _is_pandas(value):
        dtype = _pandas_dtype(name, value)
        missing = {"na_value": np.nan} if dtype.kind == "f" else {}
    try:
        if dtype is not None:
            return np.asarray(value.to_numpy(dtype, **missing))
        array = np.asarray(value)
        if array.shape == () and array.dtype == object and _has(value, "__dlpack__"):
            array = np.from_dlpack(value)
        return array
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(value, list | tuple) and isinstance(error, ValueError):
            raise ValueError(
                f"{name} must be a regular array of real numbers; got a ragged {kind}"
            ) from error
        failure = ValueError if isinstance(error, ValueError) else TypeError
        raise failure(
            f"{name} must hold real numbers; got a {kind} that cannot be made an "
            f"array: {error}"
        ) from error


def _has(value: object, method: str) -> bool:
    """Whether its class has the method; a property of an object may cost anything."""
    return hasattr(type(value), method)


def _is_masked(value: object) -> bool:
    """Whether it is a masked array, or a list with one; numpy.ma is not imported."""
    masked: Any = getattr(sys.modules.get("numpy.ma"), "MaskedArray", ())
    if isinstance(value, list | tuple):
        kinds = set(map(type, value)) if masked else ()
        return any(issubclass(kind, masked) for kind in kinds)
    return isinstance(value, masked)


def _reject_times(name: str, value: Any) -> None:
    """Raise for a table of polars with dates or times, or what has its interface.

    Beside columns of numbers its `__array__` makes numbers of them.  polars is not
    imported.
    """
    columns: dict[Any, Any] = {}
    if _has(value, "schema") and not _has(value, "collect"):
        schema = value.schema
        if has_labels(schema):
            columns = dict(schema)
    elif _has(value, "dtype") and not isinstance(value, np.ndarray | np.generic):
        columns = {getattr(value, "name", name) or name: value.dtype}
    for column, dtype in columns.items():
        if _holds_times(dtype):
            raise TypeError(
                f"{name} must hold real numbers; got dtype {dtype} in {column!r}"
            )


def _holds_times(dtype: Any) -> bool:
    """Whether a dtype of polars is of dates or times, or a part of it is."""
    if not hasattr(dtype, "is_temporal"):
        return False
    parts = [field.dtype for field in getattr(dtype, "fields", ())]  # of a Struct
    parts += [dtype.inner] if hasattr(dtype, "inner") else []  # of a List
    return bool(dtype.is_temporal()) or any(map(_holds_times, parts))


def _is_pandas(value: object) -> bool:
    """Whether it is of pandas, or has its interface; pandas is not imported."""
    return _has(value, "isna") and _has(value, "to_numpy")


def _pandas_dtype(name: str, value: Any) -> np.dtype[Any]:
    """The dtype of an array that holds all columns, nullable and sparse ones too.

    Columns may have the same name, so they are looked at one by one.
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
                f"{name} must hold real numbers; got dtype {dtype} in {column!r}"
            )
        found.append(np.dtype(plain if kind in "fiub" else object))
    dtype = np.result_type(*found) if found else np.dtype(np.float64)
    if dtype.kind in "iub" and value.isna().any(axis=None):
        return np.dtype(np.float64)
    return dtype


def _from_objects(name: str, value: Any, array: NDArray[Any]) -> NDArray[Any]:
    """An array of Python objects that are all real numbers, as int64 or float64."""
    if array.shape == () and not _is_real(array.item()):
        advice = ""
        if _has(value, "collect"):
            advice = ", which is not computed yet: hand in what its collect() returns"
        elif _has(value, "toarray"):
            advice = ", which is sparse: hand in its toarray()"
        raise TypeError(
            f"{name} must hold real numbers; got {type(value).__name__}{advice}"
        )
    for at, number in np.ndenumerate(array):
        if not _is_real(number):
            place = f" at {list(at)}"
            columns = _column_names(value)
            if array.ndim == 2 and len(columns) == array.shape[1]:
                place = f" in row {at[0]} of {columns[at[1]]!r}"
            raise TypeError(
                f"{name} must hold real numbers; got {reprlib.repr(number)}{place} "
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
            f"{name} must hold real numbers; got an object that cannot be made one: "
            f"{error}"
        ) from error
    return floats.reshape(array.shape)


def _column_names(value: Any) -> Sequence[Any]:
    """The names of the columns of a table, of any library; none of an array."""
    for names in ("column_names", "columns"):
        if _has(value, names):
            return list(getattr(value, names))
    return ()


def _is_real(number: object) -> bool:
    """Whether an object is one real number: of Python's, a Decimal, or its like."""
    if isinstance(number, numbers.Real | np.bool_):
        return not isinstance(number, np.timedelta64)  # NumPy has it as an integer
    return _has(number, "__float__") and not (
        isinstance(number, numbers.Complex | np.generic) or _has(number, "__array__")
    )


def _as_float(number: Any) -> float:
    """The nearest float, infinite where it is beyond the largest."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def as_numbers(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> Real:
    """`value` as a C-contiguous array of the dtype, itself if it is one, all finite."""
    array = as_dtype(name, value, dtype)
    if not all_finite(array):
        reject_infinite(name, value, array)
    return array


def reject_infinite(name: str, value: ArrayLike, array: Real) -> NoReturn:
    """Raise for the first entry of `value`, now `array`, that is not finite."""
    at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
    raise ValueError(
        f"{name} must be finite in {array.dtype.name}; "
        f"got {as_array(name, value)[at]} at {list(at)}"
    )


def as_dtype(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> Real:
    """`value` as a C-contiguous array of the dtype, itself if it is one."""
    array: Any = value
    if not (
        type(array) is np.ndarray
        and array.dtype == dtype
        and array.flags.c_contiguous
        and array.flags.aligned
    ):
        array = in_dtype(as_array(name, value), dtype, ["C", "A"])
    return array


@own_errstate
def in_dtype(
    array: NDArray[Any], dtype: np.dtype[Any], layout: Sequence[Literal["C", "A"]] = ()
) -> NDArray[Any]:
    """The array in another dtype, itself if it has it; beyond its range is infinity."""
    return np.require(array, dtype, [*layout])


def as_rows(name: str, value: ArrayLike, n_in: int, dtype: np.dtype[Any]) -> Real:
    """`value` as an array (n, n_in) of at least one row."""
    array = as_numbers(name, value, dtype)
    if array.ndim != 2 or array.shape[1] != n_in or array.shape[0] == 0:
        raise ValueError(
            f"{name} must have shape (n, {n_in}) with n at least 1; got {array.shape}"
        )
    return array


def as_labels(name: str, labels: NDArray[Any], n: int, n_out: int) -> NDArray[np.int64]:
    """Integer labels (n,) as int64, all in 0 .. n_out - 1."""
    if labels.shape != (n,):
        raise ValueError(
            f"{name} must have shape ({n},) for labels or ({n}, {n_out}); "
            f"got {labels.shape}"
        )
    whole = np.require(labels, np.int64, ["C", "A"])
    if not labels_below(whole, n_out):
        low, high = labels.min(), labels.max()
        raise ValueError(
            f"{name} must hold labels in 0 .. {n_out - 1}; got "
            f"{low if low < 0 else high}"
        )
    return whole


def as_targets(
    name: str, value: ArrayLike, n: int, n_out: int, loss: Loss, dtype: np.dtype[Any]
) -> Real | NDArray[np.int64]:
    """Targets of n samples: labels (n,) where the loss takes them, or (n, n_out)."""
    array = as_array(name, value)
    if loss.labels and array.ndim == 1 and n_out > 1:
        if array.shape == (n,) and array.dtype.kind not in "iub":
            raise TypeError(
                f"{name} of shape ({array.size},) must hold integer labels for "
                f"{loss.name}; got dtype {array.dtype}"
            )
        return as_labels(name, array, n, n_out)
    targets = as_numbers(name, array, dtype)
    if n_out == 1 and targets.ndim == 1:
        targets = targets.reshape(-1, 1)
    if targets.shape != (n, n_out):
        labels = f" or ({n},) for labels" if loss.labels else ""
        if not labels and array.shape == (n,) and array.dtype.kind in "iu":
            labels = " (labels need loss='cross_entropy')"
        raise ValueError(
            f"{name} must have shape ({n}, {n_out}){labels}; got {array.shape}"
        )
    flat = targets.reshape(-1)
    if loss.signs and not (np.abs(flat) == 1).all():
        raise ValueError(
            f"{name} must be -1 or 1 for {loss.name}; got {flat[np.abs(flat) != 1][0]}"
        )
    if loss.least > -math.inf and not _dispatch.kernels.all_between(
        flat, loss.least, min(loss.most, LARGEST[dtype])
    ):
        span = f"lie in {loss.least:g} .. {loss.most:g}"
        if loss.most == math.inf:
            span = f"be at least {loss.least:g}"
        raise ValueError(
            f"{name} must {span} for {loss.name}; got values from {targets.min()} to "
            f"{targets.max()}"
        )
    return targets


#: The least share of the largest sample weight that another one may have.
RATIO = 2.0**-500


def as_weights(
    name: str, value: ArrayLike | None, n: int, *, some: bool = True
) -> NDArray[np.float64] | None:
    """Sample weights (n,) as float64, not negative; None stays None.

    `some` of them must be above 0.
    """
    if value is None:
        return None
    weights: NDArray[np.float64] = as_numbers(name, value, np.dtype(np.float64))
    if weights.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},); got {weights.shape}")
    require_weights(name, weights, some=some)
    return weights


def require_weights(
    name: str, weights: NDArray[np.float64], *, some: bool = True
) -> None:
    """Raise if weights are negative or too far apart or, where `some` count, all 0."""
    least, largest = float(weights.min()), float(weights.max())
    if math.isinf(largest):
        raise ValueError(f"{name} times sample_weight must be finite; got {largest}")
    if least < 0 or (some and largest == 0):
        raise ValueError(
            f"{name} must not be negative {'nor all zero' if some else 'anywhere'}; "
            f"got values from {least} to {largest}"
        )
    # Sums of them must be finite once the largest is scaled to 1.
    flat = weights.reshape(-1)
    if not _dispatch.kernels.all_between(flat, largest * RATIO, largest):
        least = float(flat[flat > 0].min(initial=math.inf))
        if least < largest * RATIO:
            raise ValueError(
                f"{name} must not differ by more than a factor of {1 / RATIO:.0e}; "
                f"got {least} and {largest}"
            )


def has_labels(value: object) -> bool:
    """Whether it is read by its labels: a mapping, or a Series of pandas."""
    return hasattr(value, "keys") and hasattr(value, "items")


def as_out(out: object, shape: tuple[int, ...], dtype: Any, *inputs: Real) -> Real:
    """`out` if results of this shape can be written straight into it."""
    if not isinstance(out, np.ndarray) or _is_masked(out):
        raise TypeError(f"out must be a NumPy array; got {type(out).__name__}")
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
