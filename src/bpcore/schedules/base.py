"""Learning-rate schedules: immutable values, called with how much was done before.

``schedule(t)`` is the learning rate after t = 0, 1, 2, ... epochs, or steps where the
schedule has ``per="step"``.  It has the same bits on every machine (``exact``).
`ReduceOnPlateau` alone also needs to know how training went: see there.
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.errstate import callers_errstate
from bpcore.schedules import exact

__all__ = [
    "Constant",
    "CosineRestarts",
    "Custom",
    "Exponential",
    "InverseScaling",
    "OneCycle",
    "Plateau",
    "Polynomial",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "as_schedule",
    "rates",
]

#: What a parameter may be: each is checked by its field's "check".
AT_LEAST_0 = {"check": partial(checks.number, least=0.0)}
ABOVE_0 = {"check": partial(checks.number, above=0.0)}
BELOW_1 = {"check": partial(checks.number, least=0.0, below=1.0)}
BETWEEN_0_AND_1 = {"check": partial(checks.number, above=0.0, below=1.0)}
COUNT = {"check": partial(checks.integer, least=0)}
POSITIVE_COUNT = {"check": partial(checks.integer, least=1)}
UNIT = {"check": partial(checks.one_of, choices=("epoch", "step"))}
EPOCH = {"check": partial(checks.one_of, choices=("epoch",))}
MODE = {"check": partial(checks.one_of, choices=("auto", "min", "max"))}


@dataclass(frozen=True, repr=False)
class Schedule(ABC):
    """What every schedule is.

    Parameters
    ----------
    per : {"epoch", "step"}
        What t counts, given by name.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    per: str = field(default="epoch", kw_only=True, metadata=UNIT)

    def __post_init__(self) -> None:
        for setting in fields(self):
            if check := setting.metadata.get("check"):
                value = check(setting.name, getattr(self, setting.name))
                object.__setattr__(self, setting.name, value)

    def __repr__(self) -> str:
        own, per = fields(self)[1:], fields(self)[:1]
        shown = [
            f"{setting.name}={getattr(self, setting.name)!r}"
            for setting in own + per
            if setting.init and getattr(self, setting.name) != setting.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __call__(self, t: int) -> float:
        """The learning rate after t epochs or steps: finite, at least 0."""
        t = checks.integer("t", t, 0)
        return checks.number(f"the learning rate at t={t}", self._at(t), least=0.0)

    @abstractmethod
    def _at(self, t: int) -> float:
        """The formula."""

    @property
    def plateau(self) -> ReduceOnPlateau | None:
        """The schedule in it that follows a watched quantity, if there is one."""
        return None

    def scale(self, t: int) -> float:
        """What the rate of ``plateau`` is multiplied by: 1 but for `WarmUp`.

        Examples
        --------
        >>> from bpcore import schedules
        >>> warm_up = schedules.WarmUp(schedules.ReduceOnPlateau(0.1), 4)
        >>> round(warm_up.scale(2), 3), schedules.Constant(0.1).scale(2)
        (0.667, 1.0)
        """
        return 1.0


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The same rate always.

    Parameters
    ----------
    lr : float
        At least 0.
    per
        See `Schedule`.

    Examples
    --------
    >>> from bpcore.schedules import Constant
    >>> Constant(0.1)(1000)
    0.1
    """

    lr: float = field(metadata=AT_LEAST_0)

    def _at(self, t: int) -> float:
        return self.lr


@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """``lr factor^floor(t / every)``.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    every : int
        At least 1.
    factor : float
        Above 0.
    per
        See `Schedule`.

    Notes
    -----
    ``StepLR`` of PyTorch.

    Examples
    --------
    >>> from bpcore.schedules import StepDecay
    >>> schedule = StepDecay(0.8, 2, factor=0.5)
    >>> [schedule(t) for t in range(6)]
    [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    """

    lr: float = field(metadata=AT_LEAST_0)
    every: int = field(metadata=POSITIVE_COUNT)
    factor: float = field(default=0.1, metadata=ABOVE_0)

    def _at(self, t: int) -> float:
        return self.lr * exact.power(self.factor, t // self.every)


@dataclass(frozen=True, repr=False)
class Exponential(Schedule):
    """``lr factor^t``.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    factor : float
        Above 0.
    per
        See `Schedule`.

    Notes
    -----
    ``ExponentialLR`` of PyTorch.  With a factor above 1 it tries out rates: the loss
    falls fastest somewhat below the rate at which it begins to rise (Smith 2017).

    Examples
    --------
    >>> from bpcore.schedules import Exponential
    >>> schedule = Exponential(0.8, 0.5)
    >>> [schedule(t) for t in range(4)]
    [0.8, 0.4, 0.2, 0.1]
    """

    lr: float = field(metadata=AT_LEAST_0)
    factor: float = field(metadata=ABOVE_0)

    def _at(self, t: int) -> float:
        return self.lr * exact.power(self.factor, t)


@dataclass(frozen=True, repr=False)
class InverseScaling(Schedule):
    """``lr / (t + 1)^power``.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    power : float
        At least 0.  From above 0.5 to 1 the rates meet the conditions of Robbins and
        Monro (1951): their sum is infinite, that of their squares is not.
    per
        See `Schedule`.

    Notes
    -----
    ``learning_rate="invscaling"`` of scikit-learn.

    Examples
    --------
    >>> from bpcore.schedules import InverseScaling
    >>> schedule = InverseScaling(0.8)
    >>> [schedule(t) for t in (0, 3, 15)]
    [0.8, 0.4, 0.2]
    """

    lr: float = field(metadata=AT_LEAST_0)
    power: float = field(default=0.5, metadata=AT_LEAST_0)

    def _at(self, t: int) -> float:
        return self.lr * exact.power(t + 1, -self.power)


@dataclass(frozen=True, repr=False)
class Polynomial(Schedule):
    """``end + (lr - end) (1 - t / total)^power``, from t = total on ``end``.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    total : int
        At least 1.
    end : float
        The last rate, at least 0.
    power : float
        At least 0; 1 is a straight line.
    per
        See `Schedule`.

    Notes
    -----
    ``PolynomialLR`` of PyTorch, which always ends at 0.

    Examples
    --------
    >>> from bpcore.schedules import Polynomial
    >>> schedule = Polynomial(0.5, 4, end=0.1)
    >>> [round(schedule(t), 9) for t in range(6)]
    [0.5, 0.4, 0.3, 0.2, 0.1, 0.1]
    """

    lr: float = field(metadata=AT_LEAST_0)
    total: int = field(metadata=POSITIVE_COUNT)
    end: float = field(default=0.0, metadata=AT_LEAST_0)
    power: float = field(default=1.0, metadata=AT_LEAST_0)

    def _at(self, t: int) -> float:
        if t >= self.total:
            return self.end
        left = exact.power(1.0 - t / self.total, self.power)
        return self.end + (self.lr - self.end) * left


@dataclass(frozen=True, repr=False)
class CosineRestarts(Schedule):
    """From ``lr`` towards ``end`` along half a cosine, again and again.

    In the i-th period, of ``length = period growth^i``, with s the t since it began::

        end + (lr - end) (1 + cos(pi s / length)) / 2

    Parameters
    ----------
    lr : float
        The first rate of each period, at least 0.
    period : int
        Length of the first period, at least 1.
    growth : int
        How many times longer each period is than the one before, at least 1.
    end : float
        What the rate falls towards, at least 0.
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

    lr: float = field(metadata=AT_LEAST_0)
    period: int = field(metadata=POSITIVE_COUNT)
    growth: int = field(default=1, metadata=POSITIVE_COUNT)
    end: float = field(default=0.0, metadata=AT_LEAST_0)

    def _at(self, t: int) -> float:
        length = self.period
        while self.growth > 1 and t >= length:
            t -= length
            length *= self.growth
        return _half_cosine(self.lr, self.end, t % length / length)


@dataclass(frozen=True, repr=False)
class OneCycle(Schedule):
    """Up to a peak and far down, each along half a cosine; then it stays there.

    From ``peak / start_factor`` at t = 0 to ``peak`` at ``t = rise total - 1`` to
    ``peak / (start_factor end_factor)`` at ``t = total - 1``.

    Parameters
    ----------
    peak : float
        The largest rate, at least 0.
    total : int
        How many rates the cycle has, at least 1.
    rise : float
        The share of them on the way up, at least 0 and below 1.
    start_factor, end_factor : float
        The peak over the first rate, and the first over the last; above 0.
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
    peak: float = field(metadata=AT_LEAST_0)
    total: int = field(metadata=POSITIVE_COUNT)
    rise: float = field(default=0.3, metadata=BELOW_1)
    start_factor: float = field(default=25.0, metadata=ABOVE_0)
    end_factor: float = field(default=1e4, metadata=ABOVE_0)

    def _at(self, t: int) -> float:
        start = self.peak / self.start_factor
        top, last = self.rise * self.total - 1.0, self.total - 1.0
        if t < top:
            return _half_cosine(start, self.peak, t / top)
        fallen = min((t - top) / (last - top), 1.0)
        return _half_cosine(self.peak, start / self.end_factor, fallen)


@dataclass(frozen=True, repr=False)
class WarmUp(Schedule):
    """Up to the first rate of another schedule along a straight line, then that one.

    ::

        after(0) (start + (1 - start) t / length)       for t below length
        after(t - length)                               afterwards

    Parameters
    ----------
    after : Schedule, float or callable
        Any but a `WarmUp`; a number stays as it is afterwards.  The rate of a
        `ReduceOnPlateau` is multiplied by ``scale(t)`` while it watches from the
        beginning.
    length : int
        At least 1, in what ``after.per`` says.
    start : float
        The share of the first rate at t = 0, at least 0 and below 1; at 0 that epoch
        or step learns nothing.  1/3 by default, as in ``torch.optim.lr_scheduler``.

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
        after = as_schedule(self.after)
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
    def plateau(self) -> ReduceOnPlateau | None:
        return self.after.plateau

    def scale(self, t: int) -> float:
        if t >= self.length:
            return 1.0
        return self.start + (1.0 - self.start) * t / self.length


@dataclass(frozen=True, repr=False)
class Custom(Schedule):
    """Any function of t; a bare function where a schedule is taken is this.

    Parameters
    ----------
    f : callable
        ``f(t)``, a finite number of at least 0.
    per
        See `Schedule`.

    Examples
    --------
    >>> from bpcore.schedules import Custom
    >>> Custom(lambda t: 0.1 if t < 5 else 0.01)(5)
    0.01
    """

    f: Callable[[int], float]

    def __post_init__(self) -> None:
        if not callable(self.f):
            raise TypeError(f"f must be a callable f(t); got {self.f!r}")
        super().__post_init__()

    def _at(self, t: int) -> float:
        with callers_errstate():
            return self.f(t)


class Plateau(NamedTuple):
    """What `ReduceOnPlateau` knows after some epochs."""

    lr: float
    """The rate now."""
    best: float
    """The best value of the quantity, but for changes too small to count."""
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
        The least relative change, a share of ``abs(best)``: at least 0 and below 1.
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
        of which `fit` knows that more is better.
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
    lr: float = field(metadata=AT_LEAST_0)
    factor: float = field(default=0.1, metadata=BETWEEN_0_AND_1)
    patience: int = field(default=10, metadata=COUNT)
    min_delta: float = field(default=1e-4, metadata=BELOW_1)
    cooldown: int = field(default=0, metadata=COUNT)
    least: float = field(default=0.0, metadata=AT_LEAST_0)
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
    def plateau(self) -> ReduceOnPlateau | None:
        return self

    def initial(self) -> Plateau:
        """What is known before the first epoch.

        Examples
        --------
        >>> from bpcore.schedules import ReduceOnPlateau
        >>> ReduceOnPlateau(0.1).initial()
        Plateau(lr=0.1, best=inf, wait=0, cooldown=0)
        """
        worst = -math.inf if self.mode == "max" else math.inf
        return Plateau(self.lr, worst, wait=0, cooldown=0)

    def after(self, plateau: Plateau, value: float) -> Plateau:
        """What is known after one more epoch, at whose end the quantity is `value`.

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


def as_schedule(lr: object) -> float | Schedule:
    """A learning rate as a float or a schedule; a bare callable ``f(epoch)`` is taken.

    Examples
    --------
    >>> from bpcore.schedules import as_schedule
    >>> as_schedule(1), as_schedule(lambda epoch: 0.1 / (1 + epoch))(1)
    (1.0, 0.05)
    """
    if isinstance(lr, Schedule):
        return lr
    if isinstance(lr, numbers.Real):
        return checks.number("lr", lr, least=0.0)
    if callable(lr) and not isinstance(lr, type):
        return Custom(lr)
    raise TypeError(
        "lr must be a number of at least 0, a Schedule or a callable f(epoch); "
        f"got {lr!r}"
    )


def rates(schedule: Schedule, first: int, count: int) -> NDArray[np.float64]:
    """The rates at t = first, ..., first + count - 1.

    Examples
    --------
    >>> from bpcore.schedules import Exponential, rates
    >>> rates(Exponential(0.8, 0.5), 1, 3)
    array([0.4, 0.2, 0.1])
    """
    return np.fromiter(map(schedule, range(first, first + count)), np.float64, count)


def _half_cosine(start: float, end: float, s: float) -> float:
    """From `start` at s = 0 to `end` at s = 1, both exactly."""
    c = exact.cos(math.pi * s)
    return start * (0.5 * (1.0 + c)) + end * (0.5 * (1.0 - c))
