"""Adagrad: gradient divided by the root of the sum of its squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore.fields import NON_NEGATIVE, POSITIVE
from bpcore.optimizers.base import Optimizer, StateArray
from bpcore.schedules import Schedule


@dataclass(frozen=True, repr=False)
class Adagrad(Optimizer):
    r"""Gradient divided by the root of the sum of all its squares so far.

    With s the sum of the squares of g::

        s = s + g^2
        w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    lr_decay : float
        Decay of the learning rate, at least 0.
    initial_accumulator : float
        Initial value of s, at least 0.
    eps : float
        Above 0.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Duchi, Hazan and Singer (2011), as ``torch.optim.Adagrad``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Adagrad(0.1)
    Adagrad(lr=0.1)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {
        "sum": StateArray("s", "sum of the squares of {g}")
    }

    lr: float | Schedule = 0.01
    lr_decay: float = field(default=0.0, metadata=NON_NEGATIVE)
    initial_accumulator: float = field(default=0.0, metadata=NON_NEGATIVE)
    eps: float = field(default=1e-10, metadata=POSITIVE)

    @property
    def decay(self) -> float:
        """`lr_decay`, by its name in the kernels."""
        return self.lr_decay

    @property
    def rule(self) -> str:
        return "adagrad"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("sum",)

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "s = s + g^2",
            "w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)",
        )

    def start(self, state: str) -> float:
        return self.initial_accumulator
