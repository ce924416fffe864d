"""Tables from files: CSV, TSV and Parquet, whole or in parts."""

from __future__ import annotations

import contextlib
import difflib
import gzip
import io
import sys
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, Any, Protocol

import pandas as pd

from bpcore.cli.rows import Rows
from bpcore.quoting import quoted

#: The name of standard input.
STANDARD_INPUT = "-"
#: First bytes of files.
GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
#: First bytes of files that are no tables here, and what they are.
OTHERS = {
    b"PK\x03\x04": "a workbook or another ZIP file: save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook: save the sheet as CSV",
    b"SQLite": "a database: write the table as CSV",
    b"\x89HDF": "an HDF5 file, such as a model of Keras, not a table",
    b"\x89PNG": "a picture, not a table",
    b"\xff\xd8\xff": "a picture, not a table",
    b"%PDF": "a document, not a table",
}
#: pandas reads numbers exactly by default since 3.1; before, it must be told to.
EXACT: dict[str, Any] = (
    {"float_precision": "round_trip"}
    if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
    else {}
)


#: Texts of bools.
BOOLS = {"True": True, "true": True, "TRUE": True}
BOOLS |= {"False": False, "false": False, "FALSE": False}


@dataclass(frozen=True)
class Notation:
    """How numbers and missing values are written in a text.

    Attributes
    ----------
    decimal, thousands : str
        The decimal sign, and what separates thousands; "" if nothing does.
    missing : sequence of str
        Texts of missing values, besides the usual ones.

    Examples
    --------
    >>> from bpcore.cli.tables import Notation
    >>> german = Notation(decimal=",", thousands=".")
    >>> german.value("1.234,5"), german.value("true"), german.value("old")
    (1234.5, True, 'old')
    """

    decimal: str = "."
    thousands: str = ""
    missing: Sequence[str] = ()

    def value(self, text: Any) -> Any:
        """The bool or number of a text, or the text itself."""
        if not isinstance(text, str):
            return text
        plain = text.replace(self.thousands, "") if self.thousands else text
        try:
            return float(plain.replace(self.decimal, "."))
        except ValueError:
            return BOOLS.get(text, text)


USUAL = Notation()


class OpenTable(Protocol):
    """A table in an open file.

    Attributes
    ----------
    path : str
    names : list of str
        Of the columns, all different.
    """

    path: str
    names: list[str]

    def whole(self, texts: Collection[str]) -> Any:
        """All rows as a frame; the columns `texts` are not read as numbers."""

    def parts(
        self, columns: Sequence[str], texts: Collection[str], rows: int
    ) -> Iterator[Any]:
        """Frames of at most `rows` rows of some of the columns."""


@contextmanager
def opened_table(path: str, notation: Notation = USUAL) -> Iterator[OpenTable]:
    r"""Open a table, for a ``with`` block; `path` may be ``-``, standard input.

    `notation` is that of a text; Parquet has numbers.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no table, or has no columns with different names.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from bpcore.cli.tables import opened_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "data.csv")
    ...     length = path.write_text("a,b\n1,x\n2,y\n")
    ...     with opened_table(str(path)) as table:
    ...         table.names, [len(part) for part in table.parts(["b"], ["b"], 1)]
    (['a', 'b'], [1, 1])
    """
    shown = "standard input" if path == STANDARD_INPUT else path
    with contextlib.ExitStack() as stack:
        file: Any = stack.enter_context(_opened(path))
        first = file.peek(9)[:9]
        if first[8:] == b"{" and first[3:8] == bytes(5):  # the length of a header
            raise ValueError(f"{shown}: it is a model, not a table")
        for magic, what in OTHERS.items():
            if first.startswith(magic):
                raise ValueError(f"{shown}: it is {what}")
        table: OpenTable
        if first.startswith(PARQUET):
            if path == STANDARD_INPUT:
                raise ValueError("Parquet cannot be read from standard input")
            table = ParquetTable(file, shown)
        else:
            if first.startswith(GZIP):
                file = stack.enter_context(gzip.open(file))
            # With a byte order mark or without.  It must not close standard input.
            text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape")
            stack.callback(text.detach)
            with _errors_of(shown):
                table = TextTable(text, shown, notation)
        if twice := [name for name, n in Counter(table.names).items() if n > 1]:
            raise ValueError(f"{shown}: two columns have the name {quoted(min(twice))}")
        with _errors_of(shown):
            yield table


def _opened(path: str) -> AbstractContextManager[IO[bytes]]:
    if path == STANDARD_INPUT:
        return contextlib.nullcontext(sys.stdin.buffer)
    return open(path, "rb")


@contextmanager
def _errors_of(shown: str) -> Iterator[None]:
    """Errors of reading a file, with its name."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{shown}: {error}") from None
    except pd.errors.ParserError as error:
        raise ValueError(f"{shown}: {error}") from None


class TextTable:
    """A table in text: CSV, TSV, with semicolons or vertical bars; see `OpenTable`."""

    def __init__(self, file: IO[str], path: str, notation: Notation) -> None:
        self.path = path
        self._notation = notation
        self._rows = Rows(file, path)
        self.names = self._rows.names

    def whole(self, texts: Collection[str]) -> Any:
        return self._read(texts, low_memory=False)

    def parts(
        self, columns: Sequence[str], texts: Collection[str], rows: int
    ) -> Iterator[Any]:
        for frame in self._read(texts, chunksize=rows, usecols=[*columns]):
            if len(frame):
                # One other text makes texts of all numbers of a column.
                for name in {*columns} - {*texts}:
                    if not pd.api.types.is_numeric_dtype(frame[name]):
                        values = frame[name].astype(object).map(self._notation.value)
                        frame[name] = values.astype(object)
                yield frame[[*columns]]

    def _read(self, texts: Collection[str], **settings: Any) -> Any:
        return pd.read_csv(
            self._rows,
            sep=self._rows.separator,
            header=None,
            names=self.names,
            index_col=False,
            dtype=dict.fromkeys(texts, str),
            decimal=self._notation.decimal,
            thousands=self._notation.thousands or None,
            na_values=list(self._notation.missing),
            **EXACT,
            **settings,
        )


class ParquetTable:
    """A table in a Parquet file; see `OpenTable`."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        from pyarrow.parquet import ParquetFile

        self.path = path
        self._file = ParquetFile(file)
        names = self._file.schema_arrow.names
        self.names = [name for name in names if not name.startswith("__index_level_")]

    def whole(self, texts: Collection[str]) -> Any:
        return self._frame(self._file.read(columns=self.names), texts)

    def parts(
        self, columns: Sequence[str], texts: Collection[str], rows: int
    ) -> Iterator[Any]:
        for batch in self._file.iter_batches(rows, columns=[*columns]):
            if batch.num_rows:
                yield self._frame(batch, texts)[[*columns]]

    def _frame(self, data: Any, texts: Collection[str]) -> Any:
        """A frame of a table or batch of pyarrow; whole numbers of `texts` as texts."""
        import pyarrow

        for j, field in enumerate(data.schema):
            if field.name in texts and pyarrow.types.is_integer(field.type):
                as_text = data.column(j).cast(pyarrow.string())
                data = data.set_column(j, field.name, as_text)
        return data.to_pandas(ignore_metadata=True)


def require_columns(table: OpenTable, columns: Sequence[str]) -> None:
    """Raise, with their names, if a table lacks columns."""
    missing = [name for name in columns if name not in table.names]
    if not missing:
        return
    some = ", ".join(map(quoted, missing[:5])) + (", ..." if len(missing) > 5 else "")
    what = "has no column" if len(missing) == 1 else f"lacks {len(missing)} columns:"
    close = difflib.get_close_matches(missing[0][:80], table.names, 1)
    if len(missing) == 1 and close:
        raise ValueError(
            f"{table.path} has no column {some}; is it {quoted(close[0])}?"
        )
    there = ", ".join(map(quoted, table.names[:8]))
    there += ", ..." if len(table.names) > 8 else ""
    raise ValueError(f"{table.path} {what} {some}; it has {there}")
