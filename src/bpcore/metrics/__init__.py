"""Metrics by name: measures of the outputs' quality, in plain NumPy.

A metric is one number, computed in float64 from the targets ``y``, the outputs ``a``
and the sample weights.  The definitions are those of scikit-learn.

A fourth argument, a ``TargetKind``, is the meaning of the targets.  A network takes it
from its loss, never from the data:

* *One class per sample* (cross_entropy and most others).  Integer labels mean the same
  as their one-hot rows.  With two or more outputs, the class of a sample is the index
  of its largest target, also for probabilities, and the predicted class is the index of
  its largest output, the first if several are equal.  With one output, both are 1 above
  the threshold and else 0.
* *Several labels per sample* (binary_cross_entropy and hinge with two or more outputs).
  Each output is a label that a sample has or does not have.  A label is present where
  the target, and predicted where the output, is above the threshold.

The threshold is 0.5, and 0 for hinge and for outputs in -1 .. 1 such as tanh.  Samples
of weight 0 are left out.  A metric of outputs with a NaN is NaN.

In the source::

    base             Metric, BuiltIn
    classes          metrics of classes
    probabilities    log loss and Brier score
    regression       metrics of numbers
    scaled           sums of columns without overflow or underflow
    names            the metrics by name
"""

from bpcore.metrics.base import BuiltIn, Metric
from bpcore.metrics.names import (
    ALIASES,
    METRICS,
    RESERVED,
    MetricLike,
    as_metrics,
    is_name,
)

__all__ = [
    "ALIASES",
    "METRICS",
    "RESERVED",
    "BuiltIn",
    "Metric",
    "MetricLike",
    "as_metrics",
    "is_name",
]


def __dir__() -> list[str]:
    return __all__
