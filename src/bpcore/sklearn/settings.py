"""The optimizer of an estimator, from its parameters: names, numbers or objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from bpcore import checks, optimizers
from bpcore.model.design import known_optimizer
from bpcore.optimizers import Optimizer
from bpcore.quoting import quoted
from bpcore.schedules import (
    Constant,
    CosineRestarts,
    InverseScaling,
    OneCycle,
    Polynomial,
    ReduceOnPlateau,
    Schedule,
)

#: The optimizers by their names in lower case.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    name.lower(): kind
    for name in optimizers.__all__
    if issubclass(kind := getattr(optimizers, name), Optimizer)
    and kind is not Optimizer
}

#: Schedules that need no more than the rate and the number of epochs.
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda lr, epochs: Constant(lr),
    "cosine": CosineRestarts,
    "inverse_scaling": lambda lr, epochs: InverseScaling(lr),
    "linear": Polynomial,
    "one_cycle": lambda lr, epochs: OneCycle(lr, epochs, per="epoch"),
    "plateau": lambda lr, epochs: ReduceOnPlateau(lr),
}


def optimizer_of(optimizer: Any, lr: Any, schedule: Any, epochs: Any) -> Optimizer:
    """The settings of the update.

    Parameters
    ----------
    optimizer : str or Optimizer
        A key of `OPTIMIZERS`, which stands for its default settings, or the settings.
    lr : float, Schedule, callable or None
        Replaces the learning rate of the optimizer.
    schedule : str, Schedule or None
        A key of `SCHEDULES`, from that rate on, over all `epochs`; or a schedule, which
        has its own rate.

    Raises
    ------
    ValueError, TypeError
        If one is unknown, or they do not go together.

    Examples
    --------
    >>> from bpcore.sklearn.settings import optimizer_of
    >>> optimizer_of("adam", 0.01, None, 10)
    Adam(lr=0.01)
    >>> optimizer_of("sgd", 0.1, "cosine", 10)
    SGD(lr=CosineRestarts(lr=0.1, period=10))
    """
    if isinstance(optimizer, str):
        chosen = OPTIMIZERS[checks.one_of("optimizer", optimizer, OPTIMIZERS)]()
    else:
        chosen = known_optimizer(optimizer)
    if lr is None and schedule is None:
        return chosen
    if not _takes_lr(chosen):
        raise ValueError(
            f"lr and schedule must be None with {type(chosen).__name__}, which has no "
            "learning rate"
        )
    if lr is not None:
        chosen = chosen.replace(lr=lr)
    if schedule is None:
        return chosen
    if isinstance(schedule, Schedule):
        if lr is not None:
            raise ValueError(
                f"lr must be None with a schedule object, which has its own; "
                f"got {quoted(lr)}"
            )
        return chosen.replace(lr=schedule)
    make = SCHEDULES[checks.one_of("schedule", schedule, SCHEDULES)]
    if chosen.schedule is not None:
        raise ValueError(
            f"lr must be a number with {schedule=}; got {quoted(chosen.lr)}"
        )
    epochs = checks.integer("epochs", epochs, 1)
    return chosen.replace(lr=make(chosen.lr, epochs))  # type: ignore[arg-type]


def _takes_lr(optimizer: Optimizer) -> bool:
    """Whether the learning rate is a setting of this optimizer."""
    settings = dataclasses.fields(optimizer)
    return any(setting.name == "lr" and setting.init for setting in settings)
