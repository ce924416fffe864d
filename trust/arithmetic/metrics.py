"""Metrics of extreme numbers against exact ones."""

import mpmath
import numpy as np

import bpcore as bp
from trust.arithmetic import exact
from trust.arithmetic.rounding import Largest, arrays_of, epsilon, error

#: Largest error of a metric, in epsilons of float64.
METRIC = 16.0
NAMES = ("mse", "rmse", "mae", "r2", "log_loss", "brier", "auc")


def metric_errors(count=60, seed=0, most=3000):
    """Counts of metrics in float64, whose errors are relative to themselves."""
    rng = np.random.default_rng(seed)
    metrics = {metric.name: metric for metric in bp.metrics.as_metrics([*NAMES])}
    found = {name: Largest(f"metric {name}", METRIC) for name in NAMES}
    with mpmath.workdps(exact.DIGITS):
        for a in arrays_of("float64", rng, count, most):
            if len(a) < 2:
                continue
            y = a * rng.choice([0, 0.5, 1, 1 + 1e-15], len(a))
            with np.errstate(all="ignore"):
                y = np.where(np.isfinite(y), y, 0.0)
            p = rng.choice([0, 5e-324, 1e-300, 1e-17, 0.1, 0.5, 1 - 1e-16, 1], len(a))
            labels = rng.integers(0, 2, len(a)).astype(np.float64)
            for exact_values, given in (
                (number_metrics, (y, a)),
                (probability_metrics, (labels, p)),
            ):
                for name, (right, size) in exact_values(*given).items():
                    off = error(metrics[name](*given), right, size, np.float64)
                    case = f"y={given[0][:9]!r}, a={given[1][:9]!r}, {len(a)} rows"
                    found[name].add(off, case)
    return [each.noted() for each in found.values()]


def number_metrics(y, a):
    """Exact metrics of numbers by name, and the sizes that errors are relative to."""
    targets, outputs = exact.numbers(y), exact.numbers(a)
    errors = [p - t for p, t in zip(outputs, targets, strict=True)]
    square = mpmath.fsum(e * e for e in errors) / len(a)
    root, mean = mpmath.sqrt(square), mpmath.fsum(map(abs, errors)) / len(a)
    found = {"rmse": (root, root), "mae": (mean, mean)}
    if square < mpmath.mpf(float(np.finfo(float).max)):
        found["mse"] = square, square
    # Its variance cancels, where the targets are nearly equal.
    centre, variance = exact.moments(targets)
    if variance > 1e-8 * centre**2:
        ratio = square / variance
        found["r2"] = 1 - ratio, 1 + ratio
    return found


def probability_metrics(y, p):
    """The same of probabilities that are extreme or equal, of the labels 0 and 1."""
    n, eps = len(p), mpmath.mpf(epsilon(np.float64))
    labels, outputs = exact.numbers(y), exact.numbers(p)
    own = [x if t else 1 - x for x, t in zip(outputs, labels, strict=True)]
    loss = mpmath.fsum(-mpmath.log(min(max(x, eps), 1 - eps)) for x in own) / n
    errors = (x - t for x, t in zip(outputs, labels, strict=True))
    brier = mpmath.fsum(e**2 for e in errors) / n
    found = {"log_loss": (loss, loss + 1), "brier": (brier, brier)}
    positive, negative = p[y == 1], p[y == 0]
    if len(positive) and len(negative):
        above = (positive[:, None] > negative).sum()
        equal = (positive[:, None] == negative).sum()
        pairs = int(len(positive) * len(negative))
        area = (int(above) + mpmath.mpf(int(equal)) / 2) / pairs
        found["auc"] = area, area
    return found
