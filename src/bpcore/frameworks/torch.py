"""Networks of PyTorch: modules, state dicts and their safetensors files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore import checks
from bpcore.arrays import Real
from bpcore.files.native.container import Container
from bpcore.files.regular import errors_of, size_of
from bpcore.frameworks.bare import (
    Settings,
    groups_of,
    network_with,
    real,
    require_keys,
    with_output,
)
from bpcore.frameworks.natural import natural
from bpcore.losses import Loss, LossFunction
from bpcore.model.elements import (
    Activation,
    BatchNorm,
    Dropout,
    Element,
    LayerNorm,
    Linear,
)
from bpcore.network import Network, learner_of
from bpcore.quoting import quoted
from bpcore.training.learner import Learner

if TYPE_CHECKING:
    import torch

#: {class: (activation, {attribute: the only value that can be read})}
ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "Identity": ("identity", {}),
    "Sigmoid": ("sigmoid", {}),
    "Tanh": ("tanh", {}),
    "ReLU": ("relu", {}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.01}),
    "ELU": ("elu", {"alpha": 1.0}),
    "CELU": ("elu", {"alpha": 1.0}),
    "SELU": ("selu", {}),
    "SiLU": ("silu", {}),
    "Mish": ("mish", {}),
    "Softplus": ("softplus", {"beta": 1.0, "threshold": 20.0}),
    "Softsign": ("softsign", {}),
    "Hardsigmoid": ("hard_sigmoid", {}),
    "Hardtanh": ("hard_tanh", {"min_val": -1.0, "max_val": 1.0}),
}

#: {the attribute `approximate` of GELU: activation}
GELU = {"none": "gelu", "tanh": "gelu_tanh"}

#: {activation: class and its arguments}
CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    name: (kind, {}) for kind, (name, _) in ACTIVATIONS.items() if kind != "CELU"
} | {
    "gelu": ("GELU", {}),
    "gelu_tanh": ("GELU", {"approximate": "tanh"}),
    "softmax": ("Softmax", {"dim": -1}),
}

#: eps of PyTorch's norms, where a state dict does not say it.
EPS = 1e-5


def from_torch(
    source: Any,
    *,
    keys: Sequence[str] | None = None,
    activation: str | Sequence[str] | None = None,
    output: str | None = None,
    norm_first: bool = True,
    loss: str | Loss | LossFunction | None = None,
) -> Network:
    """A network from a module of PyTorch, a state dict, or its ``.safetensors`` file.

    Parameters
    ----------
    source : torch.nn.Sequential, mapping of str to tensor or array, or path
        A Sequential, or several within each other, of Linear, activations, Dropout,
        BatchNorm1d, LayerNorm, Flatten at the front and Identity.  A state dict has
        ``"0.weight"``, ``"0.bias"``, ``"1.running_mean"``, ...; a path is that of a
        file of safetensors with such keys.
    keys : sequence of str, optional
        The layers of a state dict in their order, as ``["fc1", "norm1", "fc2"]``; by
        default all, in the order of the numbers in their names.
    activation : str or sequence of str, optional
        Of the hidden layers of a state dict, which has none.
    output : str, optional
        Of the last layer, of a state dict or of a module that ends in logits, as for
        ``CrossEntropyLoss``: ``output="softmax"``.  The default is identity.
    norm_first : bool
        Whether a norm in a state dict is between weights and activation, or after both.
    loss : str, Loss or callable, optional
        As for `Network`.

    Returns
    -------
    Network
        In the dtype of the weights, float32 or float64.  Its predictions are those of
        the module in ``eval()`` up to rounding.

    Raises
    ------
    ValueError, TypeError
        If a module has no place in this library's networks; the message names it.
    ModelFileError
        If a file is damaged, or has other arrays.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> state = {"0.weight": np.array([[2.0, 3.0]]), "0.bias": np.array([1.0])}
    >>> bp.from_torch(state).predict([1.0, 1.0])
    array([6.])
    """
    if hasattr(source, "named_children"):
        if (activation, keys) != (None, None):
            raise TypeError("activation and keys must be left to the module")
        return network_with(with_output(_module_elements(source), output), loss)
    require_keys(keys)
    settings = Settings(activation, output, norm_first)
    if isinstance(source, Mapping):
        arrays = {str(key): _as_array(str(key), source[key]) for key in source}
        return network_with(_state_elements(arrays, keys, settings), loss)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            "source must be a module, a state dict or the path of a .safetensors file; "
            f"got {type(source).__name__}"
        )
    with errors_of(source):
        _require_no_pickle(source)
        with Container.opened(source) as file:
            arrays = {name: file.array(name) for name in file.entries}
        return network_with(_state_elements(arrays, keys, settings), loss)


def _require_no_pickle(path: str | os.PathLike[str]) -> None:
    """Raise for the files of ``torch.save``."""
    size_of(path)  # raises if it is a pipe, which would wait for a writer
    with open(path, "rb") as file:
        if file.read(4).startswith((b"PK\x03\x04", b"\x80")):
            raise ValueError(
                "is a pickle of PyTorch, which can run any code: save the weights by "
                "safetensors.torch.save_file(module.state_dict(), path)"
            )


def to_torch(network: Network) -> torch.nn.Sequential:
    """A module of PyTorch that predicts the same, in ``eval()``.

    Layers are Linear, then BatchNorm1d or LayerNorm if there is one, the activation and
    Dropout.  Parameters are copies.  `input_scale` is multiplied into the first layer.

    Parameters
    ----------
    network : Network

    Returns
    -------
    torch.nn.Sequential

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    ValueError
        If an activation has no module: exp and step.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([2, 3, 1], rng=0)
    >>> module = bp.to_torch(net)  # doctest: +SKIP
    >>> module(torch.tensor([[1.0, 2.0]]))  # doctest: +SKIP
    """
    checks.instance("network", network, Network)
    for name in network.activations:
        if name not in CLASSES:
            raise ValueError(
                f"network must not have {name}: PyTorch has no module of it"
            )
    learner = learner_of(network)
    with learner.engine.reading():  # not during a step of another thread
        return _module(learner)


def _module(learner: Learner) -> torch.nn.Sequential:
    import torch

    design, views = learner.design, learner.views
    dtype = getattr(torch, learner.dtype.name)
    modules: list[torch.nn.Module] = []
    layers = zip(
        views.weights,
        views.biases,
        views.gains,
        learner.moments,
        design.norms,
        design.activations,
        design.dropout,
        strict=True,
    )
    for l, (W, b, gain, moments, norm, f, p) in enumerate(layers):
        n_in, n_out = W.shape
        linear = torch.nn.Linear(n_in, n_out, bias=norm is None, dtype=dtype)
        if l == 0 and views.scale is not None:
            W = W * views.scale[:, None]
        values: dict[str, Real] = {"weight": W.T}
        modules.append(linear)
        if norm is None:
            values["bias"] = b
        else:
            kind = torch.nn.BatchNorm1d if norm == "batch" else torch.nn.LayerNorm
            modules.append(kind(n_out, dtype=dtype))
            _copy_into(modules[-1], {"weight": gain, "bias": b})
        if moments is not None:
            names = ("running_mean", "running_var")
            _copy_into(modules[-1], dict(zip(names, moments, strict=True)))
        _copy_into(linear, values)
        if f != "identity":
            name, arguments = CLASSES[f]
            modules.append(getattr(torch.nn, name)(**arguments))
        if p:
            modules.append(torch.nn.Dropout(p))
    return torch.nn.Sequential(*modules).eval()


def _copy_into(module: torch.nn.Module, values: Mapping[str, Real]) -> None:
    """Set parameters and buffers."""
    import torch

    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(torch.from_numpy(np.array(value)))


# --- modules --------------------------------------------------------------------------


def _module_elements(module: Any) -> list[Element]:
    """The elements of a module in eval()."""
    found = []
    for name, part in _leaves(module, ""):
        kind = type(part).__name__
        at = f"module {quoted(name)} ({kind})" if name else f"module {kind}"
        found += _leaf_elements(part, kind, at)
    return found


def _leaves(module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The modules of Sequentials within each other, in order, by their names.

    One that is there twice is yielded twice, unlike by ``named_children``.
    """
    _require_no_hooks(module, name)
    if type(module).__name__ != "Sequential":
        yield name, module
        return
    names = {id(child): own for own, child in module.named_children()}
    for child in module:
        own = names[id(child)]
        yield from _leaves(child, f"{name}.{own}" if name else own)


def _require_no_hooks(module: Any, name: str) -> None:
    """Raise if functions are called around the module, but for those of pruning."""
    hooks = [
        *getattr(module, "_forward_hooks", {}).values(),
        *getattr(module, "_forward_pre_hooks", {}).values(),
    ]
    if any(type(hook).__module__ != "torch.nn.utils.prune" for hook in hooks):
        raise ValueError(
            f"module {quoted(name)} ({type(module).__name__}): must have no forward "
            "hooks, which are Python functions; remove them first"
        )


def _leaf_elements(part: Any, kind: str, at: str) -> list[Element]:
    """The elements of a module that is no Sequential."""
    if not type(part).__module__.startswith("torch.nn."):
        raise TypeError(
            f"{at}: must be a module of torch.nn; for your own, give a Sequential of "
            "its parts, its state_dict() with keys, or an ONNX file"
        )
    if kind in ACTIVATIONS:
        name, settings = ACTIVATIONS[kind]
        for attribute, value in settings.items():
            _require(at, part, attribute, (value,))
        return [Activation(name, at=at)]
    if kind not in _READERS:
        raise ValueError(f"{at}: there is no layer here for it")
    return _READERS[kind](part, at)


def _linear(part: Any, at: str) -> list[Element]:
    b = None if part.bias is None else _as_array(at, part.bias)
    return [Linear(_as_array(at, part.weight).T, b, at=at)]


def _batch_norm(part: Any, at: str) -> list[Element]:
    if part.running_mean is None:
        raise ValueError(f"{at}: must have running statistics")
    mean, variance = _as_array(at, part.running_mean), _as_array(at, part.running_var)
    gain, shift = _gain_and_shift(part, at, len(mean))
    return [BatchNorm(gain, shift, mean, variance, float(part.eps), at=at)]


def _layer_norm(part: Any, at: str) -> list[Element]:
    if len(part.normalized_shape) != 1:
        raise ValueError(f"{at}: normalized_shape must be one number of units")
    gain, shift = _gain_and_shift(part, at, part.normalized_shape[0])
    return [LayerNorm(gain, shift, float(part.eps), at=at)]


def _gain_and_shift(part: Any, at: str, size: int) -> tuple[Real, Real]:
    """Weight and bias of a norm, ones and zeros where it has none."""
    gain = np.ones(size) if part.weight is None else _as_array(at, part.weight)
    shift = np.zeros(size) if part.bias is None else _as_array(at, part.bias)
    return gain, shift


def _gelu(part: Any, at: str) -> list[Element]:
    _require(at, part, "approximate", tuple(GELU))
    return [Activation(GELU[part.approximate], at=at)]


def _softmax(part: Any, at: str) -> list[Element]:
    _require(at, part, "dim", (1, -1))
    return [Activation("softmax", at=at)]


def _dropout(part: Any, at: str) -> list[Element]:
    return [Dropout(float(part.p), at=at)]


def _flatten(part: Any, at: str) -> list[Element]:
    _require(at, part, "start_dim", (1,))
    _require(at, part, "end_dim", (-1,))
    return []


_READERS: dict[str, Callable[[Any, str], list[Element]]] = {
    "Linear": _linear,
    "BatchNorm1d": _batch_norm,
    "LayerNorm": _layer_norm,
    "GELU": _gelu,
    "Softmax": _softmax,
    "Dropout": _dropout,
    "Flatten": _flatten,
}


def _require(at: str, part: Any, attribute: str, values: Sequence[Any]) -> None:
    """Raise unless an attribute has one of the values."""
    got = getattr(part, attribute)
    if got not in values:
        allowed = " or ".join(map(repr, values))
        raise ValueError(f"{at}: {attribute} must be {allowed}; got {quoted(got)}")


def _as_array(name: str, tensor: Any) -> Real:
    """A tensor's numbers."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if str(tensor.dtype) not in ("torch.float32", "torch.float64", "torch.int64"):
            raise ValueError(
                f"{name} must be of float32 or float64; got {tensor.dtype}: convert it "
                "by .float()"
            )
        tensor = tensor.numpy()
    return np.asarray(tensor)


# --- state dicts ----------------------------------------------------------------------

#: Names of the arrays of a layer; the last is a count that nothing depends on.
PARTS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _state_elements(
    arrays: Mapping[str, Real], keys: Sequence[str] | None, settings: Settings
) -> list[Element]:
    """The elements of a state dict."""
    layers: dict[str, dict[str, Real]] = {}
    for key, array in arrays.items():
        name, _, part = key.rpartition(".")
        layers.setdefault(name if part in PARTS else key, {})[part] = array
    if keys is None:
        keys = sorted(layers, key=natural)
    elif missing := [key for key in keys if key not in layers]:
        raise ValueError(
            f"keys must be layers of the state dict, {', '.join(layers)!s:.200}; got "
            f"{quoted(missing[0])}"
        )
    return settings.elements(groups_of([_layer(key, layers[key]) for key in keys]))


def _layer(key: str, parts: Mapping[str, Real]) -> Element:
    """The element of the arrays of a layer."""
    at = f"layer {key[:80]!r}"
    if unknown := set(parts) - set(PARTS):
        raise ValueError(
            f"{at}: has the array {sorted(unknown)[0][:80]!r}; those of Linear, "
            "BatchNorm1d and LayerNorm can be read: name the layers by keys"
        )
    if "weight" not in parts:
        raise ValueError(f"{at}: must have a weight")
    real_parts = {name: real(at, parts[name]) for name in PARTS[:-1] if name in parts}
    weight, bias = real_parts["weight"], real_parts.get("bias")
    if weight.ndim == 2:
        return Linear(weight.T, bias, at=at)
    shift = np.zeros(weight.shape) if bias is None else bias
    if "running_mean" not in parts:
        return LayerNorm(weight, shift, EPS, at=at)
    if "running_var" not in parts:
        raise ValueError(f"{at}: must have running_var beside running_mean")
    mean, variance = real_parts["running_mean"], real_parts["running_var"]
    return BatchNorm(weight, shift, mean, variance, EPS, at=at)
