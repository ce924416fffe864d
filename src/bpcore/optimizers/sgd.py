"""SGD: stochastic gradient descent, with momentum and Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore import checks
from bpcore.fields import BELOW_1, BOOLEAN, checked
from bpcore.optimizers.base import VELOCITY, Optimizer, StateArray
from bpcore.schedules import Schedule


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum.

    With v the velocity of w::

        v = momentum v + (1 - dampening) g                        (g in the first step)
        w = w - lr v                              (nesterov: w - lr (g + momentum v))

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    momentum : float
        At least 0 and below 1.
    nesterov : bool
        Whether to use Nesterov momentum; needs momentum, and no dampening.
    dampening : float
        The factor of g in v is 1 - dampening; at least 0 and at most 1.
    weight_decay, ...
        See `Optimizer` for the settings that all optimizers have.

    Raises
    ------
    ValueError
        If a setting is outside its range.

    Notes
    -----
    The definition is that of Sutskever, Martens, Dahl and Hinton (2013) in the form
    ``torch.optim.SGD`` uses, in which a change of ``lr`` acts at once.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.SGD(0.1, momentum=0.9)
    SGD(lr=0.1, momentum=0.9)
    """

    proportional: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, StateArray]] = {"velocity": VELOCITY}

    lr: float | Schedule = 0.01
    momentum: float = field(default=0.0, metadata=BELOW_1)
    nesterov: bool = field(default=False, metadata=BOOLEAN)
    dampening: float = field(
        default=0.0, metadata=checked(checks.number, least=0.0, most=1.0)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum above 0; got momentum=0.0")
        if self.nesterov and self.dampening > 0:
            raise ValueError(
                f"nesterov=True needs dampening=0.0; got dampening={self.dampening}"
            )

    @property
    def rule(self) -> str:
        # Rules of fused multiply-adds only are applied to the gradient in registers.
        if self.clip_value or self.l1 or self.dampening or self.decoupled:
            return "sgd"
        if self.momentum == 0:
            return "plain"
        return "plain_nesterov" if self.nesterov else "plain_momentum"

    @property
    def kept(self) -> tuple[str, ...]:
        return () if self.momentum == 0 else ("velocity",)

    @property
    def equations(self) -> tuple[str, ...]:
        if self.momentum == 0:
            return ("w = w - lr g",)
        velocity = "momentum v + g"
        if self.dampening:
            velocity = "g where t = 1, else momentum v + (1 - dampening) g"
        step = "(g + momentum v)" if self.nesterov else "v"
        return (f"v = {velocity}", f"w = w - lr {step}")
