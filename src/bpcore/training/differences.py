"""Differences: training without backpropagation, by central differences of the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.errors import DivergenceError
from bpcore.interrupts import raise_if_stopped
from bpcore.numerical import CENTRAL_STEP, numerical_gradient
from bpcore.training.learner import Learner


class Differences:
    """Numerical derivatives of a learner's training loss, in a float64 copy of it.

    The loss is that of the network's next step, with its dropout, its noise and the
    moments of its mini-batch.

    Parameters
    ----------
    learner : Learner
        Changed by `run` only.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner, self.twin = learner, learner.astype(np.dtype(np.float64))

    def by_parameters(
        self, batch: Batch, eps: float = CENTRAL_STEP, *, frozen: bool = True
    ) -> NDArray[np.float64]:
        """dE/dw of all parameters, with E the mean loss of the mini-batch.

        Unless `frozen`, it is 0 for frozen layers, without computing it.
        """
        learner, twin = self.learner, self.twin
        self._follow()
        batch = batch.astype(np.float64)
        which: Any = slice(None)
        if not (frozen or all(learner.state.factors)):
            which = ~learner.design.layout.per_parameter(
                [factor == 0 for factor in learner.state.factors]
            )

        def loss(w: NDArray[np.float64]) -> float:
            raise_if_stopped()
            twin.state.parameters[which] = w
            return _finite(twin.training_loss(batch))

        gradient = np.zeros(twin.state.parameters.size)
        start = twin.state.parameters[which]
        gradient[which] = numerical_gradient(loss, start, eps, scaled=True)
        return gradient

    def by_input(self, batch: Batch, eps: float = CENTRAL_STEP) -> NDArray[np.float64]:
        """dE/dX, with E the mean loss of the mini-batch."""
        self._follow()
        batch = batch.astype(np.float64)

        def loss(X: NDArray[np.float64]) -> float:
            return _finite(self.twin.training_loss(Batch(X, batch.y, batch.weight)))

        return numerical_gradient(loss, batch.X, eps, scaled=True)

    def _follow(self) -> None:
        """Copy the learner's parameters and counters into the float64 copy."""
        state, twin = self.learner.state, self.twin.state
        if not arrays.all_finite(state.parameters):
            raise DivergenceError("the parameters are not finite: no differences")
        twin.parameters[...] = state.parameters
        twin.counters[...] = state.counters  # dropout and noise depend on them

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
        """Steps of the network; see `Stepper`.

        Every mini-batch makes a step, so `ends` has no effect.
        """
        learner, state = self.learner, self.learner.state
        data, before, made, begun = Batch(X, y, weight), state.steps, 0, 0
        while first < len(X) and (begun < most or not most):
            end = min(first + batch_size, len(X))
            if learner.design.joins_last and len(X) - end == 1:
                end = len(X)
            at = slice(first, end) if order is None else order[first:end]
            rate = None if rates is None else rates[min(made, len(rates) - 1)]
            try:
                loss = self._step(data.rows(at), rate)
            except DivergenceError:
                return first, total, divisor, False
            made = state.steps - before
            total, divisor = total + (end - first) * loss, divisor + (end - first)
            first, begun = end, begun + 1
            if progress is not None:
                progress(first)
        return first, total, divisor, True

    def _step(self, batch: Batch, rate: float | None) -> float:
        """One step; returns the loss before it.  No step, and 0, if no row weighs."""
        learner = self.learner
        if not batch.weighs:
            learner.skip()
            return 0.0
        moments = learner.new_moments()
        loss = _finite(learner.training_loss(batch, moments))
        if moments is not None:
            _finite(float(np.abs(moments).max()))
        gradient = self.by_parameters(batch, frozen=False)
        if rate is not None:
            learner.engine.lr = rate
        flat: Real = arrays.cast(gradient, learner.dtype)
        learner.engine.apply(flat, moments, len(batch))
        return loss


def _finite(loss: float) -> float:
    """The loss itself if it is finite; raises otherwise."""
    if not np.isfinite(loss):
        raise DivergenceError(f"the loss of this mini-batch is not finite: {loss}")
    return loss
