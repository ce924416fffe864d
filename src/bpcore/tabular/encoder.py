"""Encoder: a table as the float32 rows of a network, by what was learned from one."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from numbers import Real as RealNumber
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.arrays import Real
from bpcore.cached import cached_property
from bpcore.fields import COUNT, POSITIVE_COUNT, CheckedFields, instance
from bpcore.model.reader import own_floats
from bpcore.quoting import quoted
from bpcore.tabular.categories import MOST, Categories, warn_of_lost_texts
from bpcore.tabular.numeric import RobustScale, as_numbers, block_of_numbers
from bpcore.tabular.table import Table, Values, is_missing, reject_times


@dataclass(frozen=True)
class NumberColumns(CheckedFields):
    """The columns of numbers: each scaled, and for holes a column that says where.

    Attributes
    ----------
    places : list of int
        The columns of the table.
    scale : RobustScale
        Missing values become 0, as the median does.
    marked : list of int
        Those of `places`, counted within them, that had missing values.
    marks : RobustScale
        Of a column for each of these, 1 where the value is missing, else 0.
    """

    places: list[int] = field(metadata=instance(list))
    scale: RobustScale = field(metadata=instance(RobustScale))
    marked: list[int] = field(metadata=instance(list))
    marks: RobustScale = field(metadata=instance(RobustScale))

    def __post_init__(self) -> None:
        super().__post_init__()
        require_places("places", self.places, sys.maxsize)
        require_places("marked", self.marked, len(self.places))
        for name, places, scale in (
            ("scale", self.places, self.scale), ("marks", self.marked, self.marks),
        ):  # fmt: skip
            if len(scale.centre) != len(places):
                raise ValueError(f"{name} must be of {len(places)} columns")

    @classmethod
    def of(cls, table: Table, places: list[int]) -> NumberColumns:
        """What is learned from a table."""
        columns = [as_numbers(table.title(j), table.column(j)) for j in places]
        x = np.stack(columns, axis=1) if columns else np.empty((len(table), 0))
        missing = np.isnan(x)
        holes = missing.any(axis=0) & ~missing.all(axis=0)
        marked = np.flatnonzero(holes).tolist()
        marks = RobustScale.of(missing[:, marked].astype(np.float64))
        return cls(places, RobustScale.of(x), marked, marks)

    @property
    def sources(self) -> list[int]:
        """The column of the table of each column that is written."""
        return [*self.places, *(self.places[i] for i in self.marked)]

    def write(self, table: Table, out: Real) -> None:
        """Write the columns of a table into `out` (n, len(sources))."""
        if not self.places:
            return
        x = block_of_numbers(table, self.places)
        count = len(self.places)
        if not self.scale.write(x, out[:, :count]):
            for j in self.places:  # the infinite number's column raises
                as_numbers(table.title(j), table.column(j))
        if self.marked:
            missing = np.isnan(x[:, self.marked]).astype(np.float64)
            self.marks.write(missing, out[:, count:])


@dataclass(frozen=True)
class CategoryColumn(CheckedFields):
    """One column of categories.

    Attributes
    ----------
    place : int
        The column of the table.
    categories : Categories
    rows : float32 array (n_categories + 1, width)
        What is written for each category; the last is for a missing value.
    """

    place: int = field(metadata=COUNT)
    categories: Categories = field(metadata=instance(Categories))
    rows: Real

    def __post_init__(self) -> None:
        super().__post_init__()
        categories = self.categories
        shape = len(categories.names) + categories.others + 1, categories.width
        own_floats("rows", self.rows, shape, np.dtype(np.float32))

    @classmethod
    def of(cls, place: int, name: str, values: Values, most: int) -> CategoryColumn:
        """What is learned from the values of a column."""
        categories = Categories.of(name, values, most)
        scale = RobustScale.of(categories.encode(name, values))
        rows = scale(categories.all_encoded())
        rows[-1] = scale(np.zeros((1, categories.width)))
        return cls(place, categories, rows)

    @property
    def sources(self) -> list[int]:
        """The column of the table of each column that is written."""
        return [self.place] * self.categories.width

    def write(self, table: Table, out: Real) -> None:
        """Write the columns of a table into `out` (n, width)."""
        j = self.place
        out[:] = self.rows[self.categories.numbers(table.title(j), table.column(j))]


@dataclass(frozen=True, repr=False)
class Encoder(CheckedFields):
    """The columns of a table as columns of a network's input.

    First the numbers, then the marks of missing ones, then the columns of 0 and 1 of
    the categories (`Categories`); all of them are centred and scaled (`RobustScale`).

    Attributes
    ----------
    n_columns : int
        Of the table.
    names : tuple, or None
        The names of the columns, of a frame.
    numbers : NumberColumns
    categories : tuple of CategoryColumn
    owner : str
        The name of the estimator, for messages.

    Examples
    --------
    >>> from bpcore.tabular.encoder import Encoder
    >>> rows = [[1.0, "a"], [2.0, "b"], [3.0, "c"]]
    >>> encoder = Encoder.of(rows)
    >>> encoder.width, encoder("X", [[2.0, "b"]]).round(3).tolist()
    (4, [[0.0, 0.0, 1.6640000343322754, 0.0]])
    """

    n_columns: int = field(metadata=POSITIVE_COUNT)
    names: tuple[Any, ...] | None = field(metadata=instance(tuple, NoneType))
    numbers: NumberColumns = field(metadata=instance(NumberColumns))
    categories: tuple[CategoryColumn, ...] = field(metadata=instance(tuple))
    owner: str = field(default="Encoder", metadata=instance(str))

    def __post_init__(self) -> None:
        super().__post_init__()
        n, names = self.n_columns, self.names
        if names is not None and not len(names) == len(set(names)) == n:
            raise ValueError(f"an encoder must have {n} different names")
        for column in self.categories:
            checks.instance("categories", column, CategoryColumn)
        places = [*self.numbers.places, *(column.place for column in self.categories)]
        if len(places) != n or sorted(places) != list(range(n)):
            raise ValueError(f"an encoder must have each of {n} columns once")

    @classmethod
    def of(
        cls,
        X: Any,
        categorical: Collection[Any] | str = "auto",
        most_categories: int = MOST,
        owner: str = "Encoder",
    ) -> Encoder:
        """What is learned from a table.

        Parameters
        ----------
        X
            The table; see `Table`.
        categorical : "auto" or collection of names or numbers
            The columns whose values are categories; by default those of texts, bools
            or a dtype of categories.
        most_categories : int
            Most categories of a column that have a column of their own.
        owner : str
            The name of the estimator, for messages.

        Raises
        ------
        TypeError, ValueError
            If a column is neither of numbers nor of categories.
        """
        table = Table("X", X)
        if table.names is not None and len(set(table.names)) < table.width:
            twice = next(name for name in table.names if table.names.count(name) > 1)
            raise ValueError(
                f"X must have different names of columns; got {quoted(twice)}"
            )
        chosen = _chosen(table, categorical)
        places: list[int] = []
        categories = []
        for j in range(table.width):
            values = table.column(j)
            reject_times(table.title(j), values)
            is_chosen = j in chosen or table.is_categorical(j)
            if _is_category(table.title(j), values, is_chosen):
                column = CategoryColumn.of(j, table.title(j), values, most_categories)
                warn_of_lost_texts(table.title(j), values, column.categories)
                categories.append(column)
            else:
                places.append(j)
        numbers = NumberColumns.of(table, places)
        return cls(table.width, table.names, numbers, tuple(categories), owner)

    @cached_property
    def is_plain(self) -> bool:
        """Whether all columns are numbers without marks."""
        return not self.categories and not self.numbers.marked

    @cached_property
    def has_numbers_as_categories(self) -> bool:
        """Whether categories are numbers, which must not be rounded."""
        return any(column.categories.kind is RealNumber for column in self.categories)

    @property
    def sources(self) -> NDArray[np.intp]:
        """The column of the table of each column of the network's input."""
        found = [*self.numbers.sources]
        for column in self.categories:
            found += column.sources
        return np.array(found, np.intp)

    @property
    def width(self) -> int:
        """The number of columns of the network's input."""
        return len(self.numbers.sources) + sum(
            column.categories.width for column in self.categories
        )

    def __call__(self, name: str, X: Any) -> Real:
        """The network's input (n, width) of a table, an argument called `name`."""
        if self.is_plain and self._is_ready(X):
            out = np.empty(X.shape, np.float32)
            if self.numbers.scale.write(X, out):
                return out
        table = Table(name, X, self.has_numbers_as_categories)
        self._require_columns(table)
        out = np.empty((len(table), self.width), np.float32)
        at = len(self.numbers.sources)
        self.numbers.write(table, out[:, :at])
        for column in self.categories:
            width = column.categories.width
            column.write(table, out[:, at : at + width])
            at += width
        return out

    def by_number_column(self, of_inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """A value of each input of the network as one of each column of the table.

        That of a column of numbers; 0 if it is constant, NaN for categories.
        """
        found = np.full(self.n_columns, np.nan)
        places = self.numbers.places
        used = self.numbers.scale.factor > 0
        found[places] = np.where(used, of_inputs[: len(places)], 0)
        return found

    def __repr__(self) -> str:
        return f"<Encoder of {self.n_columns} columns, {self.width} inputs>"

    def _is_ready(self, X: Any) -> bool:
        """Whether X is an array of the columns, which needs no conversion."""
        if type(X) is not np.ndarray or X.dtype != np.float64 or X.ndim != 2:
            return False
        return X.shape[0] > 0 and X.shape[1] == self.n_columns and X.flags.aligned

    def _require_columns(self, table: Table) -> None:
        """Raise unless the table has the columns that it was made from, in order."""
        if self.names is not None and table.names is not None:
            if table.names != self.names:
                require_names(self.names, table.names)
        elif table.width != self.n_columns:
            raise ValueError(
                f"{table.name} has {table.width} features, but {self.owner} is "
                f"expecting {self.n_columns} features as input"
            )


#: Most names in a message.
MOST_NAMED = 5


def require_names(expected: Sequence[str], got: Sequence[Any]) -> None:
    """Raise, with the message of scikit-learn, unless the names are the same."""
    if list(got) == list(expected):
        return
    lines = ["The feature names should match those that were passed during fit."]
    known, given = set(expected), set(got)
    for what, missing in (
        ("unseen at fit time", [name for name in got if name not in known]),
        ("seen at fit time, yet now missing", [n for n in expected if n not in given]),
    ):
        if missing:
            lines.append(f"Feature names {what}:")
            lines += [f"- {name}" for name in missing[:MOST_NAMED]]
            if len(missing) > MOST_NAMED:
                lines.append("- ...")
    if len(lines) == 1:
        lines.append("Feature names must be in the same order as they were in fit.")
    raise ValueError("\n".join(lines) + "\n")


def require_places(name: str, places: list[int], below: int) -> None:
    """Raise unless a list has different whole numbers from 0 to below a bound."""
    for i, place in enumerate(places):
        checks.integer(f"{name}[{i}]", place, 0, below=below)
    if len(set(places)) < len(places):
        raise ValueError(f"{name} must have no number twice")


def _chosen(table: Table, categorical: Collection[Any] | str) -> set[int]:
    """The numbers of the columns that the caller says are of categories."""
    if isinstance(categorical, str) and categorical == "auto":
        return set()
    if isinstance(categorical, str) or not np.iterable(categorical):
        raise ValueError(
            "categorical must be 'auto' or a collection of names or numbers of "
            f"columns; got {quoted(categorical)}"
        )
    names = table.names or ()
    found = set()
    for entry in categorical:
        if entry in names:
            found.add(names.index(entry))
        elif _is_place(entry, table.width):
            found.add(int(entry))
        else:
            raise ValueError(f"categorical must name columns of X; got {quoted(entry)}")
    return found


def _is_place(entry: Any, width: int) -> bool:
    """Whether it is the number of a column."""
    number = isinstance(entry, Integral) and not isinstance(entry, checks.NOT_REAL)
    return number and 0 <= int(entry) < width


def _is_category(name: str, values: Values, chosen: bool) -> bool:
    """Whether a column is of categories: chosen, of texts, or of bools."""
    if chosen or values.dtype.kind == "b":
        return True
    if values.dtype.kind != "O":
        return False
    kinds = {type(value) for value in values if not is_missing(value)}
    texts = {kind for kind in kinds if issubclass(kind, str | bool | np.bool_)}
    if texts and texts == kinds:
        return True
    if texts:
        others = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(
            f"{name} must have numbers or texts; got both ({others}). Name it in "
            "categorical if its values are names"
        )
    wrong = next((v for v in values if not is_missing(v) and not _has_float(v)), None)
    if wrong is not None:
        raise TypeError(
            f"{name} must have numbers, texts or bools: argument must be a string or "
            f"a number; got {type(wrong).__name__}"
        )
    return False


def _has_float(value: object) -> bool:
    """Whether a Python object is a number, as Decimal and Fraction are."""
    return hasattr(value, "__float__") or hasattr(value, "__index__")
