"""What a network is made of: the arguments of ``Network``, checked, and defaults."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bpcore import _kernels
from bpcore import _validation as door
from bpcore.activations import ACTIVATIONS
from bpcore.losses import (
    DEFAULT_LOSS,
    LOSSES,
    CustomLoss,
    Loss,
    LossFunction,
    TargetKind,
)
from bpcore.optimizers import Optimizer

#: What may stand between a layer's product and its activation.
NORMS = ("batch", "layer")


def layer_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """n_0, ..., n_L, at least one layer and not more parameters than can be counted."""
    if door.has_labels(sizes) and hasattr(sizes, "ndim"):  # a Series
        sizes = by_label("sizes must be a sequence of whole numbers", sizes)
    ordered = isinstance(sizes, Sequence) or np.ndim(sizes) == 1
    if not ordered or isinstance(sizes, str | bytes):
        raise TypeError(f"sizes must be a sequence of whole numbers; got {sizes!r}")
    checked = tuple(
        door.whole_number(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes)
    )
    if len(checked) < 2:
        raise ValueError(f"sizes must have at least 2 entries; got {list(checked)}")
    if (count := parameter_count(checked)) >= 2**59:
        raise ValueError(
            f"sizes must give fewer than 2^59 parameters; {list(checked)} give {count}"
        )
    return checked


def real_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64."""
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = np.dtype(object)
    # NumPy takes None for float64.
    if dtype is None or checked not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f"dtype must be float32 or float64; got {dtype!r}")
    return checked


def known_optimizer(optimizer: Optimizer) -> Optimizer:
    """The settings of an optimizer, themselves."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "optimizer must be settings such as bpcore.SGD(lr=0.1) or bpcore.Adam(); "
            f"got {optimizer!r}"
        )
    if optimizer.rule not in _kernels.RULES and not optimizer.full_batch:
        raise TypeError(
            f"optimizer must be one of this library's; got {type(optimizer).__name__}"
        )
    schedule = optimizer.schedule
    if schedule is not None and schedule.plateau is None:
        schedule(0)  # raises where the first rate is none
    return optimizer


def per_hidden_layer(name: str, value: Any, hidden: int) -> tuple[Any, ...]:
    """`value` for every hidden layer, or one for each where it is a sequence."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, str) or not isinstance(value, Sequence):
        return (value,) * max(hidden, 1)  # one to look at, where there are none
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
            f"{expected}, by the labels 0 .. {count - 1} or in order; got {values!r}"
        )
    return [labelled[i] for i in range(count)]


def hidden_activations(activation: str | Sequence[str], hidden: int) -> tuple[str, ...]:
    """The name of each hidden layer's f."""
    names = per_hidden_layer("activation", activation, hidden)
    checked = [door.one_of("activation", name, ACTIVATIONS) for name in names]
    return tuple(checked[:hidden])


def hidden_norms(norm: Any, hidden: int) -> tuple[str | None, ...]:
    """The normalisation of each hidden layer."""
    names = per_hidden_layer("norm", norm, hidden)
    checked = [
        None if name is None else door.one_of("norm, if not None,", name, NORMS)
        for name in names
    ]
    return tuple(checked[:hidden])


def hidden_dropout(dropout: Any, hidden: int) -> tuple[float, ...]:
    """The share of each hidden layer's units that drop out."""
    shares = per_hidden_layer("dropout", dropout, hidden)
    checked = [door.number_within("dropout", p, 0.0, 1.0) for p in shares]
    return tuple(checked[:hidden])


def output_and_loss(
    output: str | None, loss: str | Loss | LossFunction | None
) -> tuple[str, Loss]:
    """Both, each found from the other where it is not given."""
    if output is not None:
        door.one_of("output", output, ACTIVATIONS)
    if loss is None:
        loss = DEFAULT_LOSS.get(output, "squared_error") if output else "squared_error"
    if isinstance(loss, Loss):
        allowed = loss
    elif callable(loss) and not isinstance(loss, type):
        allowed = CustomLoss(loss)
    else:
        allowed = LOSSES[door.one_of("loss", loss, LOSSES)]
    output = output or allowed.output
    if allowed.outputs and output not in allowed.outputs:
        raise ValueError(
            f"output must be {' or '.join(allowed.outputs)} with loss "
            f"{allowed.name!r}; got {output!r}"
        )
    return output, allowed


def layer_factors(factors: Any, n_layers: int) -> tuple[float, ...]:
    """One factor of the learning rate for each layer of weights."""
    factors = _one_for_each("lr_factors", "number", factors, n_layers)
    return tuple(
        door.real_number(f"lr_factors[{l}]", factor) for l, factor in enumerate(factors)
    )


def frozen_layers(frozen: Any, n_layers: int) -> tuple[bool, ...]:
    """Whether each layer of weights is left as it is."""
    frozen = _one_for_each("frozen", "bool", frozen, n_layers)
    return tuple(
        door.yes_or_no(f"frozen[{l}]", value) for l, value in enumerate(frozen)
    )


def _one_for_each(name: str, kind: str, values: Any, n_layers: int) -> Sequence[Any]:
    """The values in the order of the layers, by their labels where they have some."""
    expected = f"{name} must be one {kind} for each of the {n_layers} layers of weights"
    labelled = door.has_labels(values)
    sequence = isinstance(values, Sequence) or getattr(values, "ndim", 0) > 0
    if isinstance(values, str) or not (sequence or labelled):
        raise TypeError(f"{expected}; got {values!r}")
    if labelled:
        values = by_label(expected, values, n_layers)
    if len(values) != n_layers:
        raise ValueError(f"{expected}; got {len(values)}")
    ordered: Sequence[Any] = values
    return ordered


@dataclass(frozen=True)
class Design:
    """What a network is made of, beside its parameters: all that an engine asks for.

    `activations`, `norms` and `dropout` have an entry for every layer of weights.
    `by_weights` is an internal option: the loss of a mini-batch is then sum w E / sum w
    in place of sum w E / rows, as scikit-learn's.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    loss: Loss
    norms: tuple[str | None, ...]
    dropout: tuple[float, ...]
    input_noise: float
    seed: int
    by_weights: bool = False

    @property
    def of_z(self) -> tuple[bool, ...]:
        """Whether f' of a layer is written in terms of z."""
        return tuple(ACTIVATIONS[f].of_z for f in self.activations)

    @property
    def keeps_f(self) -> tuple[bool, ...]:
        """Whether f' of a layer is read from f(z) as it was before units dropped out.

        Not so for relu, whose a > 0 tells as much.
        """
        return tuple(
            p > 0 and not ACTIVATIONS[f].of_z and f not in ("relu", "identity")
            for f, p in zip(self.activations, self.dropout, strict=True)
        )

    @property
    def asks(self) -> bool:
        """Whether the loss is a Python function."""
        return isinstance(self.loss, CustomLoss)

    @property
    def loss_kernel(self) -> str:
        """The kernels' name for the loss."""
        return self.loss.kernel(self.activations[-1])

    @property
    def loss_setting(self) -> float:
        """The number that the kernel of the loss takes as its setting."""
        return self.loss.setting

    @property
    def loss_takes_z(self) -> bool:
        """Whether the last activation is within the loss."""
        return self.loss.takes_z(self.activations[-1])

    @property
    def joins_last(self) -> bool:
        """Whether a last row alone joins the mini-batch before it, for batch norm."""
        return "batch" in self.norms

    @property
    def diverging(self) -> str:
        """What is not finite where a step of training is not made."""
        return "the loss or a moment of batch norm" if self.joins_last else "the loss"

    @property
    def target_kind(self) -> TargetKind:
        """What the targets mean."""
        return self.loss.target_kind(self.activations[-1])

    @property
    def trains(self) -> bool:
        """Whether every activation has a derivative to descend by."""
        return all(ACTIVATIONS[f].trains for f in self.activations)

    @property
    def random(self) -> bool:
        """Whether anything is drawn for every mini-batch of training."""
        return self.input_noise > 0 or any(p > 0 for p in self.dropout)

    @property
    def n_running(self) -> int:
        """Numbers that batch norm keeps beside the parameters: two for each unit."""
        return sum(
            2 * n_out
            for n_out, norm in zip(self.sizes[1:], self.norms, strict=True)
            if norm == "batch"
        )


def parameter_count(
    sizes: Sequence[int], norms: Sequence[str | None] | None = None
) -> int:
    """The sum of (n_in + 1) n_out, and n_out more where there is a norm."""
    return sum(
        (n_in + (2 if norm else 1)) * n_out
        for (n_in, n_out), norm in zip(
            itertools.pairwise(sizes), norms or [None] * (len(sizes) - 1), strict=True
        )
    )


def bit_generator(rng: object) -> np.random.PCG64:
    """The network's own stream of 64-bit words."""
    if rng is None:
        return np.random.PCG64()
    if isinstance(rng, np.random.Generator):
        rng = rng.bit_generator
    if isinstance(rng, np.random.BitGenerator):
        words = np.asarray(rng.random_raw(8), dtype=np.uint64)
        return np.random.PCG64([int(word) for word in words])
    others = ", or a NumPy Generator or BitGenerator"
    return np.random.PCG64(door.whole_number("rng", rng, 0, others))


def training_seed(bits: np.random.PCG64) -> int:
    """The key of what is random while training: of a stream far from that of `bits`."""
    return int(bits.jumped().random_raw())
