"""CustomLoss: a user's function as a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import reject_masked
from bpcore.errstate import callers_errstate, own_errstate
from bpcore.fields import BOOLEAN
from bpcore.losses.base import Loss
from bpcore.losses.target_kind import TargetKind
from bpcore.quoting import quoted

Array = NDArray[Any]

#: loss(a, y) returns the values of the samples and their derivatives, or a Variable.
LossFunction = Callable[[Any, Array], Any]


class Expression(Protocol):
    """The interface of ``bpcore.graph.Variable`` that a loss uses."""

    def __init__(self, value: Array) -> None: ...

    @property
    def value(self) -> Array: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def grad(self) -> Array | None: ...

    def backward(self, gradient: Any) -> None: ...


@dataclass(frozen=True)
class CustomLoss(Loss):
    """A user's function as a loss.

    Parameters
    ----------
    function : callable
        ``function(a, y)``, with outputs a (n, n_L) and the converted targets y,
        (n, n_L) or integer labels (n,).  It returns the values (n,) and their
        derivatives by a, (n, n_L).  Or it is an expression of ``bpcore.graph``: a is a
        ``Variable``, and it returns a ``Variable`` of shape (n,), or of one number, the
        mean over the rows.

    Notes
    -----
    The first call, with arrays, finds out which kind the function is.  If it does not
    return a pair, or raises TypeError or AttributeError, it is called again, with a
    ``Variable``.

    A value may depend on other rows (a root mean square depends on all of them), so
    ``Network.evaluate``, validation and LBFGS compute the values of all rows in one
    call; with gradient accumulation, a step uses the mean of the gradients of its
    mini-batches.
    """

    name = "custom"
    formula = "the user's function of a and y"
    by_a = "dE_i/da by the user's function"
    labels = True
    classes = True
    #: Returns the class ``Variable``.  ``bpcore`` sets it, since the graph imports this
    #: package and is loaded only when a loss needs it.
    variable_class: ClassVar[Callable[[], type[Expression]]]

    function: LossFunction
    #: Whether it is an expression of the graph; None before the first call.
    is_graph: bool | None = field(
        default=None, init=False, repr=False, compare=False, metadata=BOOLEAN
    )

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(
                f"function must be a callable f(a, y); got {quoted(self.function)}"
            )
        super().__post_init__()

    def value(self, output: str) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"the user's function {name}(a, y)"

    def target_kind(self, output: str) -> TargetKind:
        several = output in ("sigmoid", "hard_sigmoid")
        threshold = super().target_kind(output).threshold
        return TargetKind(several, threshold, soft=output == "softmax")

    def weighted(
        self, a: Array, y: Array, weight: Array, scale: float
    ) -> tuple[Array, Array]:
        """w E (n,) and scale w dE/da (n, n_L), from the values of the function.

        Parameters
        ----------
        weight : array (n,)
            w of each row; the value of a row of weight 0 may be infinite or NaN.
        scale : float
            1 / n for the mean over a mini-batch.
        """
        outputs, result = self._evaluate(a, y)
        return _weighted(a, weight, scale, outputs, result)

    def _call(self, a: Any, y: Array) -> Any:
        with callers_errstate():
            return self.function(a, y)

    def _evaluate(self, a: Array, y: Array) -> tuple[Expression | None, Any]:
        """The outputs as a variable, None for a function of arrays; and the result."""
        if self.is_graph is False:
            return None, self._call(a, y)
        reason: Exception | None = None
        got = ""
        if self.is_graph is None:
            try:
                result = self._call(a.copy(), y.copy())
            except (TypeError, AttributeError) as error:
                reason, got = error, f"raised {type(error).__name__}"
            else:
                if isinstance(result, tuple) and len(result) == 2:
                    object.__setattr__(self, "is_graph", False)
                    return None, result
                got = f"returned {type(result).__name__}"
        Variable = CustomLoss.variable_class()
        outputs = Variable(a)
        try:
            result = self._call(outputs, y)
        except Exception as error:
            if got:
                error.add_note(f"loss(a, y) was called with arrays first, and {got}")
            if reason is not None:
                raise error from reason
            raise
        if not isinstance(result, Variable):
            raise TypeError(
                "loss(a, y) must return (values per sample, d value / d a) of arrays, "
                f"or a Variable of a Variable; got {type(result).__name__}"
            ) from reason
        object.__setattr__(self, "is_graph", True)
        return outputs, result


@own_errstate
def _weighted(
    a: Array, weight: Array, scale: float, outputs: Expression | None, result: Any
) -> tuple[Array, Array]:
    """`CustomLoss.weighted`, from the result of the function."""
    counts = weight > 0
    if outputs is None:
        E, d = _pair(result, a)
        factors = (weight * scale).astype(a.dtype)[:, None]
        delta = np.where(counts[:, None], d, 0) * factors
    else:
        E, d = _differentiated(result, outputs, weight, scale)
        # In a row of weight 0, 0 times infinity is NaN; finite elements are derivatives
        # of the values of other rows.
        delta = np.where(counts[:, None] | np.isfinite(d), d, 0)
    E = np.where(counts, np.where(counts, E, 0) * weight, 0.0)
    return E, np.ascontiguousarray(delta, a.dtype)


def _pair(result: Any, a: Array) -> tuple[Array, Array]:
    """The values and derivatives that the function returned, checked."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            "loss(a, y) must return (values per sample, d value / d a); "
            f"got {type(result).__name__}"
        )
    E, d = _numbers(result[0], np.float64), _numbers(result[1], a.dtype)
    if E.shape != (len(a),) or d.shape != a.shape:
        raise ValueError(
            f"loss(a, y) must return arrays of shapes ({len(a)},) and {a.shape}; "
            f"got {E.shape} and {d.shape}"
        )
    return E, d


def _differentiated(
    J: Expression, a: Expression, weight: Array, scale: float
) -> tuple[Array, Array]:
    """The value of every sample, and d (scale sum w J) / da, through the graph of J.

    The weights are in the seed of the backward pass, which is also correct if a value
    of J depends on several rows.
    """
    n = len(a.value)
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
    seed = weight if J.shape else weight.sum()
    J.backward(seed * scale)
    if a.grad is None:
        raise ValueError("loss(a, y) must depend on a; got a Variable that does not")
    return np.broadcast_to(J.value, n).astype(np.float64), a.grad


def _numbers(result: Any, dtype: Any) -> Array:
    """The function's result as an array of real numbers."""
    reject_masked("values and derivatives of the loss", result)
    try:
        array = np.asarray(result)
    except ValueError:
        raise ValueError(
            "loss(a, y) must return regular arrays of real numbers; "
            f"got a ragged {type(result).__name__}"
        ) from None
    if array.dtype.kind not in "fiub":
        got = type(result).__name__ if array.ndim == 0 else f"dtype {array.dtype}"
        raise TypeError(f"loss(a, y) must return real numbers; got {got}")
    return array.astype(dtype, copy=False)
