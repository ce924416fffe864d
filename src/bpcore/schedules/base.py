"""Schedule, the base class of all schedules; constant rates; any function of t."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.errstate import callers_errstate
from bpcore.fields import NON_NEGATIVE, CheckedFields, checked
from bpcore.quoting import quoted

#: No fit has as many epochs or steps.
MOST = 1 << 63

UNIT = checked(checks.one_of, choices=("epoch", "step"))


@dataclass(frozen=True, repr=False)
class Schedule(CheckedFields, ABC):
    """The base class of all schedules.

    Parameters
    ----------
    per : {"epoch", "step"}
        Unit of t; keyword only.

    Raises
    ------
    ValueError
        If a parameter is outside its range.
    """

    per: str = field(default="epoch", kw_only=True, metadata=UNIT)

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
        t = checks.integer("t", t, 0, below=MOST)
        return checks.number(f"the learning rate at t={t}", self._at(t), least=0.0)

    @abstractmethod
    def _at(self, t: int) -> float:
        """The rate after t epochs or steps, unchecked."""

    @property
    def plateau(self) -> Any:
        """The `ReduceOnPlateau` that it is or contains; None if there is none."""
        return None

    def scale(self, t: int) -> float:
        """Factor by which the rate of ``plateau`` is multiplied: 1 except in `WarmUp`.

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
    """A constant rate.

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

    lr: float = field(metadata=NON_NEGATIVE)

    def _at(self, t: int) -> float:
        return self.lr


@dataclass(frozen=True, repr=False)
class Custom(Schedule):
    """Any function of t.  A function given as a schedule is converted to this.

    Parameters
    ----------
    f : callable
        ``f(t)`` returns a finite number of at least 0.
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
            raise TypeError(f"f must be a callable f(t); got {quoted(self.f)}")
        super().__post_init__()

    def _at(self, t: int) -> float:
        with callers_errstate():
            return self.f(t)


def as_schedule(lr: object, name: str = "lr") -> float | Schedule:
    """A learning rate as a float or a schedule; a callable ``f(epoch)`` as `Custom`.

    `name` is the argument in messages.

    Examples
    --------
    >>> from bpcore.schedules import as_schedule
    >>> as_schedule(1), as_schedule(lambda epoch: 0.1 / (1 + epoch))(1)
    (1.0, 0.05)
    """
    if isinstance(lr, Schedule):
        return lr
    if isinstance(lr, numbers.Real):
        return checks.number(name, lr, least=0.0)
    if callable(lr) and not isinstance(lr, type):
        return Custom(lr)
    raise TypeError(
        f"{name} must be a number of at least 0, a Schedule or a callable f(epoch); "
        f"got {quoted(lr)}"
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
