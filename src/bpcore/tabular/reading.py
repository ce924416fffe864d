"""Strict reading of a fitted estimator for tables from a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bpcore.files.native.container import Container
from bpcore.files.native.model_file import require_keys
from bpcore.files.native.networks import HowToRead
from bpcore.files.native.parameters import parameters_of
from bpcore.files.native.values import checked_value, classes_of
from bpcore.network import network_from
from bpcore.quoting import quoted
from bpcore.tabular.base import TabularEstimator
from bpcore.tabular.categories import Categories
from bpcore.tabular.classifier import Classifier
from bpcore.tabular.encoder import CategoryColumn, Encoder, NumberColumns
from bpcore.tabular.numeric import RobustScale
from bpcore.tabular.recipe import Recipe
from bpcore.tabular.regressor import Regressor
from bpcore.tabular.targets import Classes, Standardised

#: The estimators by the kinds of their files.
KINDS: Mapping[str, type[TabularEstimator]] = {
    Classifier.kind: Classifier,
    Regressor.kind: Regressor,
}
#: Keys of the content of a file.
CONTENT = ("parameters", "recipe", "encoder", "targets", "target", "networks")


def estimator_from(
    kind: str, content: dict[str, Any], file: Container, how: HowToRead
) -> TabularEstimator:
    """The fitted estimator of a file.

    Raises
    ------
    ValueError, TypeError
        If anything is missing, unknown or not as described.
    """
    require_keys("content", content, *CONTENT)
    names = KINDS[kind]().get_params()
    model = KINDS[kind](**parameters_of(content["parameters"], names))
    recipe = _read_recipe(content["recipe"])
    encoder = _read_encoder(content["encoder"], file, kind.partition(".")[2])
    targets: Any
    if kind == Classifier.kind:
        targets = Classes(classes_of(content["targets"]))
    else:
        targets = _read_standardised(content["targets"], file)
    target = content["target"]
    if not isinstance(target, str | None):
        raise ValueError(f"target must be a text or null; got {quoted(target)}")
    networks = []
    if not isinstance(content["networks"], list) or not content["networks"]:
        raise ValueError("networks must be a list of at least one")
    for i, plain in enumerate(content["networks"]):
        network = network_from(plain, file, how, f"networks.{i}.")
        expected = encoder.width, targets.n_outputs
        if (network.sizes[0], network.sizes[-1]) != expected:
            raise ValueError(
                f"network {i} must have {expected[0]} inputs and {expected[1]} outputs"
            )
        networks.append(network)
    histories = [network.history for network in networks]
    model.use(networks, histories, encoder, targets, recipe, target)
    return model


def _read_recipe(plain: Any) -> Recipe:
    require_keys("recipe", plain, *(field.name for field in dataclasses.fields(Recipe)))
    sizes = plain["hidden_layer_sizes"]
    if not isinstance(sizes, list):
        raise ValueError(f"hidden_layer_sizes must be a list; got {quoted(sizes)}")
    return Recipe(**{**plain, "hidden_layer_sizes": tuple(sizes)})


def _read_encoder(plain: Any, file: Container, owner: str) -> Encoder:
    require_keys("encoder", plain, "n_columns", "names", "categories")  # fmt: skip
    names, listed = plain["names"], plain["categories"]
    if not isinstance(listed, list) or not isinstance(names, list | None):
        raise ValueError("the names and the categories of an encoder must be lists")
    if names is not None:
        names = tuple(checked_value("the name of a column", name) for name in names)
    places, marked = _indices("encoder.places", file), _indices("encoder.marked", file)
    numbers = NumberColumns(
        places,
        _read_scale("encoder.", file, len(places)),
        marked,
        _read_scale("encoder.marks.", file, len(marked)),
    )
    columns = tuple(
        _read_categories(each, file, f"encoder.categories.{i}")
        for i, each in enumerate(listed)
    )
    return Encoder(plain["n_columns"], names, numbers, columns, owner)


def _indices(name: str, file: Container) -> list[int]:
    """An array of whole numbers as a list."""
    found = file.array(name)
    if found.ndim != 1 or found.dtype != np.int64:
        raise ValueError(f"{name} must be int64 of one dimension")
    places: list[int] = found.tolist()
    return places


def _numbers(name: str, file: Container, shape: tuple[int, ...], dtype: Any) -> Any:
    """An array of a shape and dtype, all of it finite."""
    out = np.empty(shape, dtype)
    file.read_numbers({name: out})
    return out


def _read_scale(prefix: str, file: Container, count: int) -> RobustScale:
    centre = _numbers(f"{prefix}centre", file, (count,), np.float64)
    factor = _numbers(f"{prefix}factor", file, (count,), np.float64)
    return RobustScale(centre, factor)


def _read_categories(plain: Any, file: Container, name: str) -> CategoryColumn:
    require_keys("categories", plain, "place", "names", "others")
    if not isinstance(plain["names"], list):
        raise ValueError("the names of categories must be a list")
    names = tuple(checked_value("a category", each) for each in plain["names"])
    categories = Categories(names, plain["others"])
    shape = len(names) + categories.others + 1, categories.width
    rows = _numbers(name, file, shape, np.float32)
    return CategoryColumn(plain["place"], categories, rows)


def _read_standardised(plain: Any, file: Container) -> Standardised:
    require_keys("targets", plain, "single", "quantiles")
    quantiles = plain["quantiles"]
    entry = file.entries.get("targets.mean")
    count = entry.shape[0] if entry is not None and len(entry.shape) == 1 else 0
    mean, deviation, least, most = (
        _numbers(f"targets.{name}", file, (count,), np.float64)
        for name in ("mean", "deviation", "least", "most")
    )
    if quantiles is not None:
        if not isinstance(quantiles, list) or not quantiles:
            raise ValueError(f"quantiles must be a list; got {quoted(quantiles)}")
        quantiles = tuple(quantiles)
    return Standardised(mean, deviation, least, most, plain["single"], quantiles)
