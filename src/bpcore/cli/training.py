"""The steps of `bpcore train`."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from bpcore.cli.columns import (
    CLASSIFICATION,
    Target,
    date_columns,
    identifier_columns,
    number_like,
    target_of,
)
from bpcore.cli.errors import note, printable
from bpcore.cli.outputs import (
    blank_figure,
    mark_written,
    require_writable,
    save_figure,
)
from bpcore.cli.report import held_out, show_importances, show_scores
from bpcore.cli.show import line, size_of
from bpcore.cli.tables import Notation, opened_table, require_columns
from bpcore.files.native.model_file import require_native_suffix
from bpcore.tabular import Classifier, Regressor


@dataclass(frozen=True)
class Settings:
    """The arguments of the command."""

    data: str
    target: str
    out: str
    task: str | None
    quick: bool
    models: int
    test: float
    drop: Sequence[str]
    categorical: Sequence[str]
    decimal: str
    thousands: str
    missing: Sequence[str]
    epochs: int | None
    seed: int
    threads: int | None
    plot: str | None
    no_progress: bool


def train_on_table(settings: Settings) -> None:
    """Read a table, train, save the model, and report on rows held out."""
    _require_usable(settings)
    frame = _read(settings)
    known = frame[settings.target].notna()
    if not known.any():
        raise ValueError(f"all values of the target {settings.target!r} are missing")
    if not known.all():
        missing = _rows(int((~known).sum()))
        _line_before(f"{missing} left out, whose {settings.target} is missing")
        frame = frame[known].reset_index(drop=True)
    if len(frame) < 2:
        raise ValueError("the table must have at least 2 rows with a target; got 1")
    target = target_of(frame[settings.target], settings.task)
    X = frame.drop(columns=settings.target)
    identifiers = _check_columns(X)
    _line_before(f"{target.task}: {target.reason}")
    test = held_out(target, settings.test, settings.seed)
    model = _fit(settings, target, X[~test], target.y[~test], identifiers)
    # Before anything else that may fail, such as a reader of the report who is gone.
    model.save(settings.out)
    mark_written(settings.out)
    line("")
    if test.any():
        show_scores(model, target, X[test], target.y[test], target.y[~test])
        show_importances(model, target, X[test], target.y[test])
    elif settings.test:
        line(f"no report: {_rows(len(X))} are too few to hold out some\n")
    if settings.plot is not None:
        rows = (X[test], target.y[test]) if test.any() else ()
        figure = model.plot(*rows)
        title = f"{os.path.basename(settings.data)}: {settings.target}"
        figure.suptitle(printable(title.replace("$", r"\$")))
        save_figure(figure, settings.plot)
        mark_written(settings.plot)
    _conclude(settings, len(X), int(test.sum()))


def _line_before(text: str) -> None:
    """Print a line before the training, which goes on if nobody can read it."""
    with contextlib.suppress(OSError):
        line(text)


def _require_usable(settings: Settings) -> None:
    """Raise if names contradict each other or a file cannot be written."""
    if os.path.realpath(settings.out) == os.path.realpath(settings.data):
        raise click.UsageError("--out must not be the file of the data")
    for option in ("drop", "categorical"):
        if settings.target in getattr(settings, option):
            raise click.UsageError(f"--{option} must not name the target")
    both = {*settings.drop} & {*settings.categorical}
    if both:
        raise click.UsageError(f"--drop and --categorical both name {min(both)!r}")
    try:
        require_native_suffix(settings.out)
    except ValueError:
        raise click.UsageError(
            f"--out must be a native file, such as model.bpc; got {settings.out}: "
            "bpcore convert writes other forms of it"
        ) from None
    require_writable(settings.out, "model")
    if settings.plot is not None:
        try:
            blank_figure(settings.plot, "--plot")
        except ValueError as error:
            raise click.UsageError(str(error)) from None


def _read(settings: Settings) -> Any:
    """The table without the columns to leave out."""
    named = [settings.target, *settings.drop, *settings.categorical]
    notation = Notation(settings.decimal, settings.thousands, settings.missing)
    with opened_table(settings.data, notation) as table:
        require_columns(table, named)
        frame = table.whole(settings.categorical)
        path = table.path
    if not len(frame):
        raise ValueError(f"{path} has no rows")
    frame = frame.drop(columns=list(settings.drop))
    if frame.shape[1] < 2:
        raise ValueError(f"{path} has no columns to learn from besides the target")
    return frame


def _check_columns(X: Any) -> list[str]:
    """Raise if there are dates, warn of other texts that teach nothing; the latter."""
    dates = date_columns(X)
    if dates:
        names = ", ".join(map(repr, dates))
        options = " ".join(f"--drop {name!r}" for name in dates)
        raise ValueError(
            f"dates or times have no meaning as single numbers: {names}. Give what "
            "matters of them as columns of numbers, such as the year, the month or the "
            f"days since an event, or leave them out: {options}"
        )
    empty = [name for name in X.columns if X[name].isna().all()]
    if empty:
        names = ", ".join(map(repr, empty))
        note(f"no values, so nothing to learn from: {names}", "warning")
    advice = number_like(X)
    for name, text in advice.items():
        note(
            f"column {name!r} has texts, most of which look like numbers: {text}",
            "warning",
        )
    identifiers = [name for name in identifier_columns(X) if name not in advice]
    for name in identifiers:
        note(
            f"column {name!r} has another text in every row, so nothing can be learned "
            f"from it: leave it out by --drop {name!r}",
            "warning",
        )
    return [*advice, *identifiers]


def _fit(
    settings: Settings, target: Target, X: Any, y: Any, identifiers: list[str]
) -> Any:
    """The trained model."""
    kind = Classifier if target.task == CLASSIFICATION else Regressor
    model = kind(
        quick=settings.quick,
        n_models=settings.models,
        epochs=settings.epochs,
        categorical=list(settings.categorical) or "auto",
        n_threads=settings.threads or "auto",
        random_state=settings.seed,
        verbose=not settings.no_progress and sys.stderr.isatty(),
    )
    with warnings.catch_warnings():
        for name in identifiers:  # there was a warning
            of_column = re.escape(f"X[{name!r}] ")
            what = "(is not used|has .* most of which are numbers)"
            warnings.filterwarnings("ignore", message=of_column + what)
        return model.fit(X, y)


def _conclude(settings: Settings, rows: int, tested: int) -> None:
    size = size_of(os.path.getsize(settings.out))
    how = f"trained on {_rows(rows - tested)}"
    if tested:
        how += f", without the {tested:,} held out (--test 0 trains on all)"
    line(f"saved {settings.out} ({size}): {how}")
    if settings.plot is not None:
        line(f"saved {settings.plot}")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
