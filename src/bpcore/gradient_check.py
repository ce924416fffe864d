"""Gradient check: backpropagation compared with central differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import checks
from bpcore.batches.weights import ClassWeight
from bpcore.errstate import own_errstate
from bpcore.network import Network, learner_of
from bpcore.show.html import page, table
from bpcore.show.table import ROWS, ends
from bpcore.training.differences import Differences
from bpcore.training.inputs import differentiable_batch


@dataclass(frozen=True)
class Worst:
    """The derivative with the largest error.

    Attributes
    ----------
    name : str
        Its parameter, such as ``W[1][3, 2]``, or element of X.
    backpropagation, numerical : float
        The derivative by backpropagation and by central difference.
    error : float
        Their difference, relative to the largest element of the array.
    """

    name: str
    backpropagation: float
    numerical: float
    error: float


@dataclass(frozen=True)
class GradientCheck:
    """Errors of gradients, compared with central differences.

    Attributes
    ----------
    errors : dict of str to float
        For W[0], b[0], gain[0], ..., scale (of the inputs) and X: the largest
        difference of an element, relative to the largest element of that array.
    zero : tuple of str
        The arrays whose gradient is all zero, so that nothing was checked.
    worst : Worst or None
        The element with the largest error; None if all gradients are zero.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([2, 3, 1], activation="tanh", dtype="float64", rng=0)
    >>> check = bp.check_gradients(net, [[0.0, 1.0]], [[1.0]])
    >>> check.largest < 1e-6, list(check.errors)
    (True, ['W[0]', 'b[0]', 'W[1]', 'b[1]', 'X'])
    """

    errors: dict[str, float]
    zero: tuple[str, ...]
    worst: Worst | None = None

    @property
    def largest(self) -> float:
        """The largest of the errors."""
        return self.worst.error if self.worst else 0.0

    def __repr__(self) -> str:
        lines = [f"{name:>8}  {error}".rstrip() for name, error in self._rows()]
        if worst := self.worst:
            lines += [
                f"worst: {worst.name}, off by {worst.error:.1e}",
                f"    backpropagation  {worst.backpropagation: .12e}",
                f"    numerical        {worst.numerical: .12e}",
            ]
        return "\n".join(["relative error of the gradients", *lines])

    def _repr_html_(self) -> str:
        parts = [table((), self._rows(), "relative error of the gradients")]
        if worst := self.worst:
            rows = [
                ("backpropagation", f"{worst.backpropagation:.12e}"),
                ("numerical", f"{worst.numerical:.12e}"),
            ]
            caption = f"worst: {worst.name}, off by {worst.error:.1e}"
            parts.append(table((), rows, caption))
        return page(*parts)

    def _rows(self) -> list[tuple[str, str]]:
        """The name and the error of each array; of many the first and the last."""
        rows = [(name, f"{error:.1e}") for name, error in self.errors.items()]
        rows += [(name, "all zero: nothing checked") for name in self.zero]
        first, last = ends(len(rows), ROWS)
        if last:  # many arrays, in a deep network
            rows[first.stop : last.start] = [("...", "")]
        return rows


def check_gradients(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    *,
    step: float = 1e-6,
) -> GradientCheck:
    """Compare a network's gradients with central differences of its loss.

    The loss is that of the next training step: with its dropout and input noise, and
    the moments of the mini-batch.

    Parameters
    ----------
    network : Network
        Not changed; the differences are computed with a float64 copy.
    X, y, sample_weight, class_weight
        One mini-batch, as for ``Network.train_step``.  Each parameter and each element
        of X costs two evaluations of the loss.
    step : float
        Step h of a central difference; relative for parameters larger than 1.

    Returns
    -------
    GradientCheck
        The relative error of the gradient of each parameter array and of X, and the
        element with the largest error.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described.
    DivergenceError
        If the loss is not finite, for these parameters or with one changed by a step.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> net = bp.Network([3, 4, 2], activation="tanh", dtype="float64", rng=0)
    >>> check = bp.check_gradients(net, np.eye(3), [[1.0, 0.0]] * 3)
    >>> check.largest < 1e-6, check.zero
    (True, ())
    >>> check.worst.name in repr(check)
    True
    """
    checks.instance("network", network, Network)
    step = checks.number("step", step, above=0.0)
    gradients = network.gradients(X, y, sample_weight, class_weight)
    learner = learner_of(network)
    batch = differentiable_batch(learner, X, y, sample_weight, class_weight)
    differences = Differences(learner)
    flat = learner.design.layout.views(differences.by_parameters(batch, step))
    pairs: dict[str, tuple[Any, Any]] = {}
    for l in range(len(network.weights)):
        pairs[f"W[{l}]"] = gradients.weights[l], flat.weights[l]
        pairs[f"b[{l}]"] = gradients.biases[l], flat.biases[l]
        if network.norms[l]:
            pairs[f"gain[{l}]"] = gradients.gains[l], flat.gains[l]
    if flat.scale is not None:
        pairs["scale"] = gradients.input_scale, flat.scale
    pairs["X"] = gradients.input, differences.by_input(batch, step)
    found, zero = {}, []
    for name, (exact, numerical) in pairs.items():
        if exact.any() or numerical.any():
            found[name] = _worst(name, exact, numerical)
        else:
            zero.append(name)
    return GradientCheck(
        {name: worst.error for name, worst in found.items()},
        tuple(zero),
        _largest(list(found.values())),
    )


def _largest(found: list[Worst]) -> Worst | None:
    """The largest error; NaN counts as the largest."""
    if not found:
        return None
    return found[int(np.argmax([worst.error for worst in found]))]


@own_errstate
def _worst(name: str, exact: NDArray[Any], numerical: NDArray[np.float64]) -> Worst:
    """The element of one array with the largest error."""
    scale = np.fmax(np.abs(exact), np.abs(numerical)).max()
    errors = np.abs(exact - numerical) / scale  # NaN where one is not finite
    at = np.unravel_index(np.argmax(errors), errors.shape)
    return Worst(
        f"{name}[{', '.join(map(str, at))}]",
        float(exact[at]),
        float(numerical[at]),
        float(errors[at]),
    )
