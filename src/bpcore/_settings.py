"""What a network is made of: the arguments of ``Network``, checked, and defaults."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bpcore import _validation as door
from bpcore.activations import ACTIVATIONS
from bpcore.losses import DEFAULT_LOSS, LOSSES
from bpcore.optimizers import SGD


def layer_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """n_0, ..., n_L, at least one layer and not more parameters than can be counted."""
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


def parameter_count(sizes: Sequence[int]) -> int:
    """The sum of (n_in + 1) n_out over the layers."""
    return sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes))


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


def known_optimizer(optimizer: SGD) -> SGD:
    """The settings of an optimizer, themselves."""
    if not isinstance(optimizer, SGD):
        raise TypeError(
            f"optimizer must be settings such as bpcore.SGD(lr=0.1); got {optimizer!r}"
        )
    return optimizer


def hidden_activations(activation: str | Sequence[str], hidden: int) -> tuple[str, ...]:
    """The name of each hidden layer's f."""
    if isinstance(activation, str):
        return (door.one_of("activation", activation, ACTIVATIONS),) * hidden
    if not isinstance(activation, Sequence):
        raise TypeError(
            f"activation must be one name or one for each hidden layer; "
            f"got {activation!r}"
        )
    if len(activation) != hidden:
        raise ValueError(
            f"activation must be one name or one for each of the {hidden} hidden "
            f"layers; got {len(activation)}"
        )
    return tuple(door.one_of("activation", name, ACTIVATIONS) for name in activation)


def output_and_loss(output: str | None, loss: str | None) -> tuple[str, str]:
    """Both names, each found from the other where it is not given."""
    if output is not None:
        door.one_of("output", output, ACTIVATIONS)
    if loss is None:
        loss = DEFAULT_LOSS[output] if output else "squared_error"
    allowed = LOSSES[door.one_of("loss", loss, LOSSES)]
    output = output or allowed.output
    if allowed.outputs and output not in allowed.outputs:
        raise ValueError(
            f"output must be {' or '.join(allowed.outputs)} with loss {loss!r}; "
            f"got {output!r}"
        )
    return output, loss


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
