"""Rprop: a step size for each weight, adapted by the signs of its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore import checks
from bpcore.fields import BETWEEN_0_AND_1, POSITIVE, checked
from bpcore.optimizers.base import Optimizer, StateArray
from bpcore.schedules import Schedule


@dataclass(frozen=True, repr=False)
class Rprop(Optimizer):
    r"""Each weight has its own step size, which depends on the gradient's signs only.

    With d the step size of w, initially lr, and g' the previous gradient, initially
    0::

        turn = g g'
        d = d grow where turn > 0, else d shrink where turn < 0, else d
        d = min(max(d, least), most)
        g = 0 where turn < 0, else g
        w = w - sign(g) d
        g' = g

    The signs must be those of the gradient of all data: `fit` uses all rows as one
    mini-batch.  Factors of the learning rate, of a layer or of the biases, multiply
    every change of w.

    Parameters
    ----------
    lr : float
        Initial step size; a schedule is not allowed, since it would have no effect.
    shrink, grow : float
        Factors of the step size: above 0 and below 1, and above 1.
    least, most : float
        Bounds of the step size, above 0.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Riedmiller and Braun (1993) without backtracking, as ``torch.optim.Rprop``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Rprop()
    Rprop(lr=0.01)
    """

    full_batch: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, StateArray]] = {
        "previous": StateArray("g'", "previous {g}"),
        "step": StateArray("d", "size of the step of {w}"),
    }

    lr: float | Schedule = 0.01
    shrink: float = field(default=0.5, metadata=BETWEEN_0_AND_1)
    grow: float = field(default=1.2, metadata=checked(checks.number, above=1.0))
    least: float = field(default=1e-6, metadata=POSITIVE)
    most: float = field(default=50.0, metadata=POSITIVE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.lr, Schedule):
            raise TypeError(
                "lr of Rprop must be a number: it is only the initial step size"
            )
        if self.least > self.most:
            raise ValueError(
                f"least must be at most `most`, {self.most}; got {self.least}"
            )

    @property
    def rule(self) -> str:
        return "rprop"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("previous", "step")

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "turn = g g'",
            "d = d grow where turn > 0, else d shrink where turn < 0, else d",
            "d = min(max(d, least), most)",
            "g = 0 where turn < 0, else g",
            "w = w - sign(g) d",
            "g' = g",
        )

    def start(self, state: str) -> float:
        assert isinstance(self.lr, float)
        return self.lr if state == "step" else 0.0
