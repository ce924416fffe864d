"""The steps of `bpcore predict`."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from bpcore.cli.models import loaded
from bpcore.cli.outputs import require_writable
from bpcore.cli.predictors import Predictor, predictor_of
from bpcore.cli.tables import OpenTable, opened_table, require_columns
from bpcore.files.whole import write_whole


def predict_table(
    model: str, data: str, out: str | None, proba: bool, chunk: int
) -> None:
    """Write the predictions of a table, part by part."""
    if out is not None:
        for path in (data, model):
            if os.path.realpath(out) == os.path.realpath(path):
                raise click.UsageError(f"--out must not be {path}")
        require_writable(out, "predictions")
    predictor = predictor_of(loaded(model), proba)
    with opened_table(data) as table:
        lines = _lines(predictor, _parts(predictor, table, chunk))
        if out is None:
            for text in lines:
                sys.stdout.write(text)
        else:
            write_whole(out, (text.encode() for text in lines))


def _parts(predictor: Predictor, table: OpenTable, chunk: int) -> Iterator[Any]:
    """The parts of a table, of the columns of the model; the columns are checked."""
    columns = predictor.columns
    if columns is None:
        if len(table.names) != predictor.n_columns:
            raise ValueError(
                f"{table.path} has {len(table.names)} columns, but the model has "
                f"{predictor.n_columns} inputs, without names"
            )
        columns = table.names
    require_columns(table, columns)
    return table.parts(columns, predictor.texts, chunk)


def _lines(predictor: Predictor, parts: Iterable[Any]) -> Iterator[str]:
    """The text of the predictions: the header, and then of each part."""
    yield _csv([predictor.outputs])
    for part in parts:
        yield _csv(zip(*predictor.predict(part), strict=True))


def _csv(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
