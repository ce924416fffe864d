"""Rates along cosine waves: with restarts, in one cycle or several, after a plateau."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bpcore.fields import BELOW_1, NON_NEGATIVE, POSITIVE, POSITIVE_COUNT
from bpcore.schedules import exact
from bpcore.schedules.base import UNIT, Schedule

#: Most cycles of `CosineLog`: 2^cycles must be a float.
MOST_CYCLES = 1000


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


@dataclass(frozen=True, repr=False)
class FlatCosine(Schedule):
    """Constant at first, then to 0 along half a cosine wave.

    ::

        lr                                              for t below flat total
        lr (1 + cos(pi s)) / 2                          then, from s = 0 to s = 1
        0                                               from t = total on

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    total : int
        Number of epochs or steps until the rate is 0, at least 1.
    flat : float
        Fraction of them with the first rate, at least 0 and below 1.
    per : {"step", "epoch"}
        See `Schedule`.

    Examples
    --------
    >>> from bpcore.schedules import FlatCosine
    >>> schedule = FlatCosine(0.8, 8)
    >>> [round(schedule(t), 3) for t in (0, 4, 5, 6, 7, 8, 9)]
    [0.8, 0.8, 0.683, 0.4, 0.117, 0.0, 0.0]
    """

    per: str = field(default="step", kw_only=True, metadata=UNIT)
    lr: float = field(metadata=NON_NEGATIVE)
    total: int = field(metadata=POSITIVE_COUNT)
    flat: float = field(default=0.5, metadata=BELOW_1)

    def _at(self, t: int) -> float:
        start = self.flat * self.total
        if t >= self.total:
            return 0.0
        return _half_cosine(self.lr, 0.0, max(t - start, 0.0) / (self.total - start))


@dataclass(frozen=True, repr=False)
class CosineLog(Schedule):
    """Several cosine waves, from 0 to 0, each twice as long as the one before.

    ::

        lr (1 - cos(2 pi log2(1 + (2^cycles - 1) t / total))) / 2      for t below total
        0                                                              from then on

    The rate is 0 at t = 0, so the first step or epoch changes nothing.

    Parameters
    ----------
    lr : float
        The largest rate, at least 0.
    total : int
        Number of epochs or steps of all waves, at least 1.
    cycles : int
        Number of waves, from 1 to 1000.
    per : {"step", "epoch"}
        See `Schedule`.

    Notes
    -----
    Holzmueller, Grinsztajn and Steinwart (2024), with 4 cycles.

    Examples
    --------
    >>> from bpcore.schedules import CosineLog
    >>> schedule = CosineLog(0.8, 15)
    >>> [round(schedule(t), 3) for t in (0, 1, 2, 3, 5, 7, 11, 15)]
    [0.0, 0.0, 0.744, 0.0, 0.744, 0.0, 0.744, 0.0]
    """

    per: str = field(default="step", kw_only=True, metadata=UNIT)
    lr: float = field(metadata=NON_NEGATIVE)
    total: int = field(metadata=POSITIVE_COUNT)
    cycles: int = field(default=4, metadata=POSITIVE_COUNT)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cycles > MOST_CYCLES:
            raise ValueError(f"cycles must be at most {MOST_CYCLES}; got {self.cycles}")

    def _at(self, t: int) -> float:
        if t >= self.total:
            return 0.0
        x = (self.total + (2**self.cycles - 1) * t) / self.total
        wave = exact.log(math.frexp(x)[0]) / exact.log(2.0)  # without whole waves
        return self.lr * (0.5 * (1.0 - exact.cos(2.0 * math.pi * wave)))


def _half_cosine(start: float, end: float, s: float) -> float:
    """From `start` at s = 0 to `end` at s = 1, both exactly."""
    c = exact.cos(math.pi * s)
    return start * (0.5 * (1.0 + c)) + end * (0.5 * (1.0 - c))
