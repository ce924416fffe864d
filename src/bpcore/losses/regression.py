"""Losses of numbers: squared and absolute errors, quantiles, counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.fields import BETWEEN_0_AND_1, POSITIVE
from bpcore.losses.base import Loss, quotient

Array = NDArray[Any]


class SquaredError(Loss):
    """Half the sum over the outputs of (a - y)^2."""

    name = "squared_error"
    formula = "sum((a - y)^2) / 2"
    by_a = "a - y"


class MeanSquaredError(Loss):
    """Mean over the outputs of (a - y)^2, as ``torch.nn.MSELoss``."""

    name = "mean_squared_error"
    formula = "mean((a - y)^2)"
    by_a = "2 * (a - y) / n_L"


class MeanAbsoluteError(Loss):
    """Mean over the outputs of |a - y|, as ``torch.nn.L1Loss``."""

    name = "mean_absolute_error"
    formula = "mean(abs(a - y))"
    by_a = "sign(a - y) / n_L"


@dataclass(frozen=True)
class Huber(Loss):
    """Mean of d^2 / 2 where |d| <= c, else c (|d| - c / 2), with d = a - y.

    In `formula` the setting is c, since delta means dE/dz.

    Parameters
    ----------
    delta : float
        c, above 0; for |a - y| > c the loss is linear.

    Notes
    -----
    Huber (1964), as ``torch.nn.HuberLoss``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Huber(delta=0.5)
    Huber(delta=0.5)
    """

    name = "huber"
    formula = "mean(where(abs(a - y) <= c, (a - y)^2 / 2, c * (abs(a - y) - c / 2)))"
    by_a = "clip(a - y, -c, c) / n_L"
    symbols: ClassVar[dict[str, str]] = {"c": "delta"}

    delta: float = field(default=1.0, metadata=POSITIVE)

    @property
    def setting(self) -> float:
        return self.delta


@dataclass(frozen=True)
class Quantile(Loss):
    """Mean of max(q d, (q - 1) d) with d = y - a, so that a estimates the quantile q.

    Parameters
    ----------
    q : float
        Above 0 and below 1.

    Notes
    -----
    Koenker and Bassett (1978).

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Quantile(0.9)
    Quantile(q=0.9)
    """

    name = "quantile"
    formula = "mean(max(q * (y - a), (q - 1) * (y - a)))"
    symbols: ClassVar[dict[str, str]] = {"q": "q"}
    by_a = "where(a < y, -q, where(a > y, 1 - q, 0)) / n_L"

    q: float = field(default=0.5, metadata=BETWEEN_0_AND_1)

    @property
    def setting(self) -> float:
        return self.q


class LogCosh(Loss):
    """Mean over the outputs of log(cosh(a - y))."""

    name = "log_cosh"
    formula = "mean(log(cosh(a - y)))"
    by_a = "tanh(a - y) / n_L"


class Poisson(Loss):
    """Mean of a - y log(a), a the rate of a Poisson distribution and y a count.

    With the output activation "exp" this is the log link, exp(z) - y z.  With other
    activations, whose outputs must be positive (softplus), it is the identity link,
    with log(a + 1e-8).  As ``torch.nn.PoissonNLLLoss``.
    """

    name = "poisson"
    output = "exp"
    least = 0.0
    formula = "mean(a - y * log(a + 1e-8))"
    by_a = "(1 - y / (a + 1e-8)) / n_L"
    by_z = "(a - y) / n_L"

    def value(self, output: str) -> str:
        return "mean(a - y * log(a))" if output == "exp" else self.formula

    def derivatives(self, output: str) -> tuple[str, str]:
        if output == "exp":
            return "(1 - y / a) / n_L", self.by_z
        return self.by_a, ""

    @own_errstate
    def by_outputs(self, a: Array, y: Array) -> Array:
        return (1 - quotient(y, a)) / a.shape[1]

    @property
    def setting(self) -> float:
        return 1e-8

    def kernel(self, output: str) -> str:
        return "poisson_of_log" if output == "exp" else "poisson"

    def takes_z(self, output: str) -> bool:
        return output == "exp"
