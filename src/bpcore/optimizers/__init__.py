"""Optimizers: immutable settings.  Their state belongs to the network that uses them.

The formulas are for each parameter w with gradient g; t = 1, 2, ... is the number of
the step.  The arithmetic is in ``csrc/descent.h`` and in NumPy in
``reference.optimizers``.  `Optimizer`, in ``base``, has the settings common to all.
"""

from bpcore.optimizers.adagrad import Adagrad
from bpcore.optimizers.adam import Adam, Adamax, AdamW, AMSGrad, Nadam, RAdam
from bpcore.optimizers.base import Optimizer, StateArray
from bpcore.optimizers.lbfgs import LBFGS
from bpcore.optimizers.lion import Lion
from bpcore.optimizers.momentum import Momentum
from bpcore.optimizers.rmsprop import RMSprop
from bpcore.optimizers.rprop import Rprop
from bpcore.optimizers.sgd import SGD

__all__ = [
    "LBFGS",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Momentum",
    "Nadam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "StateArray",
]
