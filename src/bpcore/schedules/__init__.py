"""Learning-rate schedules: immutable values, called with how much was done before."""

from bpcore.schedules.base import (
    Constant,
    CosineRestarts,
    Custom,
    Exponential,
    InverseScaling,
    OneCycle,
    Plateau,
    Polynomial,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    WarmUp,
    as_schedule,
    rates,
)

__all__ = [
    "Constant",
    "CosineRestarts",
    "Custom",
    "Exponential",
    "InverseScaling",
    "OneCycle",
    "Plateau",
    "Polynomial",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "as_schedule",
    "rates",
]
