"""Record: the numbers of each epoch of a fit."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore.quoting import NAME, cut
from bpcore.show.table import COLUMNS, ends


class Record:
    """Columns of numbers, one row an epoch.

    A row is appended whole or, at an interrupt (Ctrl-C), not at all.

    Examples
    --------
    >>> from bpcore.training.record import Record
    >>> record = Record()
    >>> record.append(loss=2.0, lr=0.1)
    >>> record.append(loss=1.0, lr=None)
    >>> len(record), record.column("loss"), record.last("lr")
    (2, array([2., 1.]), nan)
    """

    def __init__(self) -> None:
        # An interrupt within `append` may leave columns longer than this.
        self._length = 0
        self._columns = {"loss": array("d")}

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Record cannot be pickled: pickle its History")

    @classmethod
    def of(cls, columns: Mapping[str, Iterable[float]]) -> Record:
        """A record of columns of one length, "loss" among them.

        Examples
        --------
        >>> from bpcore.training.record import Record
        >>> Record.of({"loss": [2.0, 1.0]}).last("loss")
        1.0
        """
        record = cls()
        record.begin(columns)
        return record

    def begin(self, columns: Mapping[str, Iterable[float]]) -> None:
        """Replace everything by columns of one length, "loss" among them."""
        self._columns = {name: array("d", values) for name, values in columns.items()}
        self._length = len(self._columns["loss"])

    def __len__(self) -> int:
        return self._length

    @property
    def names(self) -> list[str]:
        """The names of columns, "lr" and "seconds" always last.

        Only "loss" before the first `append` is complete.
        """
        last = ("lr", "seconds")
        names = [name for name in self._columns if name not in last]
        names += [name for name in last if name in self._columns]
        return names if self._length else ["loss"]

    def column(self, name: str) -> NDArray[np.float64]:
        """The values of each epoch."""
        return np.array(self._columns.get(name, array("d"))[: self._length])

    def last(self, name: str) -> float:
        """The value of the last epoch."""
        return self._columns[name][self._length - 1]

    def latest(self, written: Callable[[str], str], digits: int) -> str:
        """The last loss and metrics, their names `written`; of many the outer ones.

        Examples
        --------
        >>> from bpcore.training.record import Record
        >>> Record.of({"loss": [2.0, 1.5], "r2": [0.0, 0.25]}).latest(str.upper, 3)
        'LOSS 1.5, R2 0.25'
        """
        names = [name for name in self.names if name not in ("lr", "seconds")]
        parts = ends(len(names) if len(self) else 0, COLUMNS)
        first, last = (
            [
                f"{cut(written(names[k]), NAME)} {self.last(names[k]):.{digits}g}"
                for k in part
            ]
            for part in parts
        )
        return ", ".join([*first, *["..."] * bool(last), *last])

    def append(self, **values: float | None) -> None:
        """Append an epoch, without values that are None; no effect if interrupted."""
        length, columns, count = self._length, self._columns, 0
        for name, value in values.items():
            if value is not None:
                count += 1
                if name not in columns:
                    columns[name] = array("d")
                column = columns[name]
                if len(column) != length:
                    _fit(column, length)
                column.append(float(value))
        if count < len(columns):  # another optimizer, which has no rate
            for column in columns.values():
                if len(column) != length + 1:
                    _fit(column, length + 1)
        self._length = length + 1

    def shorten(self, length: int) -> None:
        """Remove all epochs but the first `length`."""
        self._length = min(self._length, length)


def _fit(column: array[float], length: int) -> None:
    """Give a column this length: cut an interrupted row, or add NaN."""
    del column[length:]
    column += array("d", [math.nan]) * (length - len(column))
