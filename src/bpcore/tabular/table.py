"""Table: the columns of a frame, an array or a list of rows."""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.engine.engine import pinned
from bpcore.quoting import quoted

#: Types of values that are dates or times of day.
TIMES = (
    datetime.date | datetime.time | datetime.timedelta | np.datetime64 | np.timedelta64
)
#: Names of the types of the missing values of pandas.
MISSING_TYPES = ("NAType", "NaTType")
#: Frames of up to so many rows are read as one array of objects, since a series for
#: each column takes longer.
FEW_ROWS = 16

Values = NDArray[Any]


class Table:
    """The columns of a frame, a 2-D array or a list of rows.

    Parameters
    ----------
    name : str
        The argument, for messages.
    X
        A frame of pandas or polars, an array (n, n_columns) or a list of rows.
    exact : bool
        Whether integers beside floats stay integers: else those beyond 2^53 may be
        rounded, and a frame of few rows is read in less time.

    Attributes
    ----------
    name : str
    names : tuple, or None
        The names of the columns, if X has names.
    matrix : array (n, n_columns), or None
        All columns, if they are in one array.

    Raises
    ------
    TypeError, ValueError
        If X has no rows or no columns.

    Examples
    --------
    >>> from bpcore.tabular.table import Table
    >>> table = Table("X", [[1.5, "a"], [2.5, None]])
    >>> table.column(1).tolist(), table.names, len(table), table.width
    (['a', None], None, 2, 2)
    """

    def __init__(self, name: str, X: Any, exact: bool = True) -> None:
        self.name = name
        self.names: tuple[Any, ...] | None = None
        self.matrix: Values | None = None
        self.frame: Any = None
        if (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype.kind in "iufb"
            and X.flags.aligned
        ):
            self.matrix, self._pins = X, pinned(X)
            shape = X.shape
        elif not hasattr(X, "collect") and _is_frame(X):
            self.names = tuple(_list(X.columns))
            self.frame, shape = X, X.shape
            if 0 < shape[0] <= FEW_ROWS and shape[1] > 0:
                self.matrix = _few_rows(X, exact)
            elif shape[1] > 0 and _is_of_one_dtype(X):
                self.matrix = X.to_numpy()
        else:
            self.matrix = _as_rows(name, X)
            shape = self.matrix.shape
        self._rows, self.width = int(shape[0]), int(shape[1])
        if self.width == 0 or self._rows == 0:
            what, kind = ("column", "feature(s)") if not self.width else (
                "row", "sample(s)")  # fmt: skip
            raise ValueError(
                f"{name} must have at least one {what}: 0 {kind} (shape={shape}) while "
                "a minimum of 1 is required."
            )

    def __len__(self) -> int:
        return self._rows

    def column(self, j: int) -> Values:
        """The values of a column: numbers, bools, times or Python objects."""
        if self.matrix is not None:
            return self.matrix[:, j]
        return _as_values(_series(self.frame, j))

    def is_categorical(self, j: int) -> bool:
        """Whether the dtype of a column is one of categories."""
        if self.frame is None:
            return False
        name = str(_series(self.frame, j).dtype)
        return name == "category" or name.startswith(("Categorical", "Enum"))

    def title(self, j: int) -> str:
        """A column in messages: ``X['age']``, or ``X[:, 3]`` without names."""
        if self.names is None:
            return f"{self.name}[:, {j}]"
        return f"{self.name}[{quoted(self.names[j])}]"


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN, or pandas' NA or NaT.

    Examples
    --------
    >>> from bpcore.tabular.table import is_missing
    >>> [is_missing(value) for value in (None, float("nan"), 0, "", "nan")]
    [True, True, False, False, False]
    """
    if value is None or type(value).__name__ in MISSING_TYPES:
        return True
    return isinstance(value, float | np.floating) and bool(value != value)


def is_time(values: Values) -> bool:
    """Whether a column holds dates or times: by its dtype, or its first value."""
    if values.dtype.kind in "mM":
        return True
    if values.dtype.kind != "O":
        return False
    known = (value for value in values if not is_missing(value))
    return isinstance(next(known, None), TIMES)


def reject_times(name: str, values: Values) -> None:
    """Raise if a column holds dates or times."""
    if is_time(values):
        raise TypeError(
            f"{name} has dates or times, which have no meaning as single numbers: "
            "give what matters of them as columns of numbers, for example the year, "
            "the month, the day of the week, or the days since an event"
        )


def is_number(value: object) -> bool:
    """Whether a Python object is a real number, but no bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)


def _list(names: Any) -> Sequence[Any]:
    """Names of columns as a list; faster than iterating over an Index of pandas."""
    found: Sequence[Any] = names.tolist() if hasattr(names, "tolist") else names
    return found


def _few_rows(frame: Any, exact: bool) -> Values:
    """All values of a small frame."""
    if hasattr(frame, "iloc"):
        return np.asarray(frame.to_numpy(dtype=object if exact else None))
    rows = np.empty(frame.shape, dtype=object)
    rows[:] = frame.rows()
    return rows


def _is_of_one_dtype(frame: Any) -> bool:
    """Whether all columns of a frame of pandas are numbers of one dtype of NumPy."""
    if not hasattr(frame, "iloc"):
        return False
    first, *others = frame.dtypes
    if not isinstance(first, np.dtype) or first.kind not in "iuf":
        return False
    return all(dtype == first for dtype in others)


def _series(frame: Any, j: int) -> Any:
    """Column j of a frame of pandas or polars."""
    return frame.iloc[:, j] if hasattr(frame, "iloc") else frame.to_series(j)


def _as_values(column: Any) -> Values:
    """The values of a series; numbers that may be missing as float64 with NaN."""
    kind = getattr(column.dtype, "kind", "")
    if kind and kind in "iuf" and not isinstance(column.dtype, np.dtype):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    try:
        array = np.asarray(column)
    except MemoryError:
        raise
    except Exception:  # polars: NumPy has no integers of 128 bits
        array = np.empty((0, 0))
    if array.ndim != 1:  # or each value is a list or a mapping
        array = np.empty(len(column), object)
        array[:] = column.to_list()
    return _plain(array)


def as_any_array(name: str, value: Any) -> Values:
    """The value as an array, which may be masked; errors name the argument."""
    if isinstance(value, list | tuple):
        arrays.reject_masked(name, value)
    try:
        return np.asanyarray(value)
    except MemoryError:
        raise
    except Exception as error:  # of the library whose object it is
        raise ValueError(f"{name} must be an array; got {error}") from error


def _as_rows(name: str, X: Any) -> Values:
    """A 2-D array; of Python objects where the rows hold other things than numbers."""
    if hasattr(X, "toarray"):
        raise TypeError(
            f"{name} is a sparse matrix: Sparse data was passed, but dense data is "
            f"required. Use '.toarray()' to convert to a dense numpy array."
        )
    if isinstance(X, list | tuple):
        arrays.reject_masked(name, X)
        array = np.asarray(X, dtype=object)
    elif not hasattr(X, "__array__"):
        raise TypeError(_advice(name, X))
    else:
        found = as_any_array(name, X)
        array = np.asarray(found)
        if np.ma.isMaskedArray(found):
            array = array.astype(object)
            array[np.ma.getmaskarray(found)] = None
    if array.ndim != 2:
        if hasattr(X, "index") and hasattr(X, "to_frame"):
            raise ValueError(
                f"Expected 2D array for {name}, got a Series: one row of a frame is "
                f"frame[:1], or {name}.to_frame().T"
            )
        if array.ndim == 1 and len(array) and isinstance(array[0], dict):
            raise TypeError(_advice(name, X))
        raise ValueError(
            f"Expected 2D array for {name}, got {array.ndim}D array instead. "
            f"Reshape your data: {name}.reshape(-1, 1) if it has one column, "
            f"{name}.reshape(1, -1) if it is one row."
        )
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has {array.dtype}")
    return _plain(array)


def _is_frame(X: Any) -> bool:
    """Whether X is a frame of pandas or polars."""
    if not hasattr(X, "columns") or not hasattr(X, "shape"):
        return False
    return hasattr(X, "iloc") or hasattr(X, "to_series")


def _advice(name: str, X: Any) -> str:
    """The message for a table of another kind."""
    what = f"a {type(X).__name__}"
    if isinstance(X, list | tuple):
        what = f"a list of {type(X[0]).__name__}s"
    if hasattr(X, "collect"):
        advice = f"call {name}.collect()"
    elif hasattr(X, "to_pandas"):
        advice = f"call {name}.to_pandas()"
    else:
        advice = f"pandas.DataFrame({name}) may be one"
    return (
        f"{name} must be a frame of pandas or polars, a 2-D array or a list of rows; "
        f"got {what}: {advice}"
    )


def _plain(array: Values) -> Values:
    """Numbers, bools and times as they are, anything else as Python objects.

    Objects are in an array of their own, since their methods may resize the caller's.
    """
    if array.dtype.kind in "iufbmM":
        return np.require(array, requirements="A")
    return array.astype(object)
