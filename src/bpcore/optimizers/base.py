"""Optimizer: the base class of all optimizers, with their common settings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from bpcore import checks
from bpcore.cached import cached_property
from bpcore.fields import (
    BOOLEAN,
    NON_NEGATIVE,
    POSITIVE,
    CheckedFields,
)
from bpcore.groups import FLAGS, NUMBERS
from bpcore.schedules import Schedule, as_schedule

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class StateArray:
    """Symbol and meaning of an array of an optimizer's state.

    Attributes
    ----------
    symbol : str
        Letter in the equations: "m".
    meaning : str
        Meaning for a parameter {w} with gradient {g}: "mean of {g}".
    """

    symbol: str
    meaning: str


#: Arrays that several optimizers have.
VELOCITY = StateArray("v", "velocity of {w}")
MEAN = StateArray("m", "mean of {g}")
SQUARE = StateArray("s", "mean square of {g}")


@dataclass(frozen=True, repr=False)
class Optimizer(CheckedFields):
    """Settings that all optimizers have; given by keyword, except lr.

    Let g be the gradient of the mean loss for a parameter w.  Before the optimizer's
    own update rule::

        g = g min(1, clip_norm / (||g of all parameters|| + 1e-6))
        g = min(max(g, -clip_value), clip_value)
        g = g + weight_decay w + l1 sign(w)                  (decoupled=False)
        w = w - lr (weight_decay w + l1 sign(w))             (decoupled=True)

    After it, for each unit j of a layer::

        W[:, j] = W[:, j] min(1, max_norm / ||W[:, j]||)

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate, at least 0, or its schedule (``bpcore.schedules``), which may be
        a callable ``f(epoch)``.
    weight_decay, l1 : float
        L2 and L1 penalties, at least 0.  They change the step, not the loss reported.
        With one of them, parameters below the smallest normal number of their dtype
        (1.2e-38 in float32) become 0 in every 32nd step.
    decoupled : bool
        Whether the penalties are applied to the weights directly, and not added to the
        gradient and so to its running means (Loshchilov and Hutter 2019).
    clip_value : float, optional
        Largest magnitude of an element of the gradient (``clip_grad_value_`` of
        PyTorch).
    clip_norm : float, optional
        Largest Euclidean norm of the gradient of all parameters (``clip_grad_norm_`` of
        PyTorch).  With it, each step stores the gradient.
    max_norm : float, optional
        Largest norm of the weights that lead into a unit (Srivastava et al. 2014).
    biases : mapping
        Other settings for the biases (and the gains of normalised layers):
        ``{"weight_decay": 0.0}``.  Keys are the optimizer's numbers and "lr_factor",
        the ratio of their learning rate to that of the weights.  The scale of the
        inputs has the same settings, with a factor of its own (``input_scale``).
    """

    #: Whether each step needs the gradient of all data.
    full_batch: ClassVar[bool] = False
    #: Whether a step is proportional to the size of the gradient, else (apart from eps)
    #: independent of it.
    proportional: ClassVar[bool] = False
    #: The arrays that the state may have.
    arrays: ClassVar[Mapping[str, StateArray]] = {}

    lr: float | Schedule = 0.01
    weight_decay: float = field(default=0.0, kw_only=True, metadata=NON_NEGATIVE)
    l1: float = field(default=0.0, kw_only=True, metadata=NON_NEGATIVE)
    decoupled: bool = field(default=False, kw_only=True, metadata=BOOLEAN)
    clip_value: float | None = field(default=None, kw_only=True, metadata=POSITIVE)
    clip_norm: float | None = field(default=None, kw_only=True, metadata=POSITIVE)
    max_norm: float | None = field(default=None, kw_only=True, metadata=POSITIVE)
    biases: Mapping[str, float] | tuple[tuple[str, float], ...] = field(
        default=(), kw_only=True
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", as_schedule(self.lr))
        object.__setattr__(self, "biases", _pairs(self.biases))
        super().__post_init__()
        self._for_biases()

    def __repr__(self) -> str:
        shown = []
        for setting in dataclasses.fields(self):
            value = getattr(self, setting.name)
            if setting.init and (setting.name == "lr" or value != setting.default):
                value = dict(value) if setting.name == "biases" else value
                shown.append(f"{setting.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def replace(self, **settings: Any) -> Self:
        """The same with other settings.

        Examples
        --------
        >>> import bpcore as bp
        >>> bp.SGD(0.1, momentum=0.9).replace(lr=0.01)
        SGD(lr=0.01, momentum=0.9)
        """
        return dataclasses.replace(self, **settings)

    # --- equations --------------------------------------------------------------------

    @property
    def equations(self) -> tuple[str, ...]:
        """The update rule with these settings, to be evaluated line by line.

        w is a parameter, g its gradient, t = 1, 2, ... the number of the step; state
        arrays have their symbols in `arrays`, settings their names.  A space means a
        product, ^ a power, and cases are ``x where condition, else x``.  Empty if the
        optimizer has no update rule (LBFGS).

        Examples
        --------
        >>> import bpcore as bp
        >>> bp.SGD(0.1, momentum=0.9).equations
        ('v = momentum v + g', 'w = w - lr v')
        >>> bp.Adam.arrays["mean"]
        StateArray(symbol='m', meaning='mean of {g}')
        """
        return ()

    @property
    def equations_before(self) -> tuple[str, ...]:
        """The equations for g and w before `equations`: clipping and penalties.

        Examples
        --------
        >>> import bpcore as bp
        >>> bp.SGD(0.1, clip_value=5.0, weight_decay=0.01).equations_before
        ('g = min(max(g, -clip_value), clip_value)', 'g = g + weight_decay w')
        >>> bp.AdamW(weight_decay=0.01).equations_before
        ('w = w - lr weight_decay w',)
        """
        equations = []
        if self.clip_norm:
            equations.append(
                "g = g min(1, clip_norm / (||g of all parameters|| + 1e-6))"
            )
        if self.clip_value:
            equations.append("g = min(max(g, -clip_value), clip_value)")
        terms = {"weight_decay": "weight_decay w", "l1": "l1 sign(w)"}
        parts = [term for name, term in terms.items() if getattr(self, name)]
        penalty = " + ".join(parts)
        if penalty and self.decoupled:
            factor = f"({penalty})" if len(parts) > 1 else penalty
            equations.append(f"w = w - lr {factor}")
        elif penalty:
            equations.append(f"g = g + {penalty}")
        return tuple(equations)

    @property
    def equations_after(self) -> tuple[str, ...]:
        """The equation after `equations`, for the weights that lead into unit j."""
        if not self.max_norm:
            return ()
        return ("W[:, j] = W[:, j] min(1, max_norm / ||W[:, j]||)",)

    def constants(self, equations: Iterable[str]) -> dict[str, float]:
        """The values of the settings in equations, by name, except lr.

        Examples
        --------
        >>> import bpcore as bp
        >>> adam = bp.Adam()
        >>> adam.constants(adam.equations)
        {'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-08}
        """
        words = set(re.findall(r"[a-z]\w*", " ".join(equations)))
        return {
            setting.name: value
            for setting in dataclasses.fields(self)
            if setting.name in words - {"lr"}
            and isinstance(value := getattr(self, setting.name), float)
        }

    # --- for the network --------------------------------------------------------------

    @property
    def rule(self) -> str:
        """Name of the update rule in the kernels; empty if there is none."""
        return ""

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the state arrays of one parameter group, each in the shape of w."""
        return ()

    @cached_property
    def schedule(self) -> Schedule | None:
        """The schedule of the learning rate; None if the rate is constant."""
        return self.lr if isinstance(self.lr, Schedule) else None

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state arrays of the network: those of both parameter groups."""
        weights, biases = self.kept, self._for_biases()[0].kept
        return weights if len(weights) >= len(biases) else biases

    def start(self, state: str) -> float:
        """Initial value of the elements of a state array."""
        return 0.0

    def both(self) -> tuple[Self, Self]:
        """The settings for the weights and those for the biases."""
        return self, self._for_biases()[0]

    def groups(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Settings of both parameter groups for the kernels: weights, then biases."""
        return self._groups

    @cached_property
    def _groups(self) -> tuple[dict[str, Any], dict[str, Any]]:
        biases, factor = self._for_biases()
        return _group(self, 1.0), _group(biases, factor)

    def _for_biases(self) -> tuple[Self, float]:
        """The settings for the biases and the factor of their learning rate."""
        if not self.biases:
            return self, 1.0
        others = dict(self.biases)
        factor = checks.number(
            "biases['lr_factor']", others.pop("lr_factor", 1.0), least=0.0
        )
        numbers = {
            setting.name: setting.metadata["check"]
            for setting in dataclasses.fields(self)
            if isinstance(setting.default, float) and setting.metadata
        }
        for name, value in others.items():
            checks.one_of("a setting in biases", name, [*numbers, "lr_factor"])
            numbers[name](f"biases[{name!r}]", value)
        return self.replace(biases=(), **others), factor


def _group(optimizer: Optimizer, lr_factor: float) -> dict[str, Any]:
    """Settings of a parameter group for the kernels."""
    group: dict[str, Any] = {name: getattr(optimizer, name, 0.0) for name in NUMBERS}
    group |= {name: getattr(optimizer, name, False) for name in FLAGS}
    group["clip_value"] = optimizer.clip_value or float("inf")
    return group | {"rule": optimizer.rule, "lr_factor": lr_factor}


def _pairs(biases: object) -> tuple[tuple[str, float], ...]:
    """The mapping as sorted pairs, which are immutable."""
    if isinstance(biases, tuple) and all(  # converted before
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)
        for pair in biases
    ):
        return biases
    if not isinstance(biases, Mapping):
        raise TypeError(
            "biases must be a mapping such as {'weight_decay': 0.0}; "
            f"got {type(biases).__name__}"
        )
    return tuple(sorted(biases.items(), key=lambda pair: str(pair[0])))
