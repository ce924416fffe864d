"""Categories: the values of a column that are names, as columns of 0 and 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.cached import cached_property
from bpcore.fields import BOOLEAN, CheckedFields, instance
from bpcore.quoting import quoted
from bpcore.tabular.table import Values, is_missing
from bpcore.warn import warn

#: Columns with up to so many categories have a column of 0 and 1 for each.
FEW = 9
#: Of more categories, those of at least so many rows have a column, the most frequent
#: first; the others share one.  In tables of less than ROWS rows fewer are enough.
LEAST_ROWS = 10
ROWS = 600
#: Most categories of a column that have a column of 0 and 1.
MOST = 50


@dataclass(frozen=True)
class Categories(CheckedFields):
    """The categories of one column, and the columns that they become.

    Two categories become one column of -1 and 1; more become one column of 0 and 1 for
    each; without any the column is 0.  Missing values are 0 in all of them.  Rare
    categories of a column with many share the last column, and so do those that were
    not seen; without such a column the latter are as if they were missing.

    Attributes
    ----------
    names : tuple
        The categories with a column of their own.
    others : bool
        Whether there is a column for all others.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.categories import Categories
    >>> colours = np.array(["red", "blue", "green", None], dtype=object)
    >>> categories = Categories.of("colour", colours)
    >>> categories.names
    ('blue', 'green', 'red')
    >>> categories.encode("colour", np.array(["blue", None, "pink"], dtype=object))
    array([[1., 0., 0.],
           [0., 0., 0.],
           [0., 0., 0.]])
    """

    names: tuple[Any, ...] = field(metadata=instance(tuple))
    others: bool = field(default=False, metadata=BOOLEAN)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.names)) < len(self.names) or None in self.names:
            raise ValueError("categories must be different, and none of them null")

    @classmethod
    def of(cls, name: str, values: Values, most: int = MOST) -> Categories:
        """The categories of the values of a column, `name` in messages."""
        known = [value for value in as_keys(values) if not is_missing(value)]
        try:
            counts = Counter(known)
        except TypeError as error:
            raise TypeError(f"{name} must have categories: {error}") from None
        if len(counts) <= FEW:
            return cls(_in_order(counts))
        ranked = sorted(counts.items(), key=lambda item: -item[1])
        least = least_rows(len(values))
        frequent = [key for key, count in ranked if count >= least][:most]
        return cls(_in_order(frequent), others=len(frequent) < len(counts))

    @property
    def width(self) -> int:
        """The number of columns that they become."""
        count = len(self.names) + self.others
        return 1 if count in (0, 2) and not self.others else count

    @cached_property
    def places(self) -> Mapping[Any, int]:
        """The number of each category."""
        return {name: i for i, name in enumerate(self.names)}

    def encode(self, name: str, values: Values) -> NDArray[np.float64]:
        """The columns (n, width) of the values of a column, `name` in messages."""
        return self.all_encoded()[self.numbers(name, values)]

    def all_encoded(self) -> NDArray[np.float64]:
        """The columns of each category, and last those of a missing value."""
        count = len(self.names) + self.others
        out = np.zeros((count + 1, self.width))
        if self.width == 1 and count == 2:
            out[:2, 0] = -1, 1
        else:
            out[range(count), range(count)] = 1
        return out

    @cached_property
    def kind(self) -> type | None:
        """The type of all names: str, bool or Real, or None for others."""
        for kind in (str, bool, Real):
            if all(isinstance(name, kind) for name in self.names):
                return kind if self.names else None
        return None

    def numbers(self, name: str, values: Values) -> NDArray[np.intp]:
        """The number of each value's category; -1 where it is missing or unknown.

        `name` is the column in messages.

        Raises
        ------
        ValueError
            If the names are all texts, bools or numbers, and a value is another kind.
        """
        places, unknown = self.places, len(self.names) if self.others else -1
        found = np.empty(len(values), np.intp)
        for i, value in enumerate(as_keys(values)):
            try:
                place = places.get(value)
            except TypeError:  # a list, say: no category
                place = None
            if place is None:
                place = -1
                if not is_missing(value):
                    self._require_kind(name, value)
                    place = unknown
            found[i] = place
        return found

    def _require_kind(self, name: str, value: Any) -> None:
        """Raise if a value that is no category cannot be one."""
        texts = {str: "texts", bool: "bools", Real: "numbers"}
        if self.kind is not None and not isinstance(value, self.kind):
            raise ValueError(
                f"{name} must have {texts[self.kind]}, as in the training; "
                f"got {quoted(value)}"
            )


def least_rows(n: int) -> int:
    """The fewest rows of a category that has a column, of a table of n rows.

    Examples
    --------
    >>> from bpcore.tabular.categories import least_rows
    >>> least_rows(60), least_rows(300), least_rows(10_000)
    (2, 5, 10)
    """
    return max(2, min(LEAST_ROWS, n * LEAST_ROWS // ROWS))


def warn_of_lost_texts(name: str, values: Values, categories: Categories) -> None:
    """Warn if the texts of a column are numbers, or if all of them are rare."""
    texts = [value for value in as_keys(values) if isinstance(value, str)]
    if not categories.others or not texts:
        return
    different = len(set(texts))
    if sum(map(_is_number, texts)) > len(texts) / 2:
        warn(
            f"{name} has {different} different texts, most of which are numbers: "
            "convert them (pandas.to_numeric(..., errors='coerce')), or name the "
            "column in categorical"
        )
    elif not categories.names:
        warn(
            f"{name} is not used: none of its {different} different texts is in at "
            f"least {least_rows(len(values))} rows"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def as_keys(values: Values) -> list[Any]:
    """The values as hashable Python objects, equal ones for equal categories.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.categories import as_keys
    >>> as_keys(np.array([1.0, 2.0]))
    [1.0, 2.0]
    """
    return values.tolist()


def _in_order(names: Iterable[Any]) -> tuple[Any, ...]:
    """In ascending order; by their type and text where they cannot be compared."""
    found = list(names)
    try:
        return tuple(sorted(found))
    except TypeError:
        return tuple(sorted(found, key=lambda name: (type(name).__name__, str(name))))
