"""Initial: how the parameters of a new network and their learning rates begin."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bpcore import checks
from bpcore.activations import ACTIVATIONS
from bpcore.initializers import INITIALIZERS
from bpcore.model.design import Design
from bpcore.optimizers import Optimizer

PARAMETRIZATIONS = ("standard", "ntk")


@dataclass(frozen=True)
class Initial:
    """The beginning of a network: the arguments of ``Network`` for it, checked.

    Attributes
    ----------
    weights : tuple of str
        The initialiser of each W.
    lr_factors : tuple of L pairs
        Each layer's factors of the learning rate: of W, and of b and gain.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.model.initial import Initial
    >>> design = bp.Network([4, 16, 3]).learner.design
    >>> Initial.checked(design, bp.Adam(), "auto", "ntk").lr_factors
    ((0.5, 1.0), (0.25, 1.0))
    """

    weights: tuple[str, ...]
    lr_factors: tuple[tuple[float, float], ...]

    @classmethod
    def checked(
        cls, design: Design, optimizer: Optimizer, init: str, parametrization: str
    ) -> Initial:
        """The beginning by these arguments of ``Network``."""
        checks.one_of("init", init, ["auto", *INITIALIZERS])
        checks.one_of("parametrization", parametrization, PARAMETRIZATIONS)
        ntk = parametrization == "ntk"
        automatic = [
            "lecun_normal" if ntk else ACTIVATIONS[f].init for f in design.activations
        ]
        weights = tuple(own if init == "auto" else init for own in automatic)
        if ntk:
            return cls(weights, _ntk_factors(design, optimizer))
        return cls(weights, ((1.0, 1.0),) * len(weights))


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
