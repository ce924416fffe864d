"""Optimizers: immutable settings.  The network that uses them owns their state.

The formulas are per parameter w with gradient g, and t = 1, 2, ... is the number of the
step.  The arithmetic is in ``csrc/descent.h`` and, readable, in
``reference.optimizers``.  `Optimizer`, in ``base``, has what they have in common.
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
