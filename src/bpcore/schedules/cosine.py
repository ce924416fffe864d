"""Rates along half a cosine wave: with restarts, and in one cycle up and down."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bpcore.fields import BELOW_1, NON_NEGATIVE, POSITIVE, POSITIVE_COUNT
from bpcore.schedules import exact
from bpcore.schedules.base import UNIT, Schedule


@dataclass(frozen=True, repr=False)
class CosineRestarts(Schedule):
    """From ``lr`` towards ``end`` along half a cosine wave, in each period.

    Period i = 0, 1, ... has ``length = period growth^i``; with s = t - its first t::

        end + (lr - end) (1 + cos(pi s / length)) / 2

    Parameters
    ----------
    lr : float
        The first rate of each period, at least 0.
    period : int
        Length of the first period, at least 1.
    growth : int
        Factor of the length from each period to the next, at least 1.
    end : float
        Limit that the rate falls towards, at least 0.
    per
        See `Schedule`.

    Notes
    -----
    Loshchilov and Hutter (2017); ``CosineAnnealingWarmRestarts`` of PyTorch.

    Examples
    --------
    >>> from bpcore.schedules import CosineRestarts
    >>> schedule = CosineRestarts(0.1, 2, growth=2)
    >>> [round(schedule(t), 3) for t in range(7)]
    [0.1, 0.05, 0.1, 0.085, 0.05, 0.015, 0.1]
    """

    lr: float = field(metadata=NON_NEGATIVE)
    period: int = field(metadata=POSITIVE_COUNT)
    growth: int = field(default=1, metadata=POSITIVE_COUNT)
    end: float = field(default=0.0, metadata=NON_NEGATIVE)

    def _at(self, t: int) -> float:
        length = self.period
        while self.growth > 1 and t >= length:
            t -= length
            length *= self.growth
        return _half_cosine(self.lr, self.end, t % length / length)


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """Up to a peak and down to a small rate, each along half a cosine wave.

    From ``peak / start_factor`` at t = 0 to ``peak`` at ``t = rise total - 1`` to
    ``peak / (start_factor end_factor)`` at ``t = total - 1``, and constant afterwards.

    Parameters
    ----------
    peak : float
        The largest rate, at least 0.
    total : int
        Number of epochs or steps of the cycle, at least 1.
    rise : float
        Fraction of the cycle in which the rate rises, at least 0 and below 1.
    start_factor, end_factor : float
        peak / first rate, and first rate / last rate; above 0.
    per : {"step", "epoch"}
        See `Schedule`.

    Notes
    -----
    Smith and Topin (2018); ``OneCycleLR`` of PyTorch in two phases.

    Examples
    --------
    >>> from bpcore.schedules import OneCycle
    >>> schedule = OneCycle(1.0, 10)
    >>> [round(schedule(t), 3) for t in (0, 1, 2, 5, 9, 10)]
    [0.04, 0.52, 1.0, 0.611, 0.0, 0.0]
    """

    per: str = field(default="step", kw_only=True, metadata=UNIT)
    peak: float = field(metadata=NON_NEGATIVE)
    total: int = field(metadata=POSITIVE_COUNT)
    rise: float = field(default=0.3, metadata=BELOW_1)
    start_factor: float = field(default=25.0, metadata=POSITIVE)
    end_factor: float = field(default=1e4, metadata=POSITIVE)

    def _at(self, t: int) -> float:
        start = self.peak / self.start_factor
        top, last = self.rise * self.total - 1.0, self.total - 1.0
        if t < top:
            return _half_cosine(start, self.peak, t / top)
        fallen = min((t - top) / (last - top), 1.0)
        return _half_cosine(self.peak, start / self.end_factor, fallen)


def _half_cosine(start: float, end: float, s: float) -> float:
    """From `start` at s = 0 to `end` at s = 1, both exactly."""
    c = exact.cos(math.pi * s)
    return start * (0.5 * (1.0 + c)) + end * (0.5 * (1.0 - c))
