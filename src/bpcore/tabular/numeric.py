"""Numbers of a table's columns, and their centre and scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.engine.dispatch import kernels
from bpcore.fields import CheckedFields, checked
from bpcore.model.reader import own_floats
from bpcore.quoting import quoted
from bpcore.tabular.table import TIMES, Table, Values, is_missing, reject_times

Array = NDArray[Any]

#: The inverse of a smaller number overflows.
LEAST_WIDTH = 1e-300
#: The difference of two larger numbers may overflow.
HUGE = 2.0**1022
#: A field that is float64 (n,).
NUMBERS = checked(own_floats, shape=(None,), dtype=np.dtype(np.float64))


def as_numbers(name: str, values: Values) -> NDArray[np.float64]:
    """A column as float64, NaN where a value is missing.

    Raises
    ------
    ValueError
        If it holds something else than numbers, or an infinite one.
    TypeError
        If it holds dates or times.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.numeric import as_numbers
    >>> as_numbers("X['a']", np.array([1, None, 2.5], dtype=object))
    array([1. , nan, 2.5])
    """
    reject_times(name, values)
    numbers: Any = values
    wrong = None
    if values.dtype.kind not in "iufb":
        values = values.astype(object)
        numbers = [np.nan if is_missing(value) else value for value in values]
    try:
        found = np.asarray(numbers, np.float64)
        if numbers is not values:
            wrong = next((v for v in numbers if not _is_scalar(v)), None)
    except (TypeError, ValueError, OverflowError):
        wrong = next(value for value in numbers if not _is_float(value))
    if wrong is not None:
        raise ValueError(f"{name} must have numbers; got {_short(wrong)}")
    if np.isinf(found).any():
        raise ValueError(
            f"{name} must be finite or missing (NaN); got "
            f"{found[np.isinf(found)][0]}: replace infinities by NaN"
        )
    return found


def block_of_numbers(table: Table, places: list[int]) -> NDArray[np.float64]:
    """Several columns as float64 (n, len(places)), NaN where a value is missing.

    Infinite numbers may be among them.
    """
    matrix = table.matrix
    if matrix is not None:
        part = matrix if len(places) == matrix.shape[1] else matrix[:, places]
        if part.dtype.kind in "iuf":
            return np.asarray(part, np.float64)
        # None becomes NaN; texts and times would become numbers.
        if part.dtype == object and all(map(_is_scalar, part.flat)):
            try:
                return part.astype(np.float64)
            except (TypeError, ValueError, OverflowError):
                pass  # a column names the value
    columns = [as_numbers(table.title(j), table.column(j)) for j in places]
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class RobustScale(CheckedFields):
    """x -> 3 t / sqrt(1 + t^2) with t = (x - centre) factor / 3, column by column.

    The centre is the median, the factor 1 / (upper - lower quartile).  Where these are
    equal it is 2 / (max - min), and 0 for a constant column: its values become 0.  So
    the values are near (x - centre) factor where it is small, and between -3 and 3
    everywhere; a missing value (NaN) becomes 0.

    Attributes
    ----------
    centre, factor : float64 arrays (n_columns,)

    Notes
    -----
    Holzmueller, Grinsztajn and Steinwart (2024), "Better by default".

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.numeric import RobustScale
    >>> scale = RobustScale.of(np.array([[0.0, 7.0], [1.0, 7.0], [2.0, 7.0]]))
    >>> scale(np.array([[1.5, 7.0]])).round(3)
    array([[0.493, 0.   ]], dtype=float32)
    """

    centre: NDArray[np.float64] = field(metadata=NUMBERS)
    factor: NDArray[np.float64] = field(metadata=NUMBERS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.centre) != len(self.factor) or not np.isfinite(self.centre).all():
            raise ValueError("centre must be finite, with a number for each factor")
        if not np.isfinite(self.factor).all() or (self.factor < 0).any():
            raise ValueError("factor must be finite and not negative")

    @classmethod
    def of(cls, x: NDArray[np.float64]) -> RobustScale:
        """The centre and factor of columns; values that are missing do not count."""
        columns = [_centre_and_factor(column) for column in x.T]
        centre, factor = np.array(columns, np.float64).reshape(-1, 2).T
        return cls(np.ascontiguousarray(centre), np.ascontiguousarray(factor))

    def __call__(self, x: NDArray[np.float64]) -> Real:
        """The scaled columns (n, n_columns) in float32."""
        out = np.empty(x.shape, np.float32)
        self.write(x, out)
        return out

    def write(self, x: NDArray[np.float64], out: Real) -> bool:
        """Write the scaled columns into an array; false if a number is infinite."""
        finite: bool = kernels.robust_scale(x, self.centre, self.factor, out)
        return finite


def _centre_and_factor(x: NDArray[np.float64]) -> tuple[float, float]:
    """Those of one column."""
    x = x[~np.isnan(x)]
    if x.size == 0:
        return 0.0, 0.0
    unit = 4.0 if np.abs(x).max() > HUGE else 1.0  # so that no difference overflows
    x = x / unit
    lower, centre, upper = np.quantile(x, [0.25, 0.5, 0.75])
    width = upper / 2 - lower / 2
    if not width > 0:
        width = (x.max() / 2 - x.min() / 2) / 2
    # Of a width whose inverse overflows: as of a constant column.
    factor = 0.5 / width / unit if width > LEAST_WIDTH else 0.0
    return float(centre * unit), float(factor)


def _is_scalar(value: object) -> bool:
    """Whether a Python object is neither a text, nor a time, nor a sequence."""
    return not isinstance(value, str | bytes | list | tuple | np.ndarray | TIMES)


def _is_float(value: object) -> bool:
    """Whether a value can be converted to a float."""
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _short(value: object) -> str:
    """A value in a message, of no more than 60 characters."""
    text = quoted(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
