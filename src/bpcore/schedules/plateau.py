"""ReduceOnPlateau: a rate that falls when a watched quantity stops improving."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from bpcore import checks
from bpcore.fields import BELOW_1, BETWEEN_0_AND_1, COUNT, NON_NEGATIVE, checked
from bpcore.schedules.base import Schedule

EPOCH = checked(checks.one_of, choices=("epoch",))
MODE = checked(checks.one_of, choices=("auto", "min", "max"))


class Plateau(NamedTuple):
    """The state of a `ReduceOnPlateau` after some epochs."""

    lr: float
    """The current rate."""
    best: float
    """The best value of the quantity, without changes too small to count."""
    wait: int
    """For how many epochs it has not become better."""
    cooldown: int
    """How many epochs more do not count."""


@dataclass(frozen=True, repr=False)
class ReduceOnPlateau(Schedule):
    """The rate times ``factor`` whenever a quantity stops becoming better.

    A value is better than the best one where::

        value < best - min_delta abs(best)                  (mode="min")
        value > best + min_delta abs(best)                  (mode="max")

    After more than ``patience`` epochs in a row without a better one, the rate becomes
    ``max(factor lr, least)``, and the next ``cooldown`` epochs do not count.  An epoch
    whose value is NaN counts for nothing: the `Plateau` stays as it is.

    In a fit that watches another quantity than the one before (another column, the same
    metric of training instead of validation data, or with the other mode) the best
    value and the epochs waited begin anew; the rate stays what it has come down to.

    Its rate does not follow from t: keep a `Plateau`, at first ``initial()`` and after
    each epoch ``after(plateau, value)``, whose ``lr`` is the rate.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    factor : float
        Above 0 and below 1.
    patience : int
        At least 0.
    min_delta : float
        The least change, relative to ``abs(best)``: at least 0 and below 1.
        (That of ``Network.fit`` is an absolute difference.)
    cooldown : int
        At least 0.
    least : float
        Lower bound of the rate, at least 0 and at most lr.
    monitor : str, optional
        The quantity's name; None is the validation loss where there is one, else the
        training loss.
    mode : {"auto", "min", "max"}
        Whether smaller values or larger ones are better; "auto" is "max" for metrics
        of which `fit` knows that larger is better.
    per : {"epoch"}
        As in `Schedule`.

    Notes
    -----
    ``ReduceLROnPlateau`` of PyTorch with ``threshold_mode="rel"`` and ``eps=0``, but
    for values below 0, where PyTorch too multiplies the best one by 1 - min_delta (or
    1 + min_delta) and so takes worse ones for better, and for NaN, which counts there.

    Examples
    --------
    >>> from bpcore.schedules import ReduceOnPlateau
    >>> schedule = ReduceOnPlateau(0.8, factor=0.5, patience=1)
    >>> plateau = schedule.initial()
    >>> for loss in (3.0, 2.0, 2.0, 2.5):
    ...     plateau = schedule.after(plateau, loss)
    >>> plateau
    Plateau(lr=0.4, best=2.0, wait=0, cooldown=0)

    The margin is one below zero too:

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
            raise TypeError(f"monitor must be a name or None; got {self.monitor!r}")

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
        """The state after one more epoch, at whose end the quantity is `value`.

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
