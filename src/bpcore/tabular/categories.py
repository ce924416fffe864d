"""Categories: the values of a column that are names, as columns of 0 and 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.tabular.table import Values, is_missing

#: Columns with up to so many categories have a column of 0 and 1 for each.
FEW = 9
#: Of more categories, those of at least so many rows have a column, the most frequent
#: first; the others share one.
LEAST_ROWS = 10
#: Most categories of a column that have a column of 0 and 1.
MOST = 50


@dataclass(frozen=True)
class Categories:
    """The categories of one column, and the columns that they become.

    Two categories become one column of -1 and 1; more become one column of 0 and 1 for
    each.  Missing values are 0 in all of them.  Rare categories of a column with many
    share the last column, and so do those that were not seen; without such a column
    the latter are as if they were missing.

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
    >>> categories = Categories.of(colours)
    >>> categories.names
    ('blue', 'green', 'red')
    >>> categories.encode(np.array(["blue", None, "pink"], dtype=object))
    array([[1., 0., 0.],
           [0., 0., 0.],
           [0., 0., 0.]])
    """

    names: tuple[Any, ...]
    others: bool = False

    @classmethod
    def of(cls, values: Values, most: int = MOST) -> Categories:
        """The categories of the values of a column."""
        counts = Counter(value for value in as_keys(values) if not is_missing(value))
        if len(counts) <= FEW:
            return cls(_in_order(counts))
        ranked = sorted(counts.items(), key=lambda item: -item[1])
        frequent = [key for key, count in ranked if count >= LEAST_ROWS][:most]
        return cls(_in_order(frequent), others=len(frequent) < len(counts))

    @property
    def width(self) -> int:
        """The number of columns that they become."""
        count = len(self.names) + self.others
        return 1 if count == 2 and not self.others else count

    @cached_property
    def places(self) -> Mapping[Any, int]:
        """The number of each category."""
        return {name: i for i, name in enumerate(self.names)}

    def encode(self, values: Values) -> NDArray[np.float64]:
        """The columns (n, width) of the values of a column."""
        return self.all_encoded()[self.numbers(values)]

    def all_encoded(self) -> NDArray[np.float64]:
        """The columns of each category, and last those of a missing value."""
        count = len(self.names) + self.others
        out = np.zeros((count + 1, self.width))
        if self.width == 1 and count == 2:
            out[:2, 0] = -1, 1
        else:
            out[range(count), range(count)] = 1
        return out

    def numbers(self, values: Values) -> NDArray[np.intp]:
        """The number of each value's category; -1 where it is missing or unknown."""
        others = len(self.names) if self.others else -1
        places = self.places
        found = (
            places.get(value, -1 if is_missing(value) else others)
            for value in as_keys(values)
        )
        return np.fromiter(found, np.intp, len(values))


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
