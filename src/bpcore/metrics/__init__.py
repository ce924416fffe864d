"""Metrics by name: how good the outputs of a network are, in plain NumPy."""

from bpcore.metrics.base import (
    ALIASES,
    METRICS,
    RESERVED,
    BuiltIn,
    Metric,
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
