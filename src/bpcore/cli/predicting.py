"""The steps of `bpcore predict`."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from bpcore.cli.errors import note
from bpcore.cli.models import loaded
from bpcore.cli.outputs import mark_written, require_writable
from bpcore.cli.predictors import Predictor, predictor_of
from bpcore.cli.tables import Notation, OpenTable, opened_table, require_columns
from bpcore.files.whole import write_whole


@dataclass(frozen=True)
class Settings:
    """The arguments of the command."""

    model: str
    data: str
    out: str | None = None
    proba: bool = False
    chunk: int = 10_000
    drop: Sequence[str] = ()
    decimal: str = "."
    thousands: str = ""
    missing: Sequence[str] = ()


def predict_table(settings: Settings) -> None:
    """Write the predictions of a table, part by part."""
    out, data, model = settings.out, settings.data, settings.model
    if out is not None:
        for path in (data, model):
            if os.path.realpath(out) == os.path.realpath(path):
                raise click.UsageError(f"--out must not be {path}")
        require_writable(out, "predictions")
    predictor = predictor_of(loaded(model), settings.proba)
    notation = Notation(settings.decimal, settings.thousands, settings.missing)
    with opened_table(data, notation) as table:
        count = Count()
        parts = count.of(_parts(predictor, table, settings.drop, settings.chunk))
        lines = _lines(predictor, table.path, parts)
        if out is None:
            for text in lines:
                mark_written("a part of the predictions")
                sys.stdout.write(text)
        else:
            write_whole(out, (text.encode() for text in lines))
            mark_written(out)
            rows = "1 row" if count.rows == 1 else f"{count.rows:,} rows"
            note(f"predicted {rows} into {out}")


class Count:
    """The number of rows that have passed."""

    def __init__(self) -> None:
        self.rows = 0

    def of(self, parts: Iterable[Any]) -> Iterator[Any]:
        """The same parts of a table, whose rows are counted."""
        for part in parts:
            self.rows += len(part)
            yield part


def _parts(
    predictor: Predictor, table: OpenTable, drop: Sequence[str], chunk: int
) -> Iterator[Any]:
    """The parts of a table, of the columns of the model; the columns are checked."""
    require_columns(table, drop)
    columns = predictor.columns
    if columns is None:
        columns = [name for name in table.names if name not in drop]
        if len(columns) != predictor.n_columns:
            raise ValueError(
                f"{table.path} has {len(columns)} columns, but the model has "
                f"{predictor.n_columns} inputs, without names: leave columns out by "
                "--drop"
            )
    elif needed := sorted({*columns} & {*drop}):
        raise click.UsageError(f"--drop names {needed[0]!r}, which the model needs")
    require_columns(table, columns)
    return table.parts(columns, predictor.texts, chunk)


def _lines(predictor: Predictor, path: str, parts: Iterable[Any]) -> Iterator[str]:
    """The text of the predictions of each part, the first with the header."""
    before, rows = _csv([predictor.outputs]), 0
    for part in parts:
        try:
            columns = predictor.predict(part)
        except (ValueError, TypeError) as error:
            row, first = _first_error(predictor, part, error)
            raise ValueError(f"{path}, row {rows + row:,}: {first}") from None
        yield before + _csv(zip(*columns, strict=True))
        before, rows = "", rows + len(part)
    if before:
        yield before


def _first_error(
    predictor: Predictor, part: Any, error: Exception
) -> tuple[int, Exception]:
    """The number of the first row of a part that fails, from 1, and its error.

    By halving: the first rows fail if this row is among them.
    """
    good, bad = 0, len(part)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            predictor.predict(part[:middle])
        except (ValueError, TypeError) as sooner:
            bad, error = middle, sooner
        else:
            good = middle
    return bad, error


def _csv(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
