"""WarmUp: rates that rise linearly, then follow another schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bpcore.fields import BELOW_1, POSITIVE_COUNT
from bpcore.schedules.base import Constant, Schedule, as_schedule


@dataclass(frozen=True, repr=False)
class WarmUp(Schedule):
    """A linear rise to the first rate of another schedule, then that schedule.

    ::

        after(0) (start + (1 - start) t / length)       for t below length
        after(t - length)                               afterwards

    Parameters
    ----------
    after : Schedule, float or callable
        Any schedule but a `WarmUp`; a number is a constant rate.  A `ReduceOnPlateau`
        monitors from the first epoch on; its rate is multiplied by ``scale(t)``.
    length : int
        Length of the rise in the unit of ``after.per``, at least 1.
    start : float
        Factor of the first rate at t = 0, at least 0 and below 1; with 0 the first
        epoch or step changes nothing.  1/3 by default, as in
        ``torch.optim.lr_scheduler``.

    Notes
    -----
    Goyal et al. (2017).

    Examples
    --------
    >>> from bpcore.schedules import StepDecay, WarmUp
    >>> schedule = WarmUp(StepDecay(0.8, 2, factor=0.5), 2, start=0.5)
    >>> [round(schedule(t), 3) for t in range(6)]
    [0.4, 0.6, 0.8, 0.8, 0.4, 0.4]
    """

    per: str = field(init=False)
    after: Schedule
    length: int = field(metadata=POSITIVE_COUNT)
    start: float = field(default=1 / 3, metadata=BELOW_1)

    def __post_init__(self) -> None:
        after = as_schedule(self.after, "after")
        if not isinstance(after, Schedule):
            after = Constant(after)
        object.__setattr__(self, "after", after)
        if isinstance(self.after, WarmUp):
            raise TypeError("after must be a Schedule of another kind; got a WarmUp")
        object.__setattr__(self, "per", self.after.per)
        super().__post_init__()

    def _at(self, t: int) -> float:
        return self.scale(t) * self.after(max(t - self.length, 0))

    @property
    def plateau(self) -> Any:
        return self.after.plateau

    def scale(self, t: int) -> float:
        if t >= self.length:
            return 1.0
        return self.start + (1.0 - self.start) * t / self.length
