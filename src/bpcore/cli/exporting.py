"""The steps of `bpcore export-c`."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from bpcore.cli.columns import CLASSIFICATION, REGRESSION, target_of
from bpcore.cli.converting import in_short, method, require_different
from bpcore.cli.models import loaded, require_suffix
from bpcore.cli.outputs import mark_written, require_writable
from bpcore.cli.predictors import Predictor, predictor_of
from bpcore.cli.show import line
from bpcore.cli.tables import opened_table, require_columns
from bpcore.network import Network


def export(
    model: str,
    header: str,
    name: str,
    int8: bool,
    data: str | None,
    target: str | None,
) -> None:
    """Write a model as a C header, and print how large and how exact it is."""
    require_suffix(header, (".h",), "HEADER")
    require_different(model, header)
    if target is not None and data is None:
        raise click.UsageError("--target needs --data")
    require_writable(header, "header")
    found = loaded(model)
    options: dict[str, Any] = {"name": name, "weights": "int8" if int8 else None}
    if data is not None:
        predictor = predictor_of(found, proba=False)
        options["X"], options["y"] = _rows(found, predictor, data, target)
        if isinstance(found, Network) and predictor.has_classes:
            options["metrics"] = "accuracy"
    report = method(found, "to_c", header)(header, **options)
    mark_written(header)
    line(str(report).replace("give X, or X and y", "give --data, or also --target"))
    line(f"{in_short(model)} -> {in_short(header)}")


def _rows(
    model: Any, predictor: Predictor, data: str, target: str | None
) -> tuple[Any, Any]:
    """The rows of a table for a model, and their targets."""
    target = target or getattr(model, "target_name_", None)
    if target is None:
        raise click.UsageError(
            "--data needs --target: the model has no name of its own"
        )
    with opened_table(data) as table:
        require_columns(table, [target, *(predictor.columns or ())])
        frame = table.whole(predictor.texts)
    frame = frame[frame[target].notna()]
    task = CLASSIFICATION if predictor.has_classes else REGRESSION
    y = np.asarray(target_of(frame[target], task).y)
    columns = predictor.columns or [name for name in frame.columns if name != target]
    return predictor.prepared(frame[columns]), y
