"""Optimizers: immutable settings.  The network that uses them owns their state.

The formulas are per parameter w with gradient g, and t = 1, 2, ... is the number of the
step.  The arithmetic is in ``csrc/descent.h`` and, readable, in
``reference.optimizers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from bpcore import checks
from bpcore.optimizers.base import (
    Optimizer,
    StateArray,
    bounded,
)
from bpcore.schedules import Schedule

__all__ = [
    "LBFGS",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Momentum",
    "Nadam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
]

#: Arrays that several optimizers keep.
VELOCITY = StateArray("v", "velocity of {w}")
MEAN = StateArray("m", "mean of {g}")
SQUARE = StateArray("s", "mean square of {g}")
#: The lines of Adam's rule that others share.
ADAM_MEANS = ("m = beta1 m + (1 - beta1) g", "s = beta2 s + (1 - beta2) g^2")


@dataclass(frozen=True, repr=False)
class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum.

    With v the velocity of w::

        v = momentum v + (1 - dampening) g                        (g in the first step)
        w = w - lr v                              (nesterov: w - lr (g + momentum v))

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    momentum : float
        At least 0 and below 1.
    nesterov : bool
        Look ahead along the velocity; needs momentum, and no dampening.
    dampening : float
        At least 0 and at most 1.
    weight_decay, ...
        See `Optimizer` for the settings that all optimizers have.

    Raises
    ------
    ValueError
        If a setting is outside its range.

    Notes
    -----
    The definition is that of Sutskever, Martens, Dahl and Hinton (2013) in the form
    ``torch.optim.SGD`` uses, in which a change of ``lr`` acts at once.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.SGD(0.1, momentum=0.9)
    SGD(lr=0.1, momentum=0.9)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {"velocity": VELOCITY}

    lr: float | Schedule = 0.01
    momentum: float = bounded(0.0, least=0.0, below=1.0)
    nesterov: bool = False
    dampening: float = bounded(0.0, least=0.0, most=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum above 0; got momentum=0.0")
        if self.nesterov and self.dampening > 0:
            raise ValueError(
                f"nesterov=True needs dampening=0.0; got dampening={self.dampening}"
            )

    @property
    def rule(self) -> str:
        # Nothing but fused multiply-adds: made while the gradient is in registers.
        if self.clip_value or self.l1 or self.dampening or self.decoupled:
            return "sgd"
        if self.momentum == 0:
            return "plain"
        return "plain_nesterov" if self.nesterov else "plain_momentum"

    @property
    def kept(self) -> tuple[str, ...]:
        return () if self.momentum == 0 else ("velocity",)

    @property
    def equations(self) -> tuple[str, ...]:
        if self.momentum == 0:
            return ("w = w - lr g",)
        velocity = "momentum v + g"
        if self.dampening:
            velocity = "g where t = 1, else momentum v + (1 - dampening) g"
        step = "(g + momentum v)" if self.nesterov else "v"
        return (f"v = {velocity}", f"w = w - lr {step}")


@dataclass(frozen=True, repr=False)
class Momentum(Optimizer):
    r"""The textbook's momentum rule: a share of the previous step is made again.

    With v the velocity of w, which is the step itself (its state is called "change")::

        v = alpha v - lr g
        w = w + v

    Unlike `SGD` with momentum, a change of ``lr`` acts on later gradients only.

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    alpha : float
        At least 0 and below 1.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Rumelhart, Hinton and Williams (1986), "Learning internal representations by error
    propagation", equation 16.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Momentum(0.1)
    Momentum(lr=0.1)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {"change": VELOCITY}

    lr: float | Schedule = 0.01
    alpha: float = bounded(0.9, least=0.0, below=1.0)

    @property
    def momentum(self) -> float:
        """Alpha, by the kernels' name."""
        return self.alpha

    @property
    def rule(self) -> str:
        return "momentum"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("change",)

    @property
    def equations(self) -> tuple[str, ...]:
        return ("v = alpha v - lr g", "w = w + v")


@dataclass(frozen=True, repr=False)
class RMSprop(Optimizer):
    r"""Gradient over the root of its mean square.

    With s the running mean of the square of g, m that of g, and v a velocity::

        s = alpha s + (1 - alpha) g^2
        m = alpha m + (1 - alpha) g                            (centered, else m = 0)
        v = momentum v + g / (sqrt(s - m^2) + eps)
        w = w - lr v

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    alpha : float
        Of the running means, at least 0 and below 1.
    eps : float
        Above 0.
    momentum : float
        At least 0 and below 1.
    centered : bool
        Whether the running variance is taken in place of the mean square.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Tieleman and Hinton (2012); Graves (2013) for the centered form; as
    ``torch.optim.RMSprop``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.RMSprop(1e-3, alpha=0.9)
    RMSprop(lr=0.001, alpha=0.9)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {
        "square": SQUARE,
        "velocity": VELOCITY,
        "mean": MEAN,
    }

    lr: float | Schedule = 0.01
    alpha: float = bounded(0.99, least=0.0, below=1.0)
    eps: float = bounded(1e-8, above=0.0)
    momentum: float = bounded(0.0, least=0.0, below=1.0)
    centered: bool = False

    @property
    def beta2(self) -> float:
        """Alpha, by the kernels' name."""
        return self.alpha

    @property
    def rule(self) -> str:
        return "rmsprop"

    @property
    def kept(self) -> tuple[str, ...]:
        if self.centered:
            return ("square", "velocity", "mean")
        return ("square", "velocity") if self.momentum > 0 else ("square",)

    @property
    def equations(self) -> tuple[str, ...]:
        found, variance = ["s = alpha s + (1 - alpha) g^2"], "s"
        if self.centered:
            found.append("m = alpha m + (1 - alpha) g")
            variance = "max(s - m^2, 0)"
        step = f"g / (sqrt({variance}) + eps)"
        if self.momentum > 0:
            return (*found, f"v = momentum v + {step}", "w = w - lr v")
        return (*found, f"w = w - lr {step}")


@dataclass(frozen=True, repr=False)
class Adagrad(Optimizer):
    r"""Gradient over the root of the sum of all squares so far.

    With s the sum of the squares of g::

        s = s + g^2
        w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    lr_decay : float
        At least 0.
    initial_accumulator : float
        What s begins as, at least 0.
    eps : float
        Above 0.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Duchi, Hazan and Singer (2011), as ``torch.optim.Adagrad``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Adagrad(0.1)
    Adagrad(lr=0.1)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {
        "sum": StateArray("s", "sum of the squares of {g}")
    }

    lr: float | Schedule = 0.01
    lr_decay: float = bounded(0.0, least=0.0)
    initial_accumulator: float = bounded(0.0, least=0.0)
    eps: float = bounded(1e-10, above=0.0)

    @property
    def decay(self) -> float:
        """The decay of the rate, by the kernels' name."""
        return self.lr_decay

    @property
    def rule(self) -> str:
        return "adagrad"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("sum",)

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "s = s + g^2",
            "w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)",
        )

    def start(self, state: str) -> float:
        return self.initial_accumulator


@dataclass(frozen=True, repr=False)
class Adam(Optimizer):
    r"""Running mean of the gradient over the root of that of its square.

    With m the running mean of g, and s that of its square::

        m = beta1 m + (1 - beta1) g
        s = beta2 s + (1 - beta2) g^2
        w = w - lr / (1 - beta1^t) m / (sqrt(s / (1 - beta2^t)) + eps)

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate.
    beta1, beta2 : float
        Of the running means, at least 0 and below 1.
    eps : float
        Above 0.
    weight_decay, ...
        See `Optimizer`; `AdamW` has it decoupled.

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
    beta1: float = bounded(0.9, least=0.0, below=1.0)
    beta2: float = bounded(0.999, least=0.0, below=1.0)
    eps: float = bounded(1e-8, above=0.0)

    @property
    def rule(self) -> str:
        return "adam"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("mean", "square")

    @property
    def equations(self) -> tuple[str, ...]:
        step = "lr / (1 - beta1^t) m / (sqrt(s / (1 - beta2^t)) + eps)"
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

    weight_decay: float = bounded(0.01, least=0.0, kw_only=True)
    decoupled: bool = field(default=True, kw_only=True)


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
        step = "lr / (1 - beta1^t) m / (sqrt(h / (1 - beta2^t)) + eps)"
        return (*ADAM_MEANS, "h = max(h, s)", f"w = w - {step}")


@dataclass(frozen=True, repr=False)
class Nadam(Adam):
    r"""`Adam` with Nesterov's look ahead.

    With h the mean as it will be after the next step::

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
        At least 0.

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
    momentum_decay: float = bounded(4e-3, least=0.0)

    @property
    def rule(self) -> str:
        return "nadam"

    @property
    def decay(self) -> float:
        """The decay of the momentum, by the kernels' name."""
        return self.momentum_decay

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "mu(t) = beta1 (1 - 0.96^(t momentum_decay) / 2)",
            "M(t) = mu(1) mu(2) ... mu(t)",
            *ADAM_MEANS,
            "h = (1 - mu(t)) / (1 - M(t)) g + mu(t + 1) / (1 - M(t + 1)) m",
            "w = w - lr h / (sqrt(s / (1 - beta2^t)) + eps)",
        )


@dataclass(frozen=True, repr=False)
class Adamax(Adam):
    r"""`Adam` by the largest gradient in place of the mean square.

    With h the largest size of g, which decays::

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
    r"""`Adam` that waits until its mean square can be trusted.

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


@dataclass(frozen=True, repr=False)
class Lion(Optimizer):
    r"""The sign of a running mean of the gradient.

    With m the running mean of g::

        w = w - lr sign(beta1 m + (1 - beta1) g)
        m = beta2 m + (1 - beta2) g

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate: the size of every change.
    beta1, beta2 : float
        At least 0 and below 1.
    weight_decay, ...
        See `Optimizer`; here it is decoupled by default, as in the source.

    Notes
    -----
    Chen et al. (2023), "Symbolic discovery of optimization algorithms".

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Lion()
    Lion(lr=0.0001)
    """

    arrays: ClassVar[Mapping[str, StateArray]] = {"mean": MEAN}

    lr: float | Schedule = 1e-4
    beta1: float = bounded(0.9, least=0.0, below=1.0)
    beta2: float = bounded(0.99, least=0.0, below=1.0)
    decoupled: bool = field(default=True, kw_only=True)

    @property
    def rule(self) -> str:
        return "lion"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("mean",)

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "w = w - lr sign(beta1 m + (1 - beta1) g)",
            "m = beta2 m + (1 - beta2) g",
        )


@dataclass(frozen=True, repr=False)
class Rprop(Optimizer):
    r"""Each weight by a step of its own, which depends on the gradient's signs only.

    With d the size of the step of w, at first lr, and g' the gradient before, at first
    0::

        turn = g g'
        d = d grow where turn > 0, else d shrink where turn < 0, else d
        d = min(max(d, least), most)
        g = 0 where turn < 0, else g
        w = w - sign(g) d
        g' = g

    The signs must be those of all the data: `fit` takes it as one mini-batch.  Factors
    of the learning rate, of a layer or of the biases, multiply every change.

    Parameters
    ----------
    lr : float
        The first size of the steps; a schedule would have no effect.
    shrink, grow : float
        Above 0 and below 1; above 1.
    least, most : float
        Bounds of the step, above 0.
    weight_decay, ...
        See `Optimizer`.

    Notes
    -----
    Riedmiller and Braun (1993), without going back, as ``torch.optim.Rprop``.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.Rprop()
    Rprop(lr=0.01)
    """

    full_batch: ClassVar[bool] = True
    arrays: ClassVar[Mapping[str, StateArray]] = {
        "previous": StateArray("g'", "previous {g}"),
        "step": StateArray("d", "size of the step of {w}"),
    }

    lr: float | Schedule = 0.01
    shrink: float = bounded(0.5, above=0.0, below=1.0)
    grow: float = bounded(1.2, above=1.0)
    least: float = bounded(1e-6, above=0.0)
    most: float = bounded(50.0, above=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.lr, Schedule):
            raise TypeError("lr of Rprop must be a number: it is used once, at first")
        if self.least > self.most:
            raise ValueError(
                f"least must be at most `most`, {self.most}; got {self.least}"
            )

    @property
    def rule(self) -> str:
        return "rprop"

    @property
    def kept(self) -> tuple[str, ...]:
        return ("previous", "step")

    @property
    def equations(self) -> tuple[str, ...]:
        return (
            "turn = g g'",
            "d = d grow where turn > 0, else d shrink where turn < 0, else d",
            "d = min(max(d, least), most)",
            "g = 0 where turn < 0, else g",
            "w = w - sign(g) d",
            "g' = g",
        )

    def start(self, state: str) -> float:
        assert isinstance(self.lr, float)
        return self.lr if state == "step" else 0.0


@dataclass(frozen=True, repr=False)
class LBFGS(Optimizer):
    r"""The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno, by SciPy.

    Each epoch of `fit` is an iteration of ``scipy.optimize.minimize`` with
    ``method="L-BFGS-B"`` over the flat parameters, from the gradient of all the data:
    for small problems in float64, which it solves to high accuracy.

    Parameters
    ----------
    history : int
        How many previous steps the curvature is estimated from, at least 1.
    tolerance : float
        It has converged where no element of the gradient is larger, at least 0.
    weight_decay : float
        L2 penalty: adds weight_decay / 2 sum w^2 to what is minimised.
    biases : mapping
        ``{"weight_decay": 0.0}`` for another penalty of the biases.

    Raises
    ------
    ImportError
        By `fit`, if SciPy is not installed.

    Notes
    -----
    Byrd, Lu, Nocedal and Zhu (1995).  What it has found out about the curvature is
    lost between two calls of `fit`.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.LBFGS(tolerance=1e-8)
    LBFGS(tolerance=1e-08)
    """

    full_batch: ClassVar[bool] = True

    lr: float | Schedule = field(default=1.0, init=False)
    history: int = 10
    tolerance: float = bounded(1e-7, least=0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "history", checks.integer("history", self.history, 1))
        for name in ("l1", "decoupled", "clip_value", "clip_norm", "max_norm"):
            if getattr(self, name):
                raise ValueError(f"LBFGS has no {name}; got {getattr(self, name)}")
        for name, value in dict(self.biases).items():
            if name != "weight_decay":
                raise ValueError(f"LBFGS has no {name} of biases; got {value}")
