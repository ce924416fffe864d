"""Text of a table: its header, its separator, and rows that all have as many fields."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

#: Separators of fields, the most usual first.
SEPARATORS = ",;\t|"
#: A line with so many characters is refused: a small compressed file may have it.
MOST = 1 << 26
#: Characters in a message.
SHOWN = 40


class Rows:
    r"""The rows of a table in text, as a file for pandas to read.

    Parameters
    ----------
    file : text file
        With universal newlines; bytes that are not UTF-8 are surrogates, as by the
        error handler "surrogateescape".
    path : str
        Its name, for messages.

    Attributes
    ----------
    separator : str
        The most frequent one of the header, a comma by default.
    names : list of str
        The names of the columns, those without one as pandas names them.

    Raises
    ------
    ValueError
        If the file is no text, or the names are missing or not different.  When rows
        are read: if one has more or fewer fields than there are names.

    Examples
    --------
    >>> import io
    >>> from bpcore.cli.rows import Rows
    >>> rows = Rows(io.StringIO("a;b\n1;2\n\n3;4\n"), "data.csv")
    >>> rows.names, rows.separator, rows.read(1), rows.read(1), rows.read(1)
    (['a', 'b'], ';', '1;2\n', '3;4\n', '')
    """

    def __init__(self, file: IO[str], path: str) -> None:
        self.path = path
        self.line = 0
        self._lines = self._read_lines(file)
        first = next((line for line in self._lines if line.strip("\n\r ")), "")
        if not first:
            raise ValueError(f"{path}: the file is empty")
        self.separator = max(SEPARATORS, key=first.count)
        self.names = self._named(self._fields(first)[0])
        self._rows = self._checked()

    def read(self, size: int = -1) -> str:
        """The next rows, of at least `size` characters, or all; empty at the end."""
        parts, length = [], 0
        for row in self._rows:
            parts.append(row)
            length += len(row)
            if 0 <= size <= length:
                break
        return "".join(parts)

    def __iter__(self) -> Iterator[str]:
        return self._rows

    def _read_lines(self, file: IO[str]) -> Iterator[str]:
        """The lines of the file; `line` is the number of the last one."""
        while True:
            self.line += 1
            line = file.readline(MOST)
            if len(line) == MOST:
                raise ValueError(
                    f"{self.path}, line {self.line}: it has {MOST:,} characters or more"
                )
            try:
                line.encode()
            except UnicodeEncodeError as error:
                byte = ord(line[error.start]) & 0xFF
                raise ValueError(
                    f"{self.path}, line {self.line}: it is not text in UTF-8 "
                    f"(byte 0x{byte:02x}): save it as UTF-8"
                ) from None
            if "\0" in line:
                raise ValueError(f"{self.path}, line {self.line}: it is not a text")
            if not line:
                return
            yield line

    def _fields(self, line: str) -> tuple[list[str], str]:
        """The fields that begin in a line, and all their lines."""
        taken = [line]

        at = self.line

        def lines() -> Iterator[str]:
            yield line
            for following in self._lines:
                taken.append(following)
                yield following
            raise ValueError(f"{self.path}, line {at}: a quote begins and does not end")

        try:
            fields = next(csv.reader(lines(), delimiter=self.separator))
        except csv.Error:
            most = csv.field_size_limit()
            raise ValueError(
                f"{self.path}, line {at}: a field has more than {most:,} characters, "
                "or a quote does not end"
            ) from None
        return fields, "".join(taken)

    def _named(self, fields: list[str]) -> list[str]:
        """The fields of the header as names."""
        if all(map(_is_number, fields)):
            raise ValueError(
                f"{self.path}: the first line must have the names of the columns; got "
                f"numbers: {self.separator.join(fields):.{SHOWN}}"
            )
        return [name or f"Unnamed: {j}" for j, name in enumerate(fields)]

    def _checked(self) -> Iterator[str]:
        """The rows, those over several lines whole, without empty lines.

        In a table of one column an empty line is a missing value.
        """
        width, separator = len(self.names), self.separator
        for line in self._lines:
            at = self.line
            if '"' not in line:
                if not line.strip(" \n"):
                    if width > 1:
                        continue
                    line = '""'  # a missing value of the only column
                count = line.count(separator) + 1
            else:
                fields, line = self._fields(line)
                count = len(fields)
            if count != width:
                raise ValueError(
                    f"{self.path}, line {at}: it has {_counted(count)}, but the first "
                    f"line has {width}"
                )
            yield line if line.endswith("\n") else line + "\n"


def _counted(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
