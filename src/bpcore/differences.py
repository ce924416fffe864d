"""Training without backpropagation: the gradient of the loss by central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import _validation as door
from bpcore.errors import DivergenceError
from bpcore.interrupts import raise_if_stopped
from bpcore.model.memory import Real
from bpcore.numerical import CENTRAL_STEP, numerical_gradient

if TYPE_CHECKING:
    from bpcore.data import Batch
    from bpcore.network import Network


class Differences:
    """Numerical derivatives of a network's training loss, in a float64 copy of it.

    The loss is that of the network's next step: with what drops out in it, its noise
    and its mini-batch's moments.

    Parameters
    ----------
    network : Network
        Left as it is, but by `run`.
    """

    def __init__(self, network: Network) -> None:
        self.network, self.twin = network, network.astype("float64")

    def by_parameters(
        self, batch: Batch, eps: float = CENTRAL_STEP, *, frozen: bool = True
    ) -> NDArray[np.float64]:
        """dE/dw of all parameters, or zero for the `frozen` ones if they are left out.

        E is the mean loss of the mini-batch, as the network's door lets it in.
        """
        network, twin = self.network, self.twin
        self._follow()
        batch = _as_float64(batch)
        which: Any = slice(None)
        if not (frozen or all(network._factors)):
            which = network._design.layout.per_parameter(network._factors) != 0

        def loss(w: NDArray[np.float64]) -> float:
            raise_if_stopped()
            twin.parameters[which] = w
            return _finite(twin._training_loss(*batch))

        gradient = np.zeros(twin.parameters.size)
        start = twin.parameters[which]
        gradient[which] = numerical_gradient(loss, start, eps, scaled=True)
        return gradient

    def by_input(self, batch: Batch, eps: float = CENTRAL_STEP) -> NDArray[np.float64]:
        """dE/dX, of the same."""
        self._follow()
        X, targets, weight = _as_float64(batch)

        def loss(X: NDArray[np.float64]) -> float:
            return _finite(self.twin._training_loss(X, targets, weight))

        return numerical_gradient(loss, X, eps, scaled=True)

    def _follow(self) -> None:
        """Let the copy be what the network is now."""
        network, twin = self.network, self.twin
        if not door.all_finite(network.parameters):
            raise DivergenceError("the parameters are not finite: no step aside")
        twin.parameters[...] = network.parameters
        twin._engine.seen = network._engine.seen  # of which dropout and noise are made

    def run(
        self,
        X: Any,
        y: Any,
        weight: Any,
        order: NDArray[np.int64] | None,
        batch_size: int,
        first: int,
        total: float,
        divisor: float,
        most: int,
        ends: bool,
        rates: NDArray[np.float64] | None,
        progress: Callable[[int], object] | None = None,
    ) -> tuple[int, float, float, bool]:
        """Steps of the network, as the engine's `run` makes them.

        Every mini-batch is a step, so `ends` has no say.
        """
        network, engine = self.network, self.network._engine
        before, made, begun = engine.steps, 0, 0
        while first < len(X) and (begun < most or not most):
            end = min(first + batch_size, len(X))
            if network._design.joins_last and len(X) - end == 1:
                end = len(X)
            at = slice(first, end) if order is None else order[first:end]
            batch = X[at], y[at], None if weight is None else weight[at]
            rate = None if rates is None else rates[min(made, len(rates) - 1)]
            try:
                loss = self._step(*batch, rate)
            except DivergenceError:
                return first, total, divisor, False
            made = engine.steps - before
            total, divisor = total + (end - first) * loss, divisor + (end - first)
            first, begun = end, begun + 1
            if progress is not None:
                progress(first)
        return first, total, divisor, True

    def _step(self, X: Any, y: Any, weight: Any, rate: float | None) -> float:
        """One step; returns the loss before it, 0 where all weights are 0: no step."""
        network, engine = self.network, self.network._engine
        if weight is not None and not weight.any():
            engine.seen += 1
            return 0.0
        moments = network._new_moments()
        loss = _finite(network._training_loss(X, y, weight, moments))
        if moments is not None:
            _finite(float(np.abs(moments).max()))
        gradient = self.by_parameters((X, y, weight), frozen=False)
        if rate is not None:
            engine.lr = rate
        flat: Real = door.in_dtype(gradient, network.dtype)
        engine.apply(flat, moments, len(X))
        return loss


def _as_float64(batch: Batch) -> Batch:
    """The same mini-batch for a float64 network; labels stay what they are."""
    X, y, weight = batch
    return X.astype(np.float64), y if y.ndim == 1 else y.astype(np.float64), weight


def _finite(loss: float) -> float:
    """The loss itself, if there is one to take a difference of."""
    if not np.isfinite(loss):
        raise DivergenceError(f"the loss of this mini-batch is not finite: {loss}")
    return loss
