"""RMSprop: gradient divided by the root of its mean square."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore.fields import BELOW_1, BOOLEAN, POSITIVE
from bpcore.optimizers.base import MEAN, SQUARE, VELOCITY, Optimizer, StateArray
from bpcore.schedules import Schedule


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    r"""Gradient divided by the root of its mean square.

    With s the running mean of the square of g, m that of g, and v a velocity::

        s = alpha s + (1 - alpha) g^2
        m = alpha m + (1 - alpha) g                            (centered, else m = 0)
        v = momentum v + g / (sqrt(s - m^2) + eps)
        w = w - lr v

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    alpha : float
        Decay factor of the running means, at least 0 and below 1.
    eps : float
        Above 0.
    momentum : float
        At least 0 and below 1.
    centered : bool
        Whether to divide by the root of the running variance instead.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Tieleman and Hinton (2012); Graves (2013) for the centered form; as
    ``torch.optim.RMSprop``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.RMSprop(1e-3, alpha=0.9)
    RMSprop(lr=0.001, alpha=0.9)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {
        "square": SQUARE,
        "velocity": VELOCITY,
        "mean": MEAN,
    }

    lr: float | Schedule = 0.01
    alpha: float = field(default=0.99, metadata=BELOW_1)
    eps: float = field(default=1e-8, metadata=POSITIVE)
    momentum: float = field(default=0.0, metadata=BELOW_1)
    centered: bool = field(default=False, metadata=BOOLEAN)

    @property
    def beta2(self) -> float:
        """`alpha`, by its name in the kernels."""
        return self.alpha

    @property
    def rule(self) -> str:
        return "rmsprop"

    @property
    def kept(self) -> tuple[str, ...]:
        if self.centered:
            return ("square", "velocity", "mean")
        return ("square", "velocity") if self.momentum > 0 else ("square",)

    @property
    def equations(self) -> tuple[str, ...]:
        equations, variance = ["s = alpha s + (1 - alpha) g^2"], "s"
        if self.centered:
            equations.append("m = alpha m + (1 - alpha) g")
            variance = "max(s - m^2, 0)"
        step = f"g / (sqrt({variance}) + eps)"
        if self.momentum > 0:
            return (*equations, f"v = momentum v + {step}", "w = w - lr v")
        return (*equations, f"w = w - lr {step}")
