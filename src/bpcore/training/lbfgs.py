"""L-BFGS over the flat parameters, by SciPy's implementation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.errors import DivergenceError
from bpcore.errstate import callers_errstate, own_errstate
from bpcore.interrupts import complete, raise_if_stopped
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


@own_errstate
def fit(
    learner: Learner,
    data: Batch,
    epochs: int,
    record: Record,
    end_epoch: Callable[[float, float], bool],
) -> bool:
    """Up to `epochs` iterations; returns whether they have converged.

    ``end_epoch(loss, seconds)`` is called after each, with the loss before it, and
    records it.  However the fit ends, by an interrupt within a line search too, the
    network is in its state after the last recorded epoch.
    """
    minimize = minimizer()
    settings = learner.state.optimizer
    assert isinstance(settings, LBFGS)
    decay = penalty(learner)
    free = free_parameters(learner)
    parameters = learner.state.parameters
    losses: dict[bytes, float] = {}  # by the points of this iteration

    def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters[free] = x
        learner.engine.parameters_written()
        loss, gradient = loss_and_gradient(learner, data)
        losses[x.tobytes()] = loss
        w = parameters.astype(np.float64)
        loss += 0.5 * float((decay * w * w)[free].sum())
        return loss, (gradient + decay * w)[free]

    def point() -> tuple[Real, Real, int]:
        return parameters[free], learner.state.moments.copy(), learner.state.steps

    def put_back() -> None:
        """Set the network to its state after the last recorded epoch."""
        parameters[free], learner.state.moments[...], steps = reached[len(record)]
        learner.engine.parameters_written()
        learner.state.counters[0] = steps
        learner.state.epochs = epochs_before + len(record)

    start = parameters[free].astype(np.float64)
    epochs_before = learner.state.epochs - len(record)
    #: Points by the number of recorded epochs: the last one, and the next one while an
    #: epoch is recorded.
    reached = {len(record): point()}
    before, clock = loss_and_gradient(learner, data)[0], time.perf_counter()
    if not np.isfinite(before):
        raise DivergenceError(
            "the loss is not finite before epoch 1; nothing has changed", 1
        )

    def iteration(x: NDArray[np.float64]) -> None:
        nonlocal before, clock
        epoch = len(record)
        parameters[free] = x
        learner.engine.parameters_written()
        learner.state.counters[0] += 1
        take_moments(learner, data)
        reached[epoch + 1] = point()
        try:
            seconds = time.perf_counter() - clock
            with callers_errstate():
                stop = end_epoch(before, seconds)
        except StopIteration as error:  # of a callback; SciPy would catch it
            raise _Callers(error) from None
        before, clock = losses.get(x.tobytes(), before), time.perf_counter()
        losses.clear()
        reached.pop(epoch, None)
        if stop:
            raise StopIteration

    options = {
        "maxiter": epochs,
        "maxfun": 20 * epochs,
        "maxcor": settings.history,
        "gtol": settings.tolerance,
        "ftol": 0.0,
    }
    try:
        result = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            callback=iteration,
            options=options,
        )
    except _Callers as error:
        raise error.args[0] from None
    finally:
        complete(put_back)
    return result.status == 0 and result.nit < epochs
