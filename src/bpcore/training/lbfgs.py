"""L-BFGS over the flat parameters, by SciPy's implementation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.errors import DivergenceError
from bpcore.errstate import callers_errstate, own_errstate
from bpcore.interrupts import raise_if_stopped
from bpcore.optimizers import LBFGS
from bpcore.training.learner import Learner
from bpcore.training.record import Record

#: Most rows of one pass.
ROWS_AT_A_TIME = 1024


class _Callers(Exception):
    """Carries a StopIteration of a callback past SciPy, which would catch it."""


def penalty(learner: Learner) -> NDArray[np.float64]:
    """The weight decay of every parameter."""
    decay = np.zeros(learner.state.parameters.size)
    parts = learner.design.layout.views(decay)
    for_weights, for_biases = learner.state.optimizer.both()
    for W, b, gain in zip(parts.weights, parts.biases, parts.gains, strict=True):
        W[...], b[...] = for_weights.weight_decay, for_biases.weight_decay
        if gain is not None:
            gain[...] = for_biases.weight_decay
    if parts.scale is not None:
        parts.scale[...] = for_biases.weight_decay
    return decay


def free_parameters(learner: Learner) -> NDArray[np.bool_]:
    """Whether each parameter is trained: not frozen, and its factor of the rate not 0.

    Other factors have no effect, since there is no learning rate.
    """
    state, layout = learner.state, learner.design.layout
    free = np.ones(state.parameters.size, np.bool_)  # the scale of the inputs too
    parts = layout.views(free)
    for W, b, gain, (of_W, of_b) in zip(
        parts.weights, parts.biases, parts.gains, state.lr_factors, strict=True
    ):
        W[...], b[...] = of_W != 0, of_b != 0
        if gain is not None:
            gain[...] = of_b != 0
    return free & ~layout.per_parameter(state.fixed)


def loss_and_gradient(
    learner: Learner, data: Batch, moments: Real | None = None
) -> tuple[float, NDArray[np.float64]]:
    """Mean loss of all rows and its gradient, computed in parts that fit a cache.

    The moments of the rows for batch norm are written into `moments`.
    """
    engine, total = learner.engine, 0.0
    sums, part = (
        np.zeros(learner.state.parameters.size),
        np.empty_like(learner.state.parameters),
    )
    # Batch norm needs the moments of all rows, and a custom loss may couple them.
    whole = learner.design.joins_last or learner.design.custom_loss
    n = len(data)
    at_a_time = n if whole else min(ROWS_AT_A_TIME, n)
    for first in range(0, n, at_a_time):
        raise_if_stopped()
        rows = data.rows(slice(first, first + at_a_time))
        loss = engine.gradients(rows.X, rows.y, rows.weight, part, None, moments)
        sums += len(rows) * part
        total += len(rows) * loss
    return total / n, sums / n


def take_moments(learner: Learner, data: Batch) -> None:
    """Set the running moments to those of all rows."""
    if learner.state.moments.size:
        moments, n = np.empty_like(learner.state.moments), len(data)
        loss_and_gradient(learner, data, moments)
        exact = learner.design.layout.moments(moments)
        for running, of_rows, fixed in zip(
            learner.moments, exact, learner.state.fixed, strict=True
        ):
            if running is not None and not fixed:
                mean, variance = of_rows
                running[...] = mean, variance * n / (n - 1)


def minimizer() -> Any:
    """SciPy's `minimize`; its first import may take a second."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise ImportError(
            "LBFGS needs SciPy; install it, or take another optimizer"
        ) from None
    return minimize


class Iterations:
    """Iterations of L-BFGS.

    However they end, by an interrupt within a line search too, `put_back` sets the
    network to its state after the last recorded epoch.

    Parameters
    ----------
    learner : Learner
    data : Batch
    epochs : int
        Most iterations.
    record : Record
    end_epoch : callable
        ``end_epoch(loss, seconds)`` is called after each iteration, with the loss
        before it, and records it; it returns whether to stop.
    """

    def __init__(
        self,
        learner: Learner,
        data: Batch,
        epochs: int,
        record: Record,
        end_epoch: Callable[[float, float], bool],
    ) -> None:
        self.learner, self.data, self.epochs = learner, data, epochs
        self.record, self.end_epoch = record, end_epoch
        self.decay, self.free = penalty(learner), free_parameters(learner)
        #: The loss before this iteration, and the time at which it began.
        self.before, self.clock = math.nan, 0.0
        self.losses: dict[bytes, float] = {}  # by the points of this iteration
        self.epochs_before = learner.state.epochs - len(record)
        #: Points by the number of recorded epochs: the last one, and the next one while
        #: an epoch is recorded.
        self.reached = {len(record): self.point()}

    def point(self) -> tuple[Real, Real, int]:
        """The parameters, the running moments and the number of steps."""
        state = self.learner.state
        return state.parameters[self.free], state.moments.copy(), state.steps

    def put_back(self) -> None:
        """Set the network to its state after the last recorded epoch."""
        state, done = self.learner.state, len(self.record)
        state.parameters[self.free], state.moments[...], steps = self.reached[done]
        self.learner.engine.parameters_written()
        state.counters[0], state.epochs = steps, self.epochs_before + done

    def objective(self, x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The loss at a point, with the penalty, and its gradient."""
        w = self.move_to(x)
        loss, gradient = loss_and_gradient(self.learner, self.data)
        self.losses[x.tobytes()] = loss
        loss += 0.5 * float((self.decay * w * w)[self.free].sum())
        return loss, (gradient + self.decay * w)[self.free]

    def move_to(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Set the free parameters; returns all of them."""
        parameters = self.learner.state.parameters
        parameters[self.free] = x
        self.learner.engine.parameters_written()
        return parameters.astype(np.float64)

    def iteration(self, x: NDArray[np.float64]) -> None:
        """End an iteration at a point; raises StopIteration if it is the last one."""
        learner, epoch = self.learner, len(self.record)
        self.move_to(x)
        learner.state.counters[0] += 1
        learner.state.epochs += 1
        take_moments(learner, self.data)
        self.reached[epoch + 1] = self.point()
        try:
            seconds = time.perf_counter() - self.clock
            with callers_errstate():
                stop = self.end_epoch(self.before, seconds)
        except StopIteration as error:  # of a callback; SciPy would catch it
            raise _Callers(error) from None
        self.before = self.losses.get(x.tobytes(), self.before)
        self.clock = time.perf_counter()
        self.losses.clear()
        self.reached.pop(epoch, None)
        if stop:
            raise StopIteration

    @own_errstate
    def run(self) -> bool:
        """Up to `epochs` iterations; returns whether they have converged."""
        minimize = minimizer()
        settings = self.learner.state.optimizer
        assert isinstance(settings, LBFGS)
        start = self.learner.state.parameters[self.free].astype(np.float64)
        self.before = loss_and_gradient(self.learner, self.data)[0]
        self.clock = time.perf_counter()
        if not np.isfinite(self.before):
            raise DivergenceError(
                "the loss is not finite before epoch 1; nothing has changed", 1
            )
        options = {
            "maxiter": self.epochs,
            "maxfun": 20 * self.epochs,
            "maxcor": min(settings.history, self.epochs),  # their memory is reserved
            "gtol": settings.tolerance,
            "ftol": 0.0,
        }
        try:
            result = minimize(
                self.objective,
                start,
                jac=True,
                method="L-BFGS-B",
                callback=self.iteration,
                options=options,
            )
        except _Callers as error:
            raise error.args[0] from None
        return bool(result.status == 0 and result.nit < self.epochs)
