"""Lion: sign of a running mean of the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore.fields import BELOW_1, BOOLEAN
from bpcore.optimizers.base import MEAN, Optimizer, StateArray
from bpcore.schedules import Schedule


@dataclass(frozen=True, repr=False)
class Lion(Optimizer):
    r"""The sign of a running mean of the gradient.

    With m the running mean of g::

        w = w - lr sign(beta1 m + (1 - beta1) g)
        m = beta2 m + (1 - beta2) g

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate: the magnitude of every change.
    beta1, beta2 : float
        Decay factors, at least 0 and below 1.
    weight_decay, ...
        See `Optimizer`; decoupled by default, as in the paper.

    Notes
    -----
    Chen et al. (2023), "Symbolic discovery of optimization algorithms".

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Lion()
    Lion(lr=0.0001)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {"mean": MEAN}

    lr: float | Schedule = 1e-4
    beta1: float = field(default=0.9, metadata=BELOW_1)
    beta2: float = field(default=0.99, metadata=BELOW_1)
    decoupled: bool = field(default=True, kw_only=True, metadata=BOOLEAN)

    @property
    def rule(self) -> str:
        return "lion"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("mean",)

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "w = w - lr sign(beta1 m + (1 - beta1) g)",
            "m = beta2 m + (1 - beta2) g",
        )
