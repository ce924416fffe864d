"""Writing of a fitted estimator for tables to a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.files.native.model_file import write_model
from bpcore.files.native.network_file import stored_with_test
from bpcore.files.native.networks import Stored
from bpcore.files.native.parameters import plain_parameters
from bpcore.files.native.values import plain_classes, plain_value
from bpcore.files.whole import Path
from bpcore.network import Network, learner_of
from bpcore.tabular.encoder import CategoryColumn, Encoder
from bpcore.tabular.targets import Classes


def write_estimator(path: Path, model: Any, *, sync: bool = True) -> None:
    """Write a fitted estimator to a file, or leave it as it was."""
    models = tuple(model.networks_)
    with ExitStack() as held:  # not during a step of another thread
        for network in models:
            held.enter_context(learner_of(network).engine.reading())
        _write(path, model, models, sync)


def _write(path: Path, model: Any, models: Sequence[Network], sync: bool) -> None:
    networks = []
    arrays: dict[str, NDArray[Any]] = {}
    finite: frozenset[str] = frozenset()
    for i, network in enumerate(models):
        of_network = stored_with_test(
            learner_of(network), model.n_threads, f"networks.{i}.", weights_only=True
        )
        networks.append(of_network.plain)
        arrays |= of_network.arrays
        finite |= of_network.finite
    encoder, targets = _encoder(model.encoder_), _targets(model.targets_)
    plain = {
        "parameters": plain_parameters(model.get_params()),
        "recipe": dataclasses.asdict(model.recipe_),
        "encoder": encoder.plain,
        "targets": targets.plain,
        "target": model.target_name_,
        "networks": networks,
    }
    arrays |= encoder.arrays | targets.arrays
    write_model(path, model.kind, plain, arrays, finite=finite, sync=sync)


def _encoder(encoder: Encoder) -> Stored:
    numbers = encoder.numbers
    names = encoder.names
    if names is not None:
        names = tuple(plain_value("the name of a column", name) for name in names)
    plain = {
        "n_columns": encoder.n_columns,
        "names": names,
        "categories": [_categories(column) for column in encoder.categories],
    }
    arrays = {
        "encoder.places": np.array(numbers.places, np.int64),
        "encoder.marked": np.array(numbers.marked, np.int64),
        "encoder.centre": numbers.scale.centre,
        "encoder.factor": numbers.scale.factor,
        "encoder.marks.centre": numbers.marks.centre,
        "encoder.marks.factor": numbers.marks.factor,
    }
    for i, column in enumerate(encoder.categories):
        arrays[f"encoder.categories.{i}"] = column.rows
    return Stored(plain, arrays)


def _categories(column: CategoryColumn) -> dict[str, Any]:
    known = column.categories
    return {
        "place": column.place,
        "names": [plain_value("a category", name) for name in known.names],
        "others": known.others,
    }


def _targets(targets: Any) -> Stored:
    if isinstance(targets, Classes):
        return Stored(plain_classes(targets.names), {})
    numbers = ("mean", "deviation", "least", "most")
    return Stored(
        {"single": targets.single, "quantiles": targets.quantiles},
        {f"targets.{name}": getattr(targets, name) for name in numbers},
    )
