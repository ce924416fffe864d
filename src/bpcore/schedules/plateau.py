"""ReduceOnPlateau: a rate that falls when a monitored quantity stops improving."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from bpcore import checks
from bpcore.fields import BELOW_1, BETWEEN_0_AND_1, COUNT, NON_NEGATIVE, checked
from bpcore.quoting import quoted
from bpcore.schedules.base import Schedule

EPOCH = checked(checks.one_of, choices=("epoch",))
MODE = checked(checks.one_of, choices=("auto", "min", "max"))


class Plateau(NamedTuple):
    """The state of a `ReduceOnPlateau` after some epochs."""

    lr: float
    """The current rate."""
    best: float
    """The best value of the quantity; it changes by more than `min_delta` only."""
    wait: int
    """Epochs without improvement that count."""
    cooldown: int
    """Epochs left that do not count."""


@dataclass(frozen=True, repr=False)
class ReduceOnPlateau(Schedule):
    """Multiplies the rate by ``factor`` whenever a quantity stops improving.

    A value is better than the best one where::

        value < best - min_delta abs(best)                  (mode="min")
        value > best + min_delta abs(best)                  (mode="max")

    After more than ``patience`` epochs in a row without a better value, the rate
    becomes ``max(factor lr, least)``, and the next ``cooldown`` epochs do not count.
    An epoch whose value is NaN leaves the `Plateau` unchanged.

    If a fit monitors another quantity than the one before (another column, the same
    metric of training instead of validation data, or the other mode), the best value
    and the epochs waited are reset; the rate is not.

    The rate is no function of t.  The state is a `Plateau`, ``initial()`` at first and
    ``after(plateau, value)`` after each epoch; its ``lr`` is the rate.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    factor : float
        Above 0 and below 1.
    patience : int
        At least 0.
    min_delta : float
        Least improvement, relative to ``abs(best)``: at least 0 and below 1.  (In
        ``Network.fit`` it is an absolute difference.)
    cooldown : int
        Epochs after a reduction that do not count, at least 0.
    least : float
        Lower bound of the rate, at least 0 and at most lr.
    monitor : str, optional
        Name of the quantity; None means the validation loss if there is one, else the
        training loss.
    mode : {"auto", "min", "max"}
        Whether smaller or larger values are better; "auto" is "max" for metrics with
        ``higher_is_better``, else "min".
    per : {"epoch"}
        As in `Schedule`.

    Notes
    -----
    ``ReduceLROnPlateau`` of PyTorch with ``threshold_mode="rel"`` and ``eps=0``, with
    two differences: for best values below 0 PyTorch also multiplies by 1 - min_delta
    (or 1 + min_delta), and so accepts some worse values as better; and there an epoch
    whose value is NaN counts.

    Examples
    --------
    >>> from bpcore.schedules import ReduceOnPlateau
    >>> schedule = ReduceOnPlateau(0.8, factor=0.5, patience=1)
    >>> plateau = schedule.initial()
    >>> for loss in (3.0, 2.0, 2.0, 2.5):
    ...     plateau = schedule.after(plateau, loss)
    >>> plateau
    Plateau(lr=0.4, best=2.0, wait=0, cooldown=0)

    The margin for values below zero:

    >>> schedule = ReduceOnPlateau(0.8, min_delta=0.1)
    >>> plateau = schedule.after(schedule.initial(), -1.0)
    >>> [schedule.after(plateau, loss).best for loss in (-0.95, -1.05, -1.15)]
    [-1.0, -1.0, -1.15]
    """

    per: str = field(default="epoch", kw_only=True, metadata=EPOCH)
    lr: float = field(metadata=NON_NEGATIVE)
    factor: float = field(default=0.1, metadata=BETWEEN_0_AND_1)
    patience: int = field(default=10, metadata=COUNT)
    min_delta: float = field(default=1e-4, metadata=BELOW_1)
    cooldown: int = field(default=0, metadata=COUNT)
    least: float = field(default=0.0, metadata=NON_NEGATIVE)
    monitor: str | None = None
    mode: str = field(default="auto", metadata=MODE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least > self.lr:
            raise ValueError(f"least must be at most lr, {self.lr}; got {self.least}")
        if not isinstance(self.monitor, str | None):
            raise TypeError(
                f"monitor must be a name or None; got {quoted(self.monitor)}"
            )

    def _at(self, t: int) -> float:
        raise TypeError(
            "the learning rate of ReduceOnPlateau must come from a Plateau: "
            "see initial() and after(plateau, value); got only t"
        )

    @property
    def plateau(self) -> ReduceOnPlateau:
        return self

    def initial(self) -> Plateau:
        """The state before the first epoch.

        Examples
        --------
        >>> from bpcore.schedules import ReduceOnPlateau
        >>> ReduceOnPlateau(0.1).initial()
        Plateau(lr=0.1, best=inf, wait=0, cooldown=0)
        """
        worst = -math.inf if self.mode == "max" else math.inf
        return Plateau(self.lr, worst, wait=0, cooldown=0)

    def after(self, plateau: Plateau, value: float) -> Plateau:
        """The state after one more epoch, in which the quantity was `value`.

        Examples
        --------
        >>> from bpcore.schedules import ReduceOnPlateau
        >>> schedule = ReduceOnPlateau(0.1, factor=0.5, patience=0)
        >>> plateau = schedule.after(schedule.initial(), 3.0)
        >>> schedule.after(plateau, 3.0)
        Plateau(lr=0.05, best=3.0, wait=0, cooldown=0)
        """
        if math.isnan(value):
            return plateau
        lr, best, wait, cooldown = plateau
        margin = math.copysign(self.min_delta, best)  # min_delta abs(best) / best
        if self.mode == "max":
            better = value > best * (1.0 + margin)
        else:
            better = value < best * (1.0 - margin)
        best, wait = (value, 0) if better else (best, wait + 1)
        if cooldown > 0:
            wait, cooldown = 0, cooldown - 1
        if wait > self.patience:
            lr, wait, cooldown = max(lr * self.factor, self.least), 0, self.cooldown
        return Plateau(lr, best, wait, cooldown)
