"""Metrics of numbers: explained variance, and absolute, squared and relative errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bpcore.losses import TargetKind
from bpcore.metrics.base import Array, BuiltIn, Weights
from bpcore.metrics.scaled import Scaled, as_rows, mean, scale


def _errors(y: Array, a: Array) -> Scaled:
    """a - y of each output."""
    outputs, rows = a.astype(np.float64, copy=False), as_rows(y, a.shape[1])
    halves = int(max(abs(outputs).max(), abs(rows).max()) > 2.0**1022)
    if halves:  # a - y may overflow
        outputs, rows = outputs / 2, rows / 2
    errors, exponent = scale(outputs - rows)
    return errors, exponent + np.intc(halves)


def _mean_square(x: Scaled, weight: Weights) -> Scaled:
    """The mean of x^2 of each output over the samples."""
    scaled, exponent = scale(x[0])
    return np.average(scaled**2, 0, weight), x[1] + exponent


def _variance(x: Scaled, weight: Weights) -> Scaled:
    """The variance of each output; exactly 0 where it is constant."""
    shifted = x[0] - x[0][0]
    return _mean_square((shifted - mean(shifted, weight), x[1]), weight)


def _explained(residual: Scaled, variance: Scaled) -> Any:
    """1 - residual / variance; 1 if residual is 0, else 0 if the variance is 0."""
    ratio = np.divide(
        residual[0], variance[0], out=np.ones_like(residual[0]), where=variance[0] > 0
    )
    exponent = np.where(variance[0] > 0, 2 * (residual[1] - variance[1]), 0)
    return mean(1 - np.where(residual[0] == 0, 0, np.ldexp(ratio, exponent)))


def _target_variance(y: Array, n_out: int, weight: Weights) -> Scaled:
    return _variance(scale(as_rows(y, n_out)), weight)


def _r2(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    if len(a) < 2:
        return math.nan
    residual = _mean_square(_errors(y, a), weight)
    return _explained(residual, _target_variance(y, a.shape[1], weight))


def _explained_variance(
    y: Array, a: Array, weight: Weights, targets: TargetKind
) -> Any:
    residual = _variance(_errors(y, a), weight)
    return _explained(residual, _target_variance(y, a.shape[1], weight))


def _mae(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    errors, exponent = _errors(y, a)
    return mean(np.ldexp(np.average(abs(errors), 0, weight), exponent))


def _mse(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    square, exponent = _mean_square(_errors(y, a), weight)
    return mean(np.ldexp(square, 2 * exponent))


def _rmse(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    square, exponent = _mean_square(_errors(y, a), weight)
    return mean(np.ldexp(np.sqrt(square), exponent))


def _max_error(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    errors, exponent = _errors(y, a)
    return np.ldexp(abs(errors).max(0), exponent).max()


def _mape(y: Array, a: Array, weight: Weights, targets: TargetKind) -> Any:
    errors, exponent = _errors(y, a)
    size = np.maximum(abs(as_rows(y, a.shape[1])), np.finfo(np.float64).eps)
    mantissa, size_exponent = np.frexp(size)
    relative = np.ldexp(abs(errors) / mantissa, exponent - size_exponent)
    return mean(mean(relative, weight))


METRICS = (
    BuiltIn("r2", _r2, True, "1 - mean (a - y)^2 / var(y)"),
    BuiltIn("explained_variance", _explained_variance, True, "1 - var(a - y) / var(y)"),
    BuiltIn("mae", _mae, False, "mean |a - y|"),
    BuiltIn("mse", _mse, False, "mean (a - y)^2"),
    BuiltIn("rmse", _rmse, False, "sqrt(mean (a - y)^2)"),
    BuiltIn("max_error", _max_error, False, "max |a - y|"),
    BuiltIn("mape", _mape, False, "mean |a - y| / |y|"),
)
