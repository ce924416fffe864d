"""Optimizers: immutable settings.  The network that uses them owns their state."""

from bpcore.optimizers.adam import (
    LBFGS,
    SGD,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    Momentum,
    Nadam,
    RAdam,
    RMSprop,
    Rprop,
)
from bpcore.optimizers.base import Optimizer, StateArray

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
