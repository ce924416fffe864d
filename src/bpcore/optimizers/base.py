"""What all optimizers have in common: settings with ranges, and those of the biases."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from bpcore import checks
from bpcore.schedules import Schedule, as_schedule

if TYPE_CHECKING:
    from typing import Self

#: What a rule of the kernels may be told, beside the learning rate (csrc/types.h).
NUMBERS = (
    "weight_decay",
    "l1",
    "momentum",
    "dampening",
    "beta1",
    "beta2",
    "eps",
    "decay",
    "shrink",
    "grow",
    "least",
    "most",
)
FLAGS = ("decoupled", "nesterov", "centered")


def bounded(default: float | None, *, kw_only: bool = False, **bounds: float) -> Any:
    """The field of a number with bounds: least, above, below, most (`checks.number`).

    None is allowed where it is the default.
    """
    return field(default=default, kw_only=kw_only, metadata=bounds)


@dataclass(frozen=True)
class StateArray:
    """What an array that an optimizer keeps is, in its equations and in words.

    Attributes
    ----------
    symbol : str
        Its letter in the optimizer's equations: "m".
    meaning : str
        What it is of a parameter {w} with gradient {g}: "mean of {g}".
    """

    symbol: str
    meaning: str


@dataclass(frozen=True, repr=False)
class Optimizer:
    """The settings that every optimizer takes beside its own, all by name.

    Before the optimizer's own rule, the gradient g of a parameter w of the mean loss
    becomes::

        g = g min(1, clip_norm / (||g of all parameters|| + 1e-6))
        g = min(max(g, -clip_value), clip_value)
        g = g + weight_decay w + l1 sign(w)                  (decoupled=False)
        w = w - lr (weight_decay w + l1 sign(w))             (decoupled=True)

    and after it, for each unit j of a layer::

        W[:, j] = W[:, j] min(1, max_norm / ||W[:, j]||)

    Parameters
    ----------
    lr : float, Schedule or callable
        Learning rate, at least 0; or how it changes (``bpcore.schedules``), a callable
        ``f(epoch)`` too.
    weight_decay, l1 : float
        L2 and L1 penalties, at least 0.  They change the step, not the loss reported.
    decoupled : bool
        Whether the penalties act on the weights alone, past the gradient and its
        averages (Loshchilov and Hutter 2019).
    clip_value : float, optional
        Largest size of an element of the gradient (``clip_grad_value_`` of PyTorch).
    clip_norm : float, optional
        Largest Euclidean norm of the gradient by all parameters (``clip_grad_norm_`` of
        PyTorch).  The gradient must be stored for it.
    max_norm : float, optional
        Largest norm of the weights that lead into a unit (Srivastava et al. 2014).
    biases : mapping
        Other settings for the biases (and the gains of normalised layers):
        ``{"weight_decay": 0.0}``.  Besides the optimizer's numbers it may have
        "lr_factor", by which their learning rate is that of the weights.
    """

    #: Whether a step is made from all of the data.
    full_batch: ClassVar[bool] = False
    #: What each array is that the rule may keep.
    arrays: ClassVar[Mapping[str, StateArray]] = {}

    lr: float | Schedule = 0.01
    weight_decay: float = bounded(0.0, least=0.0, kw_only=True)
    l1: float = bounded(0.0, least=0.0, kw_only=True)
    decoupled: bool = field(default=False, kw_only=True)
    clip_value: float | None = bounded(None, above=0.0, kw_only=True)
    clip_norm: float | None = bounded(None, above=0.0, kw_only=True)
    max_norm: float | None = bounded(None, above=0.0, kw_only=True)
    biases: Mapping[str, float] | tuple[tuple[str, float], ...] = field(
        default=(), kw_only=True
    )

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(self):
            value = getattr(self, setting.name)
            if setting.name == "lr":
                value = as_schedule(value)
            elif setting.name == "biases":
                value = _pairs(value)
            elif isinstance(setting.default, bool):
                value = checks.boolean(setting.name, value)
            elif setting.metadata and not (value is None and setting.default is None):
                value = checks.number(setting.name, value, **setting.metadata)
            object.__setattr__(self, setting.name, value)
        self._of_biases()

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

    # --- its equations ----------------------------------------------------------------

    @property
    def equations(self) -> tuple[str, ...]:
        """The rule with these settings, to be evaluated line by line.

        For a parameter w with gradient g, t = 1, 2, ... the number of the step, and the
        state by its symbols in `arrays`.  Products are written by a space, powers by ^,
        cases as ``x where condition, else x``; settings go by their names.  Empty if
        the optimizer makes no steps of its own (LBFGS).

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
        """What is done to g and w before `equations`: clipping and penalties.

        Examples
        --------
        >>> import bpcore as bp
        >>> bp.SGD(0.1, clip_value=5.0, weight_decay=0.01).equations_before
        ('g = min(max(g, -clip_value), clip_value)', 'g = g + weight_decay w')
        >>> bp.AdamW(weight_decay=0.01).equations_before
        ('w = w - lr weight_decay w',)
        """
        found = []
        if self.clip_norm:
            found.append("g = g min(1, clip_norm / (||g of all parameters|| + 1e-6))")
        if self.clip_value:
            found.append("g = min(max(g, -clip_value), clip_value)")
        terms = {"weight_decay": "weight_decay w", "l1": "l1 sign(w)"}
        parts = [term for name, term in terms.items() if getattr(self, name)]
        penalty = " + ".join(parts)
        if penalty and self.decoupled:
            factor = f"({penalty})" if len(parts) > 1 else penalty
            found.append(f"w = w - lr {factor}")
        elif penalty:
            found.append(f"g = g + {penalty}")
        return tuple(found)

    @property
    def equations_after(self) -> tuple[str, ...]:
        """What is done to the weights that lead into a unit j after `equations`."""
        if not self.max_norm:
            return ()
        return ("W[:, j] = W[:, j] min(1, max_norm / ||W[:, j]||)",)

    def constants(self, equations: Iterable[str]) -> dict[str, float]:
        """The settings that are in equations, by name, without lr.

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
        """The kernels' name for the step, if they make it."""
        return ""

    @property
    def kept(self) -> tuple[str, ...]:
        """The names of the arrays that the step keeps, each as large as w."""
        return ()

    @property
    def schedule(self) -> Schedule | None:
        """How the learning rate changes, if it does."""
        return self.lr if isinstance(self.lr, Schedule) else None

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the arrays that weights and biases keep together."""
        own, theirs = self.kept, self._of_biases()[0].kept
        return own if len(own) >= len(theirs) else theirs

    def start(self, state: str) -> float:
        """What every element of that array begins as."""
        return 0.0

    def both(self) -> tuple[Self, Self]:
        """The settings of the weights and of the biases."""
        return self, self._of_biases()[0]

    def groups(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the kernels are told for the weights and for the biases."""
        return self._groups

    @cached_property
    def _groups(self) -> tuple[dict[str, Any], dict[str, Any]]:
        biases, factor = self._of_biases()
        return self._group(1.0), biases._group(factor)

    def _group(self, lr_factor: float) -> dict[str, Any]:
        told: dict[str, Any] = {name: getattr(self, name, 0.0) for name in NUMBERS}
        told |= {name: getattr(self, name, False) for name in FLAGS}
        # Never larger than any number of either dtype that a gradient may be.
        told["clip_value"] = self.clip_value or float("inf")
        return told | {"rule": self.rule, "lr_factor": lr_factor}

    def _of_biases(self) -> tuple[Self, float]:
        """The settings of the biases, and the factor of their learning rate."""
        if not self.biases:
            return self, 1.0
        others = dict(self.biases)
        factor = checks.number(
            "biases['lr_factor']", others.pop("lr_factor", 1.0), least=0.0
        )
        numbers = [
            setting.name
            for setting in dataclasses.fields(self)
            if isinstance(setting.default, float) and setting.metadata
        ]
        spans = {setting.name: setting.metadata for setting in dataclasses.fields(self)}
        for name, value in others.items():
            checks.one_of("a setting in biases", name, [*numbers, "lr_factor"])
            checks.number(f"biases[{name!r}]", value, **spans[name])
        return self.replace(biases=(), **others), factor


def _pairs(biases: object) -> tuple[tuple[str, float], ...]:
    """The mapping as something immutable."""
    if isinstance(biases, tuple) and all(  # as it is kept
        isinstance(pair, tuple) and len(pair) == 2 for pair in biases
    ):
        return biases
    if not isinstance(biases, Mapping):
        raise TypeError(
            "biases must be a mapping such as {'weight_decay': 0.0}; "
            f"got {type(biases).__name__}"
        )
    return tuple(sorted(biases.items(), key=lambda pair: str(pair[0])))
