"""Learning-rate schedules: immutable values, called with a number of epochs or steps.

``schedule(t)`` is the learning rate after t = 0, 1, 2, ... epochs, or with
``per="step"`` after t steps.  It has the same bits on every machine (``exact``).
`ReduceOnPlateau` alone also depends on the monitored quantity.  In the source::

    base       Schedule, Constant, Custom
    decay      StepDecay, Exponential, InverseScaling, Polynomial
    cosine     CosineRestarts, OneCycle, FlatCosine, CosineLog
    warmup     WarmUp
    plateau    ReduceOnPlateau
    exact      exp, log, power and cos with the same bits on every machine
"""

from bpcore.schedules.base import Constant, Custom, Schedule, as_schedule, rates
from bpcore.schedules.cosine import CosineLog, CosineRestarts, FlatCosine, OneCycle
from bpcore.schedules.decay import Exponential, InverseScaling, Polynomial, StepDecay
from bpcore.schedules.plateau import Plateau, ReduceOnPlateau
from bpcore.schedules.warmup import WarmUp

__all__ = [
    "Constant",
    "CosineLog",
    "CosineRestarts",
    "Custom",
    "Exponential",
    "FlatCosine",
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


def __dir__() -> list[str]:
    return __all__
