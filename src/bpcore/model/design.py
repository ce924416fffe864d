"""Design: the arguments of ``Network``, checked, with their defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bpcore import arrays, checks
from bpcore.activations import ACTIVATIONS
from bpcore.cached import cached_property
from bpcore.engine.dispatch import kernels
from bpcore.losses import (
    DEFAULT_LOSS,
    LOSSES,
    CustomLoss,
    Loss,
    LossFunction,
    TargetKind,
)
from bpcore.model.layout import Layout, parameter_count
from bpcore.optimizers import Optimizer
from bpcore.optimizers.readable import require_readable
from bpcore.quoting import joined, listed, name_of, quoted

#: Kinds of normalisation.
NORMS = ("batch", "layer")


def layer_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """n_0, ..., n_L, at least one layer and not more parameters than can be counted."""
    if arrays.has_keys(sizes) and hasattr(sizes, "ndim"):  # a Series
        sizes = by_label("sizes must be a sequence of whole numbers", sizes)
    ordered = isinstance(sizes, Sequence) or np.ndim(sizes) == 1
    if not ordered or isinstance(sizes, str | bytes):
        raise TypeError(
            f"sizes must be a sequence of whole numbers; got {quoted(sizes)}"
        )
    checked = tuple(
        checks.integer(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes)
    )
    if len(checked) < 2:
        raise ValueError(f"sizes must have at least 2 entries; got {listed(checked)}")
    if (count := parameter_count(checked)) >= 2**59:
        raise ValueError(
            f"sizes must give fewer than 2^59 parameters; "
            f"{quoted([*checked])} give {quoted(count)}"
        )
    return checked


def real_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64."""
    try:
        checked = np.dtype(dtype)
    except (TypeError, ValueError):
        checked = np.dtype(object)
    # NumPy takes None for float64.
    if dtype is None or checked not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype must be float32 or float64; got {quoted(dtype)}")
    return checked


def known_optimizer(optimizer: Optimizer) -> Optimizer:
    """The optimizer itself, if it is one that the kernels or `fit` can use."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer must be settings such as bpcore.SGD(lr=0.1) or bpcore.Adam(); "
            f"got {quoted(optimizer)}"
        )
    require_readable(optimizer, kernels.RULES)
    if optimizer.rule not in kernels.RULES and not optimizer.full_batch:
        raise TypeError(
            f"optimizer must be one of this library's; got {type(optimizer).__name__}"
        )
    schedule = optimizer.schedule
    if schedule is not None and schedule.plateau is None:
        schedule(0)  # raises if the first rate is not valid
    return optimizer


def per_hidden_layer(name: str, value: Any, hidden: int) -> tuple[Any, ...]:
    """`value` repeated for every hidden layer, or a sequence with one for each."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (value,) * max(hidden, 1)  # at least one, so that it is checked
    if len(value) != hidden:
        raise ValueError(
            f"{name} must be one value or one for each of the {hidden} hidden "
            f"layers; got {len(value)}"
        )
    return tuple(value)


def by_label(expected: str, values: Any, count: int | None = None) -> list[Any]:
    """The values of a mapping, or a Series, in the order of their labels 0, 1, ..."""
    labelled = dict(values.items())
    count = len(labelled) if count is None else count
    if labelled.keys() != set(range(count)):
        raise TypeError(
            f"{expected}, by the labels 0 .. {count - 1} or in order; "
            f"got {quoted(values)}"
        )
    return [labelled[i] for i in range(count)]


def hidden_activations(activation: str | Sequence[str], hidden: int) -> tuple[str, ...]:
    """The name of each hidden layer's f."""
    names = per_hidden_layer("activation", activation, hidden)
    checked = [checks.one_of("activation", name, ACTIVATIONS) for name in names]
    return tuple(checked[:hidden])


def hidden_norms(norm: Any, hidden: int) -> tuple[str | None, ...]:
    """The normalisation of each hidden layer."""
    names = per_hidden_layer("norm", norm, hidden)
    checked = [
        None if name is None else checks.one_of("norm, if not None,", name, NORMS)
        for name in names
    ]
    return tuple(checked[:hidden])


def hidden_dropout(dropout: Any, hidden: int) -> tuple[float, ...]:
    """The dropout probability of each hidden layer."""
    shares = per_hidden_layer("dropout", dropout, hidden)
    checked = [checks.number("dropout", p, least=0.0, below=1.0) for p in shares]
    return tuple(checked[:hidden])


def scale_factor(input_scale: float | None) -> float:
    """The factor of the learning rate of the inputs' scale; 0 for no scale."""
    if input_scale is None:
        return 0.0
    return checks.number("input_scale, if not None,", input_scale, least=0.0)


def output_and_loss(
    output: str | None, loss: str | Loss | LossFunction | None
) -> tuple[str, Loss]:
    """Output activation and loss, each from the other where it is not given."""
    if output is not None:
        checks.one_of("output", output, ACTIVATIONS)
    if loss is None:
        loss = DEFAULT_LOSS.get(output, "squared_error") if output else "squared_error"
    if isinstance(loss, Loss):
        allowed = loss
    elif callable(loss) and not isinstance(loss, type):
        allowed = CustomLoss(loss)
    else:
        allowed = LOSSES[checks.one_of("loss", loss, LOSSES)]
    output = output or allowed.output
    if allowed.outputs and output not in allowed.outputs:
        raise ValueError(
            f"output must be {' or '.join(allowed.outputs)} with loss "
            f"{allowed.name!r}; got {quoted(output)}"
        )
    return output, allowed


def require_outputs(sizes: tuple[int, ...], loss: Loss) -> None:
    """Raise if the loss needs more outputs."""
    if loss.name == "cross_entropy" and sizes[-1] == 1:
        raise ValueError(
            "sizes must end in at least 2 outputs for cross_entropy; got 1 "
            "(binary_cross_entropy takes one)"
        )


def layer_factors(factors: Any, n_layers: int) -> tuple[tuple[float, float], ...]:
    """The factors of the learning rates of W, and of b and gain, for each layer."""
    factors = _one_for_each("lr_factors", "number or pair", factors, n_layers)
    return tuple(
        _factor_pair(f"lr_factors[{l}]", factor) for l, factor in enumerate(factors)
    )


def _factor_pair(name: str, factor: Any) -> tuple[float, float]:
    """A pair of factors; one number stands for both."""
    sequence = isinstance(factor, Sequence) or getattr(factor, "ndim", 0) == 1
    if isinstance(factor, str) or not sequence:
        both = checks.number(name, factor, least=0.0)
        return both, both
    if len(factor) != 2:
        raise ValueError(
            f"{name} must be a number, or a pair, for W and for b; got {quoted(factor)}"
        )
    of_W, of_b = factor
    return (
        checks.number(f"{name}[0]", of_W, least=0.0),
        checks.number(f"{name}[1]", of_b, least=0.0),
    )


def frozen_layers(frozen: Any, n_layers: int) -> tuple[bool, ...]:
    """Whether each layer of weights is left as it is."""
    frozen = _one_for_each("frozen", "bool", frozen, n_layers)
    return tuple(
        checks.boolean(f"frozen[{l}]", value) for l, value in enumerate(frozen)
    )


def _one_for_each(name: str, kind: str, values: Any, n_layers: int) -> Sequence[Any]:
    """The values in the order of the layers, by their labels where they have some."""
    expected = f"{name} must be one {kind} for each of the {n_layers} layers of weights"
    labelled = arrays.has_keys(values)
    sequence = isinstance(values, Sequence) or getattr(values, "ndim", 0) > 0
    if isinstance(values, str) or not (sequence or labelled):
        raise TypeError(f"{expected}; got {quoted(values)}")
    if labelled:
        values = by_label(expected, values, n_layers)
    if len(values) != n_layers:
        raise ValueError(f"{expected}; got {len(values)}")
    ordered: Sequence[Any] = values
    return ordered


@dataclass(frozen=True, repr=False)
class Design:
    """The architecture of a network: everything that training does not change.

    `activations`, `norms` and `dropout` have an entry for every layer of weights.
    `input_scale` is the factor of the learning rate of the inputs' scale, 0 for none.
    `by_weights` is an internal option: the loss of a mini-batch is then sum w E / sum w
    in place of sum w E / rows, as in scikit-learn.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    loss: Loss
    norms: tuple[str | None, ...]
    dropout: tuple[float, ...]
    input_noise: float
    seed: int
    by_weights: bool = False
    input_scale: float = 0.0

    def __repr__(self) -> str:
        return f"<Design of {listed(self.sizes)}>"

    @classmethod
    def checked(
        cls,
        sizes: Sequence[int],
        activation: str | Sequence[str],
        output: str | None,
        loss: str | Loss | LossFunction | None,
        norm: str | Sequence[str | None] | None,
        dropout: float | Sequence[float],
        input_noise: float,
        input_scale: float | None = None,
    ) -> Design:
        """The design of these arguments of ``Network``, checked, with the seed 0."""
        sizes = layer_sizes(sizes)
        hidden = len(sizes) - 2
        output, loss = output_and_loss(output, loss)
        activations = hidden_activations(activation, hidden)
        require_outputs(sizes, loss)
        return cls(
            sizes,
            (*activations, output),
            loss,
            (*hidden_norms(norm, hidden), None),
            (*hidden_dropout(dropout, hidden), 0.0),
            checks.number("input_noise", input_noise, least=0.0),
            seed=0,
            input_scale=scale_factor(input_scale),
        )

    def __getstate__(self) -> dict[str, Any]:
        return self.to_dict()

    def __setstate__(self, stored: Mapping[str, Any]) -> None:
        object.__setattr__(self, "__dict__", vars(self.from_dict(stored)))

    def to_dict(self) -> dict[str, Any]:
        """Its fields by name; the loss is the object itself."""
        return {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Design:
        """The design of a dict as `to_dict` returns it, everything checked.

        Raises
        ------
        ValueError, TypeError
            If something is missing, unknown or not as described.
        """
        checks.instance("design", stored, Mapping)
        names = {field.name for field in dataclasses.fields(cls)}
        if set(stored) != names:
            raise ValueError(
                f"design must have {', '.join(sorted(names))}; got "
                f"{joined(sorted(map(str, stored)))}"
            )
        sizes = layer_sizes(stored["sizes"])
        n = len(sizes) - 1
        lists = {name: stored[name] for name in ("activations", "norms", "dropout")}
        for name, values in lists.items():
            if not isinstance(values, tuple | list) or len(values) != n:
                raise ValueError(
                    f"{name} must have one entry for each of {n} layers; "
                    f"got {quoted(values)}"
                )
        for f in lists["activations"]:
            checks.one_of("activations", f, ACTIVATIONS)
        *activation, output = lists["activations"]
        *norm, last_norm = lists["norms"]
        *dropout, last_dropout = lists["dropout"]
        if last_norm is not None or last_dropout != 0:
            raise ValueError("the last layer must have neither a norm nor dropout")
        checks.instance("loss", stored["loss"], Loss)
        seed = checks.integer("seed", stored["seed"], 0, below=1 << 64)
        design = cls.checked(
            sizes,
            activation,
            output,
            stored["loss"],
            norm,
            dropout,
            stored["input_noise"],
            stored["input_scale"],
        )
        by_weights = checks.boolean("by_weights", stored["by_weights"])
        return dataclasses.replace(design, seed=seed, by_weights=by_weights)

    @property
    def loss_argument(self) -> str | Loss | LossFunction:
        """The loss as a caller may give it: its name where its settings are default."""
        if isinstance(self.loss, CustomLoss):
            return self.loss.function
        return self.loss.name if self.loss == type(self.loss)() else self.loss

    def written(self, optimizer: Optimizer, dtype: np.dtype[Any]) -> list[str]:
        """The arguments of ``Network`` that give this design, as in Python."""
        loss = self.loss_argument
        shown = [
            listed(self.sizes),
            f"activation={listed(self.activations[:-1])}",
            f"output={self.activations[-1]!r}",
            f"loss={name_of(loss)}",
            f"optimizer={optimizer}",
        ]
        if any(self.norms):
            shown.append(f"norm={listed(self.norms[:-1])}")
        if any(self.dropout):
            shown.append(f"dropout={listed(self.dropout[:-1])}")
        if self.input_noise:
            shown.append(f"input_noise={self.input_noise}")
        if self.input_scale:
            shown.append(f"input_scale={self.input_scale}")
        return [*shown, f"dtype={dtype.name!r}"]

    @cached_property
    def needs_z(self) -> tuple[bool, ...]:
        """Whether f' of each layer is computed from z, else from f(z)."""
        return tuple(ACTIVATIONS[f].needs_z for f in self.activations)

    @cached_property
    def keeps_f(self) -> tuple[bool, ...]:
        """Whether each layer keeps f(z) beside a, for f' after units dropped out.

        relu does not need it: a > 0 only where z > 0.
        """
        return tuple(
            p > 0 and not ACTIVATIONS[f].needs_z and f not in ("relu", "identity")
            for f, p in zip(self.activations, self.dropout, strict=True)
        )

    @property
    def custom_loss(self) -> bool:
        """Whether the loss is a Python function."""
        return isinstance(self.loss, CustomLoss)

    @property
    def loss_kernel(self) -> str:
        """The name of the loss in the kernels."""
        return self.loss.kernel(self.activations[-1])

    @property
    def loss_setting(self) -> float:
        """The number that the kernel of the loss takes as its setting."""
        return self.loss.setting

    @property
    def loss_takes_z(self) -> bool:
        """Whether the loss includes the last activation and is computed from z."""
        return self.loss.takes_z(self.activations[-1])

    @property
    def joins_last(self) -> bool:
        """Whether a single last row joins the mini-batch before it, for batch norm."""
        return "batch" in self.norms

    @property
    def diverging(self) -> str:
        """Which numbers, if not finite, prevent a step; for messages."""
        return "the loss or a moment of batch norm" if self.joins_last else "the loss"

    @property
    def target_kind(self) -> TargetKind:
        """The kind of the targets: labels, numbers, ..."""
        return self.loss.target_kind(self.activations[-1])

    @cached_property
    def trains(self) -> bool:
        """Whether every activation has a derivative."""
        return all(ACTIVATIONS[f].trains for f in self.activations)

    @property
    def random(self) -> bool:
        """Whether training draws random numbers for every mini-batch."""
        return self.input_noise > 0 or any(p > 0 for p in self.dropout)

    @cached_property
    def layout(self) -> Layout:
        """The places of each layer's parameters and moments in flat arrays."""
        return Layout(self.sizes, self.norms, self.input_scale > 0)


def bit_generator(rng: object) -> np.random.PCG64:
    """The bit generator of a network, seeded from the argument `rng`."""
    if rng is None:
        return np.random.PCG64()
    if isinstance(rng, np.random.Generator):
        rng = rng.bit_generator
    if isinstance(rng, np.random.BitGenerator):
        words = np.asarray(rng.random_raw(8), dtype=np.uint64)
        return np.random.PCG64([int(word) for word in words])
    others = ", or a NumPy Generator or BitGenerator"
    return np.random.PCG64(checks.integer("rng", rng, 0, others))


def training_seed(bits: np.random.PCG64) -> int:
    """The key of dropout and noise: from a stream far from that of `bits`."""
    return int(bits.jumped().random_raw())
