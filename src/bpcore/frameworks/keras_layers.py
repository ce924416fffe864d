"""Layers of Keras as elements, by their classes and configurations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from bpcore.arrays import Real
from bpcore.frameworks.bare import real
from bpcore.model.elements import (
    Activation,
    Affine,
    BatchNorm,
    Dropout,
    Element,
    LayerNorm,
    Linear,
)
from bpcore.quoting import quoted

#: {name of an activation in Keras: here}
ACTIVATIONS = {
    "linear": "identity",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "softmax": "softmax",
    "elu": "elu",
    "selu": "selu",
    "gelu": "gelu",
    "silu": "silu",
    "swish": "silu",
    "mish": "mish",
    "softplus": "softplus",
    "softsign": "softsign",
    "hard_sigmoid": "hard_sigmoid",
    "hard_tanh": "hard_tanh",
    "exponential": "exp",
}

#: {class of a layer that is an activation: (activation, {setting: the only value})}
ACTIVATION_LAYERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ReLU": ("relu", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.01}),
    "ELU": ("elu", {"alpha": 1.0}),
    "Softmax": ("softmax", {"axis": -1}),
}

#: Settings of BatchNormalization and LayerNormalization: {name: allowed values}.
NORM_SETTINGS: dict[str, tuple[Any, ...]] = {
    "axis": (-1, 1, [-1], [1]),
    "rms_scaling": (False, None),
    "renorm": (False, None),
}


class KerasLayer(NamedTuple):
    """A layer: its class, its name, its configuration and its weights."""

    kind: str
    name: str
    config: Mapping[str, Any]
    weights: Sequence[Real]

    @property
    def at(self) -> str:
        """Its place, for messages."""
        return f"layer {self.name[:80]!r} ({self.kind[:80]})"

    def refuse(self, why: str) -> NoReturn:
        """Raise: the layer cannot be read."""
        raise ValueError(f"{self.at}: {why}")

    def flag(self, name: str) -> bool:
        """A setting that is a bool."""
        value = self.config.get(name)
        if not isinstance(value, bool):
            self.refuse(f"{name} must be true or false; got {quoted(value)}")
        return value

    def number(self, name: str) -> float:
        """A setting that is a finite number."""
        value = self.config.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"{name} must be a number; got {quoted(value)}")
        if not math.isfinite(value):
            self.refuse(f"{name} must be finite; got {value}")
        return float(value)

    def arrays(self, count: int) -> list[Real]:
        """Its weights, of which there must be `count`."""
        if len(self.weights) != count:
            self.refuse(f"must have {count} arrays; got {len(self.weights)}")
        return [real(self.at, array) for array in self.weights]


def layer_elements(layer: KerasLayer) -> list[Element]:
    """The elements of a layer.

    Raises
    ------
    ValueError
        If there is none for it here.
    """
    if layer.kind in ACTIVATION_LAYERS:
        name, settings = ACTIVATION_LAYERS[layer.kind]
        for setting, value in settings.items():
            if (got := layer.config.get(setting)) != value:
                layer.refuse(f"{setting} must be {value}; got {quoted(got)}")
        return [Activation(name, at=layer.at)]
    if layer.kind not in _READERS:
        layer.refuse("there is no layer here for it")
    return _READERS[layer.kind](layer)


def sequence(config: Any, layers: Sequence[Any] | None = None) -> list[Any]:
    """Layers of a model's configuration, one after the other.

    Parameters
    ----------
    config : dict
        What ``model.get_config()`` gives, or ``config.json`` of an archive, with the
        class of the model.
    layers : sequence, optional
        The layers themselves.

    Returns
    -------
    list
        The layers, or (class, name, configuration) of each.

    Raises
    ------
    ValueError
        If there are branches, or the configuration is not of that form.
    """
    own = (
        config.get("config") if layers is None and isinstance(config, dict) else config
    )
    if not isinstance(own, Mapping) or not isinstance(own.get("layers"), list | tuple):
        raise ValueError("the configuration must have a list of layers")
    entries = [_entry(entry) for entry in own["layers"]]
    before: str | None = None
    for entry, (kind, name, _) in zip(own["layers"], entries, strict=True):
        nodes = entry.get("inbound_nodes") or []
        sources = _names(nodes)
        if len(nodes) > 1 or sources not in ([], [before]):
            raise ValueError(
                f"layer {name[:80]!r} ({kind[:80]}): must have the layer before it as "
                "its only input: models with branches cannot be read"
            )
        if sources == [] and before is not None and "inbound_nodes" in entry:
            raise ValueError(f"layer {name[:80]!r} ({kind[:80]}): is a second input")
        before = name
    if layers is None:
        return entries
    named = {str(layer.name): layer for layer in layers}
    return [named[name] for _, name, _ in entries if name in named]


def _entry(entry: Any) -> tuple[str, str, Mapping[str, Any]]:
    """Class, name and configuration of a layer."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if not isinstance(config, Mapping):
        raise ValueError("each layer must have a class and a configuration")
    kind, name = entry.get("class_name"), config.get("name")
    if not isinstance(kind, str) or not isinstance(name, str):
        raise ValueError("each layer must have a class and a name")
    return kind, name, config


def _names(nodes: Any) -> list[str]:
    """Names of the layers whose outputs are in the arguments of a call."""
    found: list[str] = []
    left = [nodes]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            history = value.get("keras_history")
            if isinstance(history, list | tuple) and history:
                found.append(str(history[0]))
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
    return found


def _dense(layer: KerasLayer) -> list[Element]:
    if layer.config.get("quantization_config") or layer.config.get("lora_rank"):
        layer.refuse("must have plain weights, not quantised ones or LoRA's")
    W, *b = layer.arrays(1 + layer.flag("use_bias"))
    product = Linear(W, b[0] if b else None, at=layer.at)
    return [product, *_activation(layer)]


def _activation(layer: KerasLayer) -> list[Element]:
    name = layer.config.get("activation")
    if not isinstance(name, str) or name not in ACTIVATIONS:
        layer.refuse(f"there is no activation here for {quoted(name)}")
    return [Activation(ACTIVATIONS[name], at=layer.at)]


def _norm(layer: KerasLayer) -> list[Element]:
    for setting, allowed in NORM_SETTINGS.items():
        if (got := layer.config.get(setting)) not in allowed:
            layer.refuse(f"{setting} must be {allowed[0]}; got {quoted(got)}")
    scaled, shifted = layer.flag("scale"), layer.flag("center")
    batch = layer.kind == "BatchNormalization"
    arrays = layer.arrays(scaled + shifted + 2 * batch)
    if not arrays:
        layer.refuse("must have center or scale, from which its size is known")
    ones, zeros = np.ones(arrays[0].shape), np.zeros(arrays[0].shape)
    gain = arrays.pop(0) if scaled else ones
    shift = arrays.pop(0) if shifted else zeros
    eps = layer.number("epsilon")
    if batch:
        mean, variance = arrays
        return [BatchNorm(gain, shift, mean, variance, eps, at=layer.at)]
    return [LayerNorm(gain, shift, eps, at=layer.at)]


def _dropout(layer: KerasLayer) -> list[Element]:
    return [Dropout(layer.number("rate"), at=layer.at)]


def _rescaling(layer: KerasLayer) -> list[Element]:
    scale, offset = layer.number("scale"), layer.number("offset")
    return [Affine(np.array([scale]), np.array([offset]), at=layer.at)]


def _nothing(layer: KerasLayer) -> list[Element]:
    return []


_READERS: dict[str, Callable[[KerasLayer], list[Element]]] = {
    "InputLayer": _nothing,
    "Flatten": _nothing,
    "Identity": _nothing,
    "Dense": _dense,
    "Activation": _activation,
    "BatchNormalization": _norm,
    "LayerNormalization": _norm,
    "Dropout": _dropout,
    "Rescaling": _rescaling,
}
