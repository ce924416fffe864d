"""Decaying rates: by steps, exponential, inverse scaling, polynomial."""

from __future__ import annotations

from dataclasses import dataclass, field

from bpcore.fields import NON_NEGATIVE, POSITIVE, POSITIVE_COUNT
from bpcore.schedules import exact
from bpcore.schedules.base import Schedule


@dataclass(frozen=True, repr=False)
class StepDecay(Schedule):
    """``lr factor^floor(t / every)``.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    every : int
        Epochs or steps between two changes, at least 1.
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

    lr: float = field(metadata=NON_NEGATIVE)
    every: int = field(metadata=POSITIVE_COUNT)
    factor: float = field(default=0.1, metadata=POSITIVE)

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
    ``ExponentialLR`` of PyTorch.  A factor above 1 is for finding a rate: the loss
    falls fastest at rates somewhat below the one from which it rises (Smith 2017).

    Examples
    --------
    >>> from bpcore.schedules import Exponential
    >>> schedule = Exponential(0.8, 0.5)
    >>> [schedule(t) for t in range(4)]
    [0.8, 0.4, 0.2, 0.1]
    """

    lr: float = field(metadata=NON_NEGATIVE)
    factor: float = field(metadata=POSITIVE)

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

    lr: float = field(metadata=NON_NEGATIVE)
    power: float = field(default=0.5, metadata=NON_NEGATIVE)

    def _at(self, t: int) -> float:
        return self.lr * exact.power(t + 1, -self.power)


@dataclass(frozen=True, repr=False)
class Polynomial(Schedule):
    """``end + (lr - end) (1 - t / total)^power`` for t < total, then ``end``.

    Parameters
    ----------
    lr : float
        The first rate, at least 0.
    total : int
        At least 1.
    end : float
        The last rate, at least 0.
    power : float
        At least 0; 1 for a linear decay.
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

    lr: float = field(metadata=NON_NEGATIVE)
    total: int = field(metadata=POSITIVE_COUNT)
    end: float = field(default=0.0, metadata=NON_NEGATIVE)
    power: float = field(default=1.0, metadata=NON_NEGATIVE)

    def _at(self, t: int) -> float:
        if t >= self.total:
            return self.end
        left = exact.power(1.0 - t / self.total, self.power)
        return self.end + (self.lr - self.end) * left
