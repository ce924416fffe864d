"""L-BFGS over the flat parameters, by SciPy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore._errstate import callers_errstate, own_errstate
from bpcore.errors import DivergenceError
from bpcore.interrupts import complete, raise_if_stopped
from bpcore.model.memory import Real
from bpcore.optimizers import LBFGS

if TYPE_CHECKING:
    from bpcore.history import History
    from bpcore.network import Network

#: Rows that are differentiated at a time.
ROWS_AT_A_TIME = 1024


class _Callers(Exception):
    """An error that must not be taken for SciPy's own."""


def penalty(network: Network) -> NDArray[np.float64]:
    """The weight decay of every parameter."""
    decay = np.zeros(network.parameters.size)
    parts = network._design.layout.views(decay)
    of_weights, of_biases = network.optimizer.both()
    for W, b, gain in zip(parts.weights, parts.biases, parts.gains, strict=True):
        W[...], b[...] = of_weights.weight_decay, of_biases.weight_decay
        if gain is not None:
            gain[...] = of_biases.weight_decay
    return decay


def loss_and_gradient(
    network: Network, data: tuple[Any, Any, Any], moments: Real | None = None
) -> tuple[float, NDArray[np.float64]]:
    """Mean loss of all rows and its gradient, as many rows at a time as fit a cache.

    The moments that batch norm finds go into `moments`.
    """
    X, y, weight = data
    engine, total = network._engine, 0.0
    sums, part = np.zeros(network.parameters.size), np.empty_like(network.parameters)
    # Batch norm takes the moments of all rows, and a loss function need be no mean.
    whole = "batch" in network.norms or network._design.asks
    at_a_time = len(X) if whole else min(ROWS_AT_A_TIME, len(X))
    for first in range(0, len(X), at_a_time):
        raise_if_stopped()
        rows = slice(first, first + at_a_time)
        w = None if weight is None else weight[rows]
        loss = engine.gradients(X[rows], y[rows], w, part, None, moments)
        sums += len(X[rows]) * part
        total += len(X[rows]) * loss
    return total / len(X), sums / len(X)


def take_moments(network: Network, data: tuple[Any, Any, Any]) -> None:
    """Let the running moments be those of all rows."""
    if network._running.size:
        moments, n = np.empty_like(network._running), len(data[0])
        loss_and_gradient(network, data, moments)
        found = network._design.layout.moments(moments)
        for running, of_data in zip(network.running_moments, found, strict=True):
            if running is not None:
                running[...] = of_data[0], of_data[1] * n / (n - 1)


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
    network: Network,
    data: tuple[Any, Any, Any],
    epochs: int,
    history: History,
    end_epoch: Callable[[float, float], bool],
) -> bool:
    """Up to so many iterations; returns whether it has converged.

    ``end_epoch(loss, seconds)`` is called after each, with the loss before it, and
    appends it to the history.  However the fit ends, an interrupt amid a line search
    too, the network is as after the last epoch in the history.
    """
    minimize = minimizer()
    settings = network.optimizer
    assert isinstance(settings, LBFGS)
    decay = penalty(network)
    free = ~network._design.layout.per_parameter(network.frozen)
    parameters = network.parameters
    losses: dict[bytes, float] = {}  # at the points of this iteration

    def objective(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters[free] = x
        loss, gradient = loss_and_gradient(network, data)
        losses[x.tobytes()] = loss
        w = parameters.astype(np.float64)
        loss += 0.5 * float((decay * w * w)[free].sum())
        return loss, (gradient + decay * w)[free]

    def point() -> tuple[Real, Real, int]:
        return parameters[free], network._running.copy(), network._engine.steps

    def put_back() -> None:
        """Set the network to the point that it had after the last epoch."""
        parameters[free], network._running[...], steps = reached[len(history)]
        network._engine.steps = steps
        network._epochs = epochs_before + len(history)

    start = parameters[free].astype(np.float64)
    epochs_before = network._epochs - len(history)
    #: Points by the length of the history: the last one, and while an epoch is
    #: recorded the next.
    reached = {len(history): point()}
    before, clock = loss_and_gradient(network, data)[0], time.perf_counter()
    if not np.isfinite(before):
        raise DivergenceError(
            "the loss is not finite before epoch 1; nothing has changed", 1
        )

    def iteration(x: NDArray[np.float64]) -> None:
        nonlocal before, clock
        epoch = len(history)
        parameters[free] = x
        network._engine.steps += 1
        take_moments(network, data)
        reached[epoch + 1] = point()
        try:
            seconds = time.perf_counter() - clock
            with callers_errstate():
                stop = end_epoch(before, seconds)
        except StopIteration as error:  # the caller's, which SciPy would swallow
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
