"""Metrics by name: how good the outputs of a network are, in plain NumPy.

A metric is one number of the targets ``y``, the outputs ``a`` and the sample weights,
computed in float64.  The definitions are those of scikit-learn.

What the targets mean is a fourth argument, a ``TargetKind``, which a network takes from
its loss, never from the data:

* *One class per sample* (cross_entropy and most others).  Integer labels mean the same
  as their one-hot rows.  With two or more outputs the class of a sample is the index of
  the largest target of its row, so that of probabilities the largest one counts, and
  the answer is the index of the largest output, the first of equals.  With one
  output, class and answer are 1 above the threshold and else 0.
* *Several labels per sample* (binary_cross_entropy and hinge with two or more outputs).
  Each output is a label that a sample has or has not: present in the targets, and in
  the answer, above the threshold.

The threshold is 0.5, and 0 for hinge and for outputs around 0 such as tanh.  A sample
of weight 0 counts as absent.  A metric of outputs that hold a NaN is NaN.

In the source::

    base             Metric, BuiltIn
    classes          metrics of classes
    probabilities    log loss and Brier score
    regression       metrics of numbers
    scaled           columns scaled by powers of two
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
