"""Losses by name: their formulas, and the outputs and targets that they need.

A loss is given by its name; by an object such as ``Huber(delta=0.5)`` for a setting
other than the default; or as a callable ``loss(a, y)`` that returns the values of the
samples, (n,), and their derivatives by the outputs, (n, n_L), or only the values as an
expression of ``bpcore.graph``.  In the source::

    base             Loss: the base class of all losses
    regression       losses of numbers
    classification   losses of classes and labels
    custom           a user's function
    joint_quantile   several quantiles at once, such a function
    target_kind      meaning of targets: classes or labels
    targets          targets of samples, checked against a loss
"""

from bpcore.losses.base import Loss
from bpcore.losses.classification import (
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    KLDivergence,
)
from bpcore.losses.custom import CustomLoss, LossFunction
from bpcore.losses.joint_quantile import JointQuantile
from bpcore.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Quantile,
    SquaredError,
)
from bpcore.losses.target_kind import CLASSES, TargetKind
from bpcore.losses.targets import as_targets

__all__ = [
    "CLASSES",
    "DEFAULT_LOSS",
    "LOSSES",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "CustomLoss",
    "Hinge",
    "Huber",
    "JointQuantile",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunction",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "SquaredError",
    "TargetKind",
    "as_targets",
]

#: Every loss by name, with its default setting.
LOSSES: dict[str, Loss] = {
    loss.name: loss()
    for loss in (
        SquaredError,
        MeanSquaredError,
        CrossEntropy,
        BinaryCrossEntropy,
        MeanAbsoluteError,
        Huber,
        Quantile,
        LogCosh,
        Hinge,
        Poisson,
        KLDivergence,
    )
}

#: Default loss of an output activation; squared_error for all others.
DEFAULT_LOSS: dict[str, str] = {
    "softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "exp": "poisson",
}
