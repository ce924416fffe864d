"""Initial: how the parameters of a new network and their learning rates begin."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.activations import ACTIVATIONS
from bpcore.initializers import BIAS_INITIALIZERS, INITIALIZERS
from bpcore.model.design import Design
from bpcore.optimizers import Optimizer

PARAMETRIZATIONS = ("standard", "ntk")


@dataclass(frozen=True)
class Initial:
    """The beginning of a network: the arguments of ``Network`` for it, checked.

    Attributes
    ----------
    weights, biases : tuple of str
        The initialisers of each W and of each b.
    lr_factors : tuple of L pairs
        Each layer's factors of the learning rate: of W, and of b and gain.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.model.initial import Initial
    >>> design = bp.Network([4, 16, 3]).learner.design
    >>> initial = Initial.checked(design, bp.Adam(), ["auto", "zeros"], "zeros", "ntk")
    >>> initial.weights, initial.biases
    (('lecun_normal', 'zeros'), ('zeros', 'zeros'))
    >>> initial.lr_factors
    ((0.5, 1.0), (0.25, 1.0))
    """

    weights: tuple[str, ...]
    biases: tuple[str, ...]
    lr_factors: tuple[tuple[float, float], ...]

    @classmethod
    def checked(
        cls,
        design: Design,
        optimizer: Optimizer,
        init: str | Sequence[str],
        bias_init: str | Sequence[str],
        parametrization: str,
    ) -> Initial:
        """The beginning by these arguments of ``Network``."""
        L = len(design.activations)
        names = _per_layer("init", init, ["auto", *INITIALIZERS], L)
        biases = _per_layer("bias_init", bias_init, BIAS_INITIALIZERS, L)
        checks.one_of("parametrization", parametrization, PARAMETRIZATIONS)
        ntk = parametrization == "ntk"
        automatic = [
            "lecun_normal" if ntk else ACTIVATIONS[f].init for f in design.activations
        ]
        weights = tuple(
            own if name == "auto" else name
            for name, own in zip(names, automatic, strict=True)
        )
        factors = _ntk_factors(design, optimizer) if ntk else ((1.0, 1.0),) * L
        return cls(weights, biases, factors)


def _per_layer(
    argument: str, value: Any, choices: Collection[str], n_layers: int
) -> tuple[str, ...]:
    """A name for each layer of weights: one for all of them, or a sequence."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, str) or not isinstance(value, Sequence):
        value = (value,) * n_layers
    if len(value) != n_layers:
        raise ValueError(
            f"{argument} must be one name or one for each of the {n_layers} layers of "
            f"weights; got {len(value)}"
        )
    return tuple(checks.one_of(argument, name, choices) for name in value)


def _ntk_factors(
    design: Design, optimizer: Optimizer
) -> tuple[tuple[float, float], ...]:
    """The factors with which W = V / sqrt(n_in) moves as V at the rate lr would.

    dE/dV is dE/dW / sqrt(n_in), and a change of V changes W by it / sqrt(n_in).
    """
    of_W = [
        1.0 / (n_in if optimizer.proportional else math.sqrt(n_in))
        for n_in in design.sizes[:-1]
    ]
    return tuple((factor, 1.0) for factor in of_W)
