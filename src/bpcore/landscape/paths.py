"""The steps of an optimizer, as points of a plane."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errors import DivergenceError
from bpcore.landscape.error import Error
from bpcore.landscape.plane import Plane
from bpcore.model.state import ScheduleState, optimizer_arrays
from bpcore.optimizers import LBFGS, Optimizer
from bpcore.training.fit import prepare
from bpcore.training.learner import Learner


@dataclass(frozen=True, repr=False, eq=False)
class OptimizerPath:
    """The training of a copy of the network by one optimizer.

    Attributes
    ----------
    points : float64 array (1 + steps, 2)
        The network, and its point in the plane after each step.
    loss : float64 array (1 + steps,)
        E of all data there: of all its parameters, not of the point alone.
    diverged : bool
        Whether training ended early, with a loss or parameters that were not finite.
    """

    points: NDArray[np.float64]
    loss: NDArray[np.float64]
    diverged: bool

    def __repr__(self) -> str:
        end = ", diverged" if self.diverged else ""
        first, last = self.loss[0], self.loss[-1]
        return f"<Path of {len(self.loss) - 1} steps, E {first:.4g} to {last:.4g}{end}>"


def optimizer_path(
    learner: Learner,
    plane: Plane,
    error: Error,
    optimizer: Optimizer,
    steps: int,
    data: tuple[Any, Any],
    options: Mapping[str, Any],
) -> OptimizerPath:
    """Fit a copy to X and y, by an optimizer that begins anew, and record each step.

    With two chosen parameters all others are set back after each step.
    """
    twin = beginner(learner, optimizer)
    parameters = twin.engine.lend()
    others = np.ones(parameters.size, bool)
    others[list(plane.chosen or ())] = False
    points, losses = [plane.point(plane.start)], [error(plane.start)]

    def record(*_: object) -> bool:
        """Record a step; True if it was the last one."""
        if plane.chosen is not None:
            parameters[others] = plane.start[others]
        point = plane.point(parameters)
        if not np.isfinite(point).all():
            return True
        points.append(point)
        losses.append(error(parameters))
        return len(points) > steps

    is_lbfgs = isinstance(optimizer, LBFGS)  # its steps are epochs
    after = "callbacks" if is_lbfgs else "batch_callbacks"
    try:
        prepare(twin, None, *data, {**options, "epochs": steps, after: [record]}).run()
        ended = len(points) <= steps and not is_lbfgs
    except DivergenceError:
        ended = True
    return OptimizerPath(np.array(points), np.array(losses), ended)


def beginner(learner: Learner, optimizer: Optimizer) -> Learner:
    """A copy of a learner, with another optimizer that has made no step."""
    design, state = learner.design, learner.state.copy(learner.dtype)
    state = dataclasses.replace(
        state,
        optimizer=optimizer,
        optimizer_arrays=optimizer_arrays(optimizer, design.layout, learner.dtype),
        counters=np.zeros_like(state.counters),
        epochs=0,
        schedule=ScheduleState.begun(optimizer, 0, 0),
    )
    return Learner(design, state, type(learner.engine), learner.engine.n_threads)
