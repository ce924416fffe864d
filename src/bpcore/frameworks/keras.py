"""Networks of Keras 3: models, their lists of weights, and their files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.arrays import Real
from bpcore.files.keras import read
from bpcore.files.regular import errors_of
from bpcore.frameworks.bare import (
    Settings,
    batch_norm,
    groups_of,
    layer_norm,
    network_with,
    real,
    require_keys,
    with_output,
)
from bpcore.frameworks.keras_layers import KerasLayer, layer_elements, sequence
from bpcore.frameworks.natural import natural
from bpcore.losses import Loss, LossFunction
from bpcore.model.elements import Element, Linear
from bpcore.network import Network, learner_of
from bpcore.quoting import quoted
from bpcore.training.learner import Learner

#: eps of Keras' norms, where arrays do not say it.
EPS = 1e-3


def from_keras(
    source: Any,
    *,
    keys: Sequence[str] | None = None,
    activation: str | Sequence[str] | None = None,
    output: str | None = None,
    norm_first: bool = True,
    loss: str | Loss | LossFunction | None = None,
) -> Network:
    """A network from a model of Keras 3, its weights, or a file of either.

    Parameters
    ----------
    source : model, sequence of arrays, or path
        A model, Sequential or of layers one after the other: InputLayer, Dense,
        Activation and the layers that are activations, Dropout, BatchNormalization,
        LayerNormalization, Rescaling, and Flatten at the front.  Or the list that
        ``model.get_weights()`` gives.  Or the path of a ``.keras`` or ``.weights.h5``
        file, which the package h5py reads.
    keys : sequence of str, optional
        The groups of a ``.weights.h5`` file in their order, as ``["dense",
        "batch_normalization", "dense_1"]``; needed where there are others than dense.
    activation : str or sequence of str, optional
        Of the hidden layers, where there is no model but weights alone.
    output : str, optional
        Of the last layer of weights alone, or of a model that ends in logits:
        ``output="softmax"``.  The default is identity.
    norm_first : bool
        For weights alone: whether a norm is between a layer's weights and its
        activation, or after both.
    loss : str, Loss or callable, optional
        As for `Network`.

    Returns
    -------
    Network
        In the dtype of the weights, float32 or float64.  Predictions are those of the
        model up to rounding.

    Raises
    ------
    ValueError, TypeError
        If a layer has no place in this library's networks; the message names it.
    ModelFileError
        If a file is damaged or of another kind.
    ImportError
        If a file is given and h5py is not installed.

    Notes
    -----
    Weights alone are taken for norms with epsilon 0.001, the default of Keras, and with
    both gain and shift.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> weights = [np.array([[2.0], [3.0]]), np.array([1.0])]
    >>> bp.from_keras(weights).predict([1.0, 1.0])
    array([6.])
    """
    require_keys(keys)
    settings = Settings(activation, output, norm_first)
    given = (keys, activation) != (None, None)
    if hasattr(source, "get_weights") and hasattr(source, "layers"):
        if given:
            raise TypeError("keys and activation must be left to the model")
        layers = [
            KerasLayer(
                type(layer).__name__,
                str(layer.name),
                layer.get_config(),
                [np.asarray(w) for w in layer.get_weights()],
            )
            for layer in sequence(source.get_config(), source.layers)
        ]
        return network_with(with_output(_elements(layers), settings.output), loss)
    if isinstance(source, str | os.PathLike):
        return _from_file(source, keys, settings, given, loss)
    listed = isinstance(source, list | tuple)
    if not listed or any(np.ndim(w) > 2 for w in source):
        raise TypeError(
            "source must be a model of Keras, the list of model.get_weights(), or a "
            f"path; got {type(source).__name__}"
        )
    arrays = [real(f"array {i}", w) for i, w in enumerate(source)]
    return network_with(settings.elements(_groups(arrays)), loss)


def to_keras(network: Network) -> list[Real]:
    """The list for ``model.set_weights()`` of a Keras model of the same layers.

    For each layer W and b; or with a norm W, gain, b, and for batch norm the running
    mean and variance, for ``Dense(n, use_bias=False)`` and then
    ``BatchNormalization(epsilon=1e-5)`` or ``LayerNormalization(epsilon=1e-5)``.
    `input_scale` is multiplied into the first W.

    Parameters
    ----------
    network : Network

    Returns
    -------
    list of arrays
        Copies.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([2, 3, 1], norm="batch", rng=0)
    >>> [array.shape for array in bp.to_keras(net)]
    [(2, 3), (3,), (3,), (3,), (3,), (3, 1), (1,)]
    """
    checks.instance("network", network, Network)
    learner = learner_of(network)
    with learner.engine.reading():  # not during a step of another thread
        return _arrays(learner)


def _arrays(learner: Learner) -> list[Real]:
    views = learner.views
    found: list[Real] = []
    for l, W in enumerate(views.weights):
        scaled = W if l or views.scale is None else W * views.scale[:, None]
        gain, moments = views.gains[l], learner.moments[l]
        layer = [scaled, views.biases[l]] if gain is None else [scaled, gain]
        layer += [] if gain is None else [views.biases[l]]
        layer += [] if moments is None else list(moments)
        found += [np.array(array) for array in layer]
    return found


def _from_file(
    path: str | os.PathLike[str],
    keys: Sequence[str] | None,
    settings: Settings,
    given: bool,
    loss: str | Loss | LossFunction | None,
) -> Network:
    """A network from a file."""
    config, arrays = read(path)
    if config is not None and given:
        raise TypeError("keys and activation must be left to the model")
    with errors_of(path):
        if config is not None:
            layers = [
                KerasLayer(kind, name, own, arrays.get(name, []))
                for kind, name, own in sequence(config)
            ]
            return network_with(with_output(_elements(layers), settings.output), loss)
        if keys is None:
            others = [k for k in arrays if arrays[k] and not k.startswith("dense")]
            if others:
                raise ValueError(
                    f"the order of {others[0][:80]!r} among the dense layers is not in "
                    "the file: give keys, or a .keras file"
                )
            keys = sorted(arrays, key=natural)
        if missing := [key for key in keys if key not in arrays]:
            raise ValueError(
                f"keys must be groups of the file, {', '.join(arrays)!s:.200}; got "
                f"{quoted(missing[0])}"
            )
        ordered = [array for key in keys for array in arrays[key]]
        return network_with(settings.elements(_groups(ordered)), loss)


def _elements(layers: Sequence[KerasLayer]) -> list[Element]:
    return [element for layer in layers for element in layer_elements(layer)]


def _groups(arrays: Sequence[Real]) -> list[list[Element]]:
    """Layers of a list of weights, by the number of vectors after each matrix."""
    starts = [i for i, array in enumerate(arrays) if array.ndim == 2]
    if not starts or starts[0] != 0:
        raise ValueError("weights must begin with a matrix (n_in, n_out)")
    found: list[Element] = []
    for l, (first, end) in enumerate(
        zip(starts, [*starts[1:], len(arrays)], strict=True)
    ):
        W, *vectors = arrays[first:end]
        at = f"layer {l}"
        if len(vectors) > 5:
            raise ValueError(f"{at}: {len(vectors)} vectors follow its matrix")
        b = vectors.pop(0) if len(vectors) % 2 else None
        found.append(Linear(W, b, at=at))
        if len(vectors) == 4:
            found.append(batch_norm(at, vectors, EPS))
        elif vectors:
            found.append(layer_norm(at, vectors, EPS))
    return groups_of(found)
