"""Losses by name: what each measures and which outputs and targets it goes with.

Every loss is one number E_i per sample.  That of a mini-batch is their mean over its
rows, sum(E_i) / n, or with weights (``sample_weight`` times ``class_weight``)
sum(weight * E_i) / n.  The arithmetic is in ``csrc/losses.h`` and, readable, in
``reference.losses``; the formulas are with each loss (`Loss.formula`).

A loss is given by its name, by an object such as ``Huber(delta=0.5)`` where its setting
is another than the default, or as any callable ``loss(a, y)`` that returns the values
of the samples, (n,), and their derivatives by the outputs, (n, n_L), or the values
alone as an expression of ``bpcore.graph``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.errstate import callers_errstate, own_errstate

if TYPE_CHECKING:
    from bpcore.graph.variable import Variable

__all__ = [
    "CLASSES",
    "LOSSES",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "CustomLoss",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunction",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "SquaredError",
    "TargetKind",
    "as_targets",
]

Array = NDArray[Any]

#: loss(a, y) -> the values of the samples and their derivatives by a, or a Variable.
LossFunction = Callable[[Any, Array], Any]


#: Activations whose outputs lie about 0.
SIGNED = ("tanh", "hard_tanh", "softsign")


@dataclass(frozen=True)
class TargetKind:
    """What the targets of a sample mean, for class metrics, class weights and splits.

    Attributes
    ----------
    several : bool
        Whether each of several outputs is a label of its own, which a sample has or has
        not.  Else a sample has one class: the place of its largest target.
    threshold : float
        A label, or class 1 of one output, is present where a target or an output is
        above this.
    soft : bool
        Whether a target between 0 and 1 is the share of a class, or of a label.
    """

    several: bool = False
    threshold: float = 0.5
    soft: bool = False

    def classes(self, rows: Array) -> NDArray[np.int64]:
        """The class of each sample, of targets or outputs (n, n_L), or of labels (n,).

        Labels themselves; of one output 1 above the threshold and else 0; of several
        the place of the largest, the first of equals.
        """
        if rows.ndim == 1:
            return rows
        if rows.shape[1] > 1:
            return rows.argmax(axis=1)
        return (rows[:, 0] > self.threshold).astype(np.int64)


#: One class per sample: class labels, or shares of the classes.
CLASSES = TargetKind()


@dataclass(frozen=True)
class Loss:
    """One loss function.

    Attributes
    ----------
    name : str
    output : str
        The activation of the output layer that goes with it by default.
    outputs : tuple of str, or None
        The only output activations it is defined with; None for any.
    labels : bool
        Whether integer class labels are taken for targets.
    classes : bool
        Whether targets tell classes, which may have weights.
    least, most : float
        What targets lie between.
    signs : bool
        Whether targets are -1 or 1.
    formula : str
        E_i, the loss of one sample, in terms of a and y: as in Python, with ^ for
        powers; sum and mean are over the n_L outputs.
    by_a : str
        dE_i/da, likewise.
    by_z : str
        dE_i/dz, where the output activation is within the loss.
    symbols : dict of str to str
        The settings that are in these formulas: symbol, and name of the setting.
    definitions : dict of str to str
        What else is in them: symbol, and its formula.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.LOSSES["squared_error"].formula, bp.LOSSES["squared_error"].by_a
    ('sum((a - y)^2) / 2', 'a - y')
    >>> loss = bp.Huber(delta=0.5)
    >>> loss.formula
    'mean(where(abs(a - y) <= c, (a - y)^2 / 2, c * (abs(a - y) - c / 2)))'
    >>> loss.by_a, loss.symbols, loss.constants
    ('clip(a - y, -c, c) / n_L', {'c': 'delta'}, {'c': 0.5})
    """

    name: ClassVar[str]
    output: ClassVar[str] = "identity"
    outputs: ClassVar[tuple[str, ...] | None] = None
    labels: ClassVar[bool] = False
    classes: ClassVar[bool] = False
    least: ClassVar[float] = -inf
    most: ClassVar[float] = inf
    signs: ClassVar[bool] = False
    formula: ClassVar[str] = ""
    by_a: ClassVar[str] = ""
    by_z: ClassVar[str] = ""
    symbols: ClassVar[dict[str, str]] = {}

    def target_kind(self, output: str) -> TargetKind:
        """What its targets mean with this output activation."""
        return TargetKind(threshold=0.0 if output in SIGNED else 0.5)

    def value(self, output: str) -> str:
        """`formula` with this output activation and these settings."""
        return self.formula

    def derivatives(self, output: str) -> tuple[str, str]:
        """`by_a` and `by_z` with this output activation and these settings."""
        return self.by_a, self.by_z

    @property
    def definitions(self) -> dict[str, str]:
        """What else is in the formulas: symbol, and its formula."""
        return {}

    @property
    def constants(self) -> dict[str, float]:
        """The value of each of `symbols`."""
        return {symbol: getattr(self, name) for symbol, name in self.symbols.items()}

    @own_errstate
    def by_outputs(self, a: Array, y: Array) -> Array:
        """dE/da (n, n_L), where the output activation is within the loss.

        That is a limit where an output is 0 or 1.  Of other losses the kernels have it.
        """
        return -_quotient(y, a)

    @property
    def setting(self) -> float:
        """The number that the kernel takes as its setting, 0 if none."""
        return 0.0

    def kernel(self, output: str) -> str:
        """The kernels' name for it with this output activation."""
        return self.name

    def takes_z(self, output: str) -> bool:
        """Whether it is computed from z, with the output activation within."""
        return self.outputs is not None


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


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """-sum(y' log(a)) of softmax outputs, of smoothed targets y'.

    ::

        y' = (1 - label_smoothing) y + label_smoothing / n_L

    Parameters
    ----------
    label_smoothing : float
        At least 0 and below 1: a share of the target that is spread over all n_L
        classes (Szegedy et al. 2016), as in ``torch.nn.CrossEntropyLoss``.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([4, 8, 3], loss=bp.CrossEntropy(label_smoothing=0.1))
    """

    name = "cross_entropy"
    output = "softmax"
    outputs = ("softmax",)
    labels = True
    classes = True
    least, most = 0.0, 1.0

    formula = "-sum(y * log(a))"
    by_a = "-y / a"
    by_z = "a * sum(y) - y"
    symbols: ClassVar[dict[str, str]] = {"label_smoothing": "label_smoothing"}

    label_smoothing: float = 0.0

    def target_kind(self, output: str) -> TargetKind:
        return TargetKind(soft=True)

    def value(self, output: str) -> str:
        return self._smoothed(self.formula)

    def derivatives(self, output: str) -> tuple[str, str]:
        return self._smoothed(self.by_a), self._smoothed(self.by_z)

    @property
    def definitions(self) -> dict[str, str]:
        smoothed = "(1 - label_smoothing) * y + label_smoothing / n_L"
        return {"y'": smoothed} if self.label_smoothing else {}

    @property
    def constants(self) -> dict[str, float]:
        return super().constants if self.label_smoothing else {}

    def _smoothed(self, formula: str) -> str:
        """Of the smoothed targets y' in place of y."""
        return formula.replace("y", "y'") if self.label_smoothing else formula

    @own_errstate
    def by_outputs(self, a: Array, y: Array) -> Array:
        if y.ndim == 1:
            y = np.eye(a.shape[1], dtype=a.dtype)[y]
        share = self.label_smoothing
        return -_quotient((1 - share) * y + share / a.shape[1], a)

    def __post_init__(self) -> None:
        _check(self, "label_smoothing", least=0.0, below=1.0)

    @property
    def setting(self) -> float:
        return self.label_smoothing


class BinaryCrossEntropy(Loss):
    """-sum (y log(a) + (1 - y) log(1 - a)) of sigmoid outputs."""

    name = "binary_cross_entropy"
    output = "sigmoid"
    outputs = ("sigmoid",)
    classes = True
    least, most = 0.0, 1.0
    formula = "-sum(y * log(a) + (1 - y) * log(1 - a))"
    by_a = "(1 - y) / (1 - a) - y / a"
    by_z = "a - y"

    def target_kind(self, output: str) -> TargetKind:
        return TargetKind(several=True, soft=True)

    @own_errstate
    def by_outputs(self, a: Array, y: Array) -> Array:
        return _quotient(1 - y, 1 - a) - _quotient(y, a)


class MeanAbsoluteError(Loss):
    """Mean over the outputs of |a - y|, as ``torch.nn.L1Loss``."""

    name = "mean_absolute_error"
    formula = "mean(abs(a - y))"
    by_a = "sign(a - y) / n_L"


@dataclass(frozen=True)
class Huber(Loss):
    """Mean of d^2 / 2 where |d| <= c, else c (|d| - c / 2), with d = a - y.

    `formula` calls the setting c, since delta is the name of dE/dz.

    Parameters
    ----------
    delta : float
        c, the distance from which on the loss grows linearly, above 0.

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

    delta: float = 1.0

    def __post_init__(self) -> None:
        _check(self, "delta", above=0.0)

    @property
    def setting(self) -> float:
        return self.delta


@dataclass(frozen=True)
class Quantile(Loss):
    """Mean of max(q d, (q - 1) d) with d = y - a: a then estimates the quantile q of y.

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

    q: float = 0.5

    def __post_init__(self) -> None:
        _check(self, "q", above=0.0, below=1.0)

    @property
    def setting(self) -> float:
        return self.q


class LogCosh(Loss):
    """Mean over the outputs of log(cosh(a - y))."""

    name = "log_cosh"
    formula = "mean(log(cosh(a - y)))"
    by_a = "tanh(a - y) / n_L"


class Hinge(Loss):
    """Mean of max(0, 1 - y a) for targets y of -1 and 1."""

    name = "hinge"
    classes = True
    least, most = -1.0, 1.0
    signs = True
    formula = "mean(max(0, 1 - y * a))"
    by_a = "where(y * a < 1, -y, 0) / n_L"

    def target_kind(self, output: str) -> TargetKind:
        return TargetKind(several=True, threshold=0.0)


class Poisson(Loss):
    """Mean of a - y log(a), a the rate of a Poisson distribution and y a count.

    With the output "exp" that is the log link: exp(z) - y z.  With others, which must
    stay positive (softplus), it is the identity link, with log(a + 1e-8).  As
    ``torch.nn.PoissonNLLLoss``.
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
        return (1 - _quotient(y, a)) / a.shape[1]

    @property
    def setting(self) -> float:
        return 1e-8

    def kernel(self, output: str) -> str:
        return "poisson_of_log" if output == "exp" else "poisson"

    def takes_z(self, output: str) -> bool:
        return output == "exp"


class KLDivergence(Loss):
    """Sum of y (log(y) - log(a)) of softmax outputs, as ``torch.nn.KLDivLoss``.

    Where y is 0, so is its term.
    """

    name = "kl_divergence"
    output = "softmax"
    outputs = ("softmax",)
    least, most = 0.0, 1.0
    formula = "sum(y * (log(y) - log(a)))"
    by_a = "-y / a"
    by_z = "a * sum(y) - y"


@dataclass(frozen=True)
class CustomLoss(Loss):
    """A function of the user's.

    Parameters
    ----------
    function : callable
        ``function(a, y)`` gets outputs (n, n_L), and targets as the network took them,
        (n, n_L) or integer labels (n,); it returns the values (n,) and their
        derivatives by a, (n, n_L).  Or it is an expression of ``bpcore.graph``: it gets
        the outputs as a ``Variable``, and returns one of shape (n,), or one number, the
        mean over the rows.

    Notes
    -----
    Which kind it is shows when it is first asked, with arrays.  If it does not return a
    pair, or raises TypeError or AttributeError, it is asked again, with a ``Variable``.

    The values need not be those of each row by itself (a root mean square is of all),
    so ``Network.evaluate``, validation and LBFGS compute them of all rows at once;
    steps that accumulate take the mean of the gradients of their mini-batches.
    """

    name = "custom"
    formula = "the user's function of a and y"
    by_a = "dE_i/da by the user's function"
    labels = True
    classes = True

    function: LossFunction
    #: Whether it is an expression of the graph, once that is known.
    is_graph: bool | None = field(default=None, init=False, repr=False, compare=False)

    def value(self, output: str) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"the user's function {name}(a, y)"

    def target_kind(self, output: str) -> TargetKind:
        several = output in ("sigmoid", "hard_sigmoid")
        threshold = super().target_kind(output).threshold
        return TargetKind(several, threshold, soft=output == "softmax")

    def weighted(
        self, a: Array, y: Array, weight: Array, share: float
    ) -> tuple[Array, Array]:
        """w E (n,), and share w dE/da (n, n_L), of what the function answers."""
        return self._weigh(a, weight, share, *self._ask(a, y))

    @own_errstate
    def _weigh(
        self, a: Array, weight: Array, share: float, outputs: Any, answer: Any
    ) -> tuple[Array, Array]:
        counts = weight > 0
        if outputs is None:
            E, d = _pair(answer, a)
            shares = (weight * share).astype(a.dtype)[:, None]
            delta = np.where(counts[:, None], d, 0) * shares
        else:
            E, d = _differentiated(answer, outputs, weight, share)
            # 0 times infinity; what is finite it owes to rows that it is coupled with.
            delta = np.where(counts[:, None] | np.isfinite(d), d, 0)
        # A row that does not count may have any loss, an infinite one too.
        E = np.where(counts, np.where(counts, E, 0) * weight, 0.0)
        return E, np.ascontiguousarray(delta, a.dtype)

    def _call(self, a: Any, y: Array) -> Any:
        with callers_errstate():
            return self.function(a, y)

    def _ask(self, a: Array, y: Array) -> tuple[Variable | None, Any]:
        """The outputs as a variable, None if it takes arrays; and what it answers."""
        if self.is_graph is False:
            return None, self._call(a, y)
        reason: Exception | None = None
        got = ""
        if self.is_graph is None:
            try:
                answer = self._call(a.copy(), y.copy())
            except (TypeError, AttributeError) as error:
                reason, got = error, f"raised {type(error).__name__}"
            else:
                if isinstance(answer, tuple) and len(answer) == 2:
                    object.__setattr__(self, "is_graph", False)
                    return None, answer
                got = f"returned {type(answer).__name__}"
        from bpcore.graph.variable import Variable

        outputs = Variable(a)
        try:
            answer = self._call(outputs, y)
        except Exception as error:
            if got:
                error.add_note(f"loss(a, y) was asked with arrays first, and {got}")
            if reason is not None:
                raise error from reason
            raise
        if not isinstance(answer, Variable):
            raise TypeError(
                "loss(a, y) must return (values per sample, d value / d a) of arrays, "
                f"or a Variable of a Variable; got {type(answer).__name__}"
            ) from reason
        object.__setattr__(self, "is_graph", True)
        return outputs, answer


def _pair(answer: Any, a: Array) -> tuple[Array, Array]:
    """The values and derivatives that a function answered."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError(
            "loss(a, y) must return (values per sample, d value / d a); "
            f"got {type(answer).__name__}"
        )
    E, d = _numbers(answer[0], np.float64), _numbers(answer[1], a.dtype)
    if E.shape != (len(a),) or d.shape != a.shape:
        raise ValueError(
            f"loss(a, y) must return arrays of shapes ({len(a)},) and {a.shape}; "
            f"got {E.shape} and {d.shape}"
        )
    return E, d


def _differentiated(
    J: Variable, a: Variable, weight: Array, share: float
) -> tuple[Array, Array]:
    """The value of every sample, and d (share sum w J) / da, by the graph of J.

    The weights are in the seed, which is right where J couples rows too.
    """
    n = len(a)
    if J.shape not in ((n,), ()):
        raise ValueError(
            f"loss(a, y) must return a Variable of shape ({n},), a value for every "
            f"sample, or of shape (), their mean; got {J.shape}"
        )
    if J.shape == () and (weight != weight[0]).any():
        raise ValueError(
            "loss(a, y) must return one value per sample, shape (n,), where samples "
            "have different weights; got one number for all"
        )
    seed = weight if J.ndim else weight.sum()
    J.backward(seed * share)
    if a.grad is None:
        raise ValueError("loss(a, y) must depend on a; got a Variable that does not")
    return np.broadcast_to(J.value, n).astype(np.float64), a.grad


def _quotient(y: Array, a: Array) -> Array:
    """y / a, and 0 where y is, however small a has become."""
    return np.where(y == 0, 0, y / a)


def _numbers(answer: Any, dtype: Any) -> Array:
    """What a function answered as an array."""
    try:
        array = np.asarray(answer)
    except ValueError:
        raise ValueError(
            "loss(a, y) must return regular arrays of real numbers; "
            f"got a ragged {type(answer).__name__}"
        ) from None
    if array.dtype.kind not in "fiub":
        got = type(answer).__name__ if array.ndim == 0 else f"dtype {array.dtype}"
        raise TypeError(f"loss(a, y) must return real numbers; got {got}")
    return array.astype(dtype, copy=False)


def _check(loss: Loss, name: str, **bounds: float) -> None:
    """Check and convert a setting of a loss."""
    value = checks.number(name, getattr(loss, name), **bounds)
    object.__setattr__(loss, name, value)


def as_targets(
    name: str, value: ArrayLike, n: int, n_out: int, loss: Loss, dtype: np.dtype[Any]
) -> Array | NDArray[np.int64]:
    """Targets of n samples: labels (n,) where the loss takes them, or (n, n_out).

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.losses import LOSSES, as_targets
    >>> as_targets("y", [0, 2], 2, 3, LOSSES["cross_entropy"], np.dtype("float32"))
    array([0, 2])
    """
    array = arrays.as_array(name, value)
    if loss.labels and array.ndim == 1 and n_out > 1:
        if array.shape == (n,) and array.dtype.kind not in "iub":
            raise TypeError(
                f"{name} of shape ({array.size},) must hold integer labels for "
                f"{loss.name}; got dtype {array.dtype}"
            )
        return arrays.as_labels(name, array, n, n_out)
    targets = arrays.as_finite(name, array, dtype)
    if n_out == 1 and targets.ndim == 1:
        targets = targets.reshape(-1, 1)
    if targets.shape != (n, n_out):
        labels = f" or ({n},) for labels" if loss.labels else ""
        if not labels and array.shape == (n,) and array.dtype.kind in "iu":
            labels = " (labels need loss='cross_entropy')"
        raise ValueError(
            f"{name} must have shape ({n}, {n_out}){labels}; got {array.shape}"
        )
    flat = targets.reshape(-1)
    if loss.signs and not (np.abs(flat) == 1).all():
        raise ValueError(
            f"{name} must be -1 or 1 for {loss.name}; got {flat[np.abs(flat) != 1][0]}"
        )
    if loss.least > -inf and not arrays.all_between(flat, loss.least, loss.most):
        span = f"lie in {loss.least:g} .. {loss.most:g}"
        if loss.most == inf:
            span = f"be at least {loss.least:g}"
        raise ValueError(
            f"{name} must {span} for {loss.name}; got values from {targets.min()} to "
            f"{targets.max()}"
        )
    return targets


#: Every loss by name, with its default setting.
LOSSES: dict[str, Loss] = {
    loss.name: loss()
    for loss in (
        SquaredError,
        MeanSquaredError,
        CrossEntropy,
        BinaryCrossEntropy,
        MeanAbsoluteError,
        Huber,
        Quantile,
        LogCosh,
        Hinge,
        Poisson,
        KLDivergence,
    )
}

#: The loss that goes with an output activation by default, where not squared_error.
DEFAULT_LOSS: dict[str, str] = {
    "softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "exp": "poisson",
}
