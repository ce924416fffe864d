"""Arguments of an estimator's constructor as JSON, where a file can hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bpcore.files.native.model_file import require_keys
from bpcore.files.native.settings import as_plain, settings_of
from bpcore.files.native.values import plain_value

#: Marks settings of this library, and a mapping.
SETTINGS, MAPPING = "settings", "mapping"


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name; None in place of one that a file cannot hold.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.native.parameters import parameters_of, plain_parameters
    >>> plain = plain_parameters({"loss": bp.Huber(0.5), "metrics": print})
    >>> plain
    {'loss': {'settings': {'type': 'Huber', 'delta': 0.5}}, 'metrics': None}
    >>> parameters_of(plain, ["loss", "metrics"])
    {'loss': Huber(delta=0.5), 'metrics': None}
    """
    return {name: _plain(value) for name, value in parameters.items()}


def parameters_of(plain: Any, names: Any) -> dict[str, Any]:
    """The arguments of plain ones, which must have these names."""
    require_keys("parameters", plain, *names)
    return {name: _value(value) for name, value in plain.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {MAPPING: [[_plain(key), _plain(value[key])] for key in value]}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [_plain(each) for each in value]
    if isinstance(value, np.dtype) or (
        isinstance(value, type) and issubclass(value, np.generic)
    ):
        return np.dtype(value).name
    try:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {SETTINGS: as_plain(value)}
        return plain_value("a parameter", value)
    except (TypeError, ValueError):
        return None


def _value(plain: Any) -> Any:
    if isinstance(plain, dict):
        if set(plain) == {SETTINGS}:
            return settings_of(plain[SETTINGS])
        require_keys("a parameter", plain, MAPPING)
        return {_value(key): _value(each) for key, each in plain[MAPPING]}
    if isinstance(plain, list):
        return tuple(_value(each) for each in plain)
    return plain
