"""Adam and its variants: AdamW, AMSGrad, Nadam, Adamax, RAdam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore.fields import BELOW_1, BOOLEAN, NON_NEGATIVE, POSITIVE
from bpcore.optimizers.base import MEAN, SQUARE, Optimizer, StateArray
from bpcore.schedules import Schedule

#: The equations that all variants of Adam begin with.
ADAM_MEANS = ("m = beta1 m + (1 - beta1) g", "s = beta2 s + (1 - beta2) g^2")


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    r"""Running mean of the gradient divided by the root of that of its square.

    With m the running mean of g, and s that of its square::

        m = beta1 m + (1 - beta1) g
        s = beta2 s + (1 - beta2) g^2
        w = w - lr / (1 - beta1^t) m / (sqrt(s / (1 - beta2^t)) + eps)

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    beta1, beta2 : float
        Decay factors of the running means, at least 0 and below 1.
    eps : float
        Above 0, and at least the smallest normal number of the network's dtype: a
        smaller one counts as that.
    eps_corrected : bool
        Whether eps is divided by sqrt(1 - beta2^t) like sqrt(s), as in Keras and
        scikit-learn: the divisor is (sqrt(s) + eps) / sqrt(1 - beta2^t).  Not for
        `Adamax` and `RAdam`.
    weight_decay, ...
        See `Optimizer`; in `AdamW` weight decay is decoupled.

    Notes
    -----
    Kingma and Ba (2015), as ``torch.optim.Adam``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Adam(1e-3, biases={"lr_factor": 2.0})
    Adam(lr=0.001, biases={'lr_factor': 2.0})
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {"mean": MEAN, "square": SQUARE}

    lr: float | Schedule = 1e-3
    beta1: float = field(default=0.9, metadata=BELOW_1)
    beta2: float = field(default=0.999, metadata=BELOW_1)
    eps: float = field(default=1e-8, metadata=POSITIVE)
    eps_corrected: bool = field(default=False, kw_only=True, metadata=BOOLEAN)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eps_corrected and self.rule in ("adamax", "radam"):
            raise ValueError(
                f"eps_corrected must be False for {type(self).__name__}; got True"
            )

    @property
    def rule(self) -> str:
        return "adam"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("mean", "square")

    def divisor(self, square: str) -> str:
        """The divisor of a step in `equations`, from the symbol of a mean square."""
        if self.eps_corrected:
            return f"((sqrt({square}) + eps) / sqrt(1 - beta2^t))"
        return f"(sqrt({square} / (1 - beta2^t)) + eps)"

    @property
    def equations(self) -> tuple[str, ...]:
        step = f"lr / (1 - beta1^t) m / {self.divisor('s')}"
        return (*ADAM_MEANS, f"w = w - {step}")


@dataclass(frozen=True, repr=False)
class AdamW(Adam):
    r"""`Adam` with a decoupled weight decay: ``Adam(..., decoupled=True)``.

    Notes
    -----
    Loshchilov and Hutter (2019), as ``torch.optim.AdamW``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.AdamW(1e-3).weight_decay
    0.01
    """

    weight_decay: float = field(default=0.01, kw_only=True, metadata=NON_NEGATIVE)
    decoupled: bool = field(default=True, kw_only=True, metadata=BOOLEAN)


@dataclass(frozen=True, repr=False)
class AMSGrad(Adam):
    r"""`Adam` whose denominator never shrinks.

    With h the largest s so far::

        m = beta1 m + (1 - beta1) g
        s = beta2 s + (1 - beta2) g^2
        h = max(h, s)
        w = w - lr / (1 - beta1^t) m / (sqrt(h / (1 - beta2^t)) + eps)

    Notes
    -----
    Reddi, Kale and Kumar (2018), as ``torch.optim.Adam(amsgrad=True)``; parameters as
    for `Adam`.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.AMSGrad().states
    ('mean', 'square', 'largest')
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {
        "mean": MEAN,
        "square": SQUARE,
        "largest": StateArray("h", "largest mean square of {g}"),
    }

    @property
    def rule(self) -> str:
        return "amsgrad"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("mean", "square", "largest")

    @property
    def equations(self) -> tuple[str, ...]:
        step = f"lr / (1 - beta1^t) m / {self.divisor('h')}"
        return (*ADAM_MEANS, "h = max(h, s)", f"w = w - {step}")


@dataclass(frozen=True, repr=False)
class Nadam(Adam):
    r"""`Adam` with Nesterov momentum.

    With h an estimate of the mean after the next step::

        mu(t) = beta1 (1 - 0.96^(t momentum_decay) / 2)
        M(t) = mu(1) mu(2) ... mu(t)
        m = beta1 m + (1 - beta1) g
        s = beta2 s + (1 - beta2) g^2
        h = (1 - mu(t)) / (1 - M(t)) g + mu(t + 1) / (1 - M(t + 1)) m
        w = w - lr h / (sqrt(s / (1 - beta2^t)) + eps)

    Parameters
    ----------
    lr, beta1, beta2, eps, weight_decay, ...
        As for `Adam`.
    momentum_decay : float
        Rate at which the momentum grows to beta1, at least 0.

    Notes
    -----
    Dozat (2016), as ``torch.optim.NAdam``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Nadam()
    Nadam(lr=0.002)
    """

    lr: float | Schedule = 2e-3
    momentum_decay: float = field(default=4e-3, metadata=NON_NEGATIVE)

    @property
    def rule(self) -> str:
        return "nadam"

    @property
    def decay(self) -> float:
        """`momentum_decay`, by its name in the kernels."""
        return self.momentum_decay

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "mu(t) = beta1 (1 - 0.96^(t momentum_decay) / 2)",
            "M(t) = mu(1) mu(2) ... mu(t)",
            *ADAM_MEANS,
            "h = (1 - mu(t)) / (1 - M(t)) g + mu(t + 1) / (1 - M(t + 1)) m",
            f"w = w - lr h / {self.divisor('s')}",
        )


@dataclass(frozen=True, repr=False)
class Adamax(Adam):
    r"""`Adam` with a decaying maximum of |g| instead of the mean square.

    With h that maximum::

        m = beta1 m + (1 - beta1) g
        h = max(beta2 h, |g| + eps)
        w = w - lr / (1 - beta1^t) m / h

    Notes
    -----
    Kingma and Ba (2015), section 7, as ``torch.optim.Adamax``; parameters as for
    `Adam`.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Adamax()
    Adamax(lr=0.002)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {
        "mean": MEAN,
        "largest": StateArray("h", "decaying largest size of {g}"),
    }

    lr: float | Schedule = 2e-3

    @property
    def rule(self) -> str:
        return "adamax"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("mean", "largest")

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            ADAM_MEANS[0],
            "h = max(beta2 h, |g| + eps)",
            "w = w - lr / (1 - beta1^t) m / h",
        )


@dataclass(frozen=True, repr=False)
class RAdam(Adam):
    r"""`Adam` that divides by the mean square only once its variance is small enough.

    ::

        m = beta1 m + (1 - beta1) g
        s = beta2 s + (1 - beta2) g^2
        r = 2 / (1 - beta2) - 1
        r_t = r - 2 t beta2^t / (1 - beta2^t)
        R = sqrt((r_t - 4) (r_t - 2) r / ((r - 4) (r - 2) r_t))
        h = m where r_t <= 5, else R m sqrt(1 - beta2^t) / (sqrt(s) + eps)
        w = w - lr / (1 - beta1^t) h

    Notes
    -----
    Liu et al. (2020), as ``torch.optim.RAdam``; parameters as for `Adam`.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.RAdam(1e-3)
    RAdam(lr=0.001)
    """

    @property
    def rule(self) -> str:
        return "radam"

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            *ADAM_MEANS,
            "r = 2 / (1 - beta2) - 1",
            "r_t = r - 2 t beta2^t / (1 - beta2^t)",
            "R = sqrt((r_t - 4) (r_t - 2) r / ((r - 4) (r - 2) r_t))",
            "h = m where r_t <= 5, else R m sqrt(1 - beta2^t) / (sqrt(s) + eps)",
            "w = w - lr / (1 - beta1^t) h",
        )
