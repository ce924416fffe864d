"""Momentum: the momentum rule of the textbooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore.fields import BOOLEAN, UP_TO_1
from bpcore.optimizers.base import VELOCITY, Optimizer, StateArray
from bpcore.schedules import Schedule


@dataclass(frozen=True, repr=False)
class Momentum(Optimizer):
    r"""The textbook's momentum rule: each step adds a fraction of the previous step.

    With v the velocity of w, which is the step itself (the state array "change")::

        v = alpha v - lr g
        w = w + v                                     (nesterov: w + alpha v - lr g)

    Unlike in `SGD` with momentum, a change of ``lr`` affects later gradients only.

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    alpha : float
        Momentum, at least 0 and at most 1.
    nesterov : bool
        Whether the step is made from where the velocity will lead to (Sutskever et al.
        2013), as in scikit-learn.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Rumelhart, Hinton and Williams (1986), "Learning internal representations by error
    propagation", equation 16.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Momentum(0.1)
    Momentum(lr=0.1)
    """

    proportional: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, StateArray]] = {"change": VELOCITY}

    lr: float | Schedule = 0.01
    alpha: float = field(default=0.9, metadata=UP_TO_1)
    nesterov: bool = field(default=False, metadata=BOOLEAN)

    @property
    def momentum(self) -> float:
        """`alpha`, by its name in the kernels."""
        return self.alpha

    @property
    def rule(self) -> str:
        return "momentum"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("change",)

    @property
    def equations(self) -> tuple[str, ...]:
        step = "alpha v - lr g" if self.nesterov else "v"
        return ("v = alpha v - lr g", f"w = w + {step}")
