"""Metrics, and means over many rows, against exact ones."""

import math

import mpmath
import numpy as np

import bpcore as bp
from trust import campaign
from trust.arithmetic import exact
from trust.arithmetic.rounding import arrays_of, epsilon, error

#: Largest error of a metric, in epsilons of float64.
METRIC = 16.0
#: Largest relative error of a sum of 10^7 terms: in float64, and in float32.
LONG, LONG_FLOAT32 = 1e-11, 1e-2


def of_metrics(count=60, seed=0, most=3000):
    """Metrics of numbers and of probabilities, in float64, relative to themselves."""
    rng = np.random.default_rng(seed)
    found = {
        name: campaign.Count(f"metric {name}")
        for name in ("mse", "rmse", "mae", "r2", "log_loss", "brier", "auc")
    }
    worst = dict.fromkeys(found, 0.0)

    def compare(name, value, right, size, case):
        off = error(value, right, size, np.float64)
        worst[name] = max(worst[name], off)
        found[name].add(f"{off:.3g} eps: {case}" if off > METRIC else None)

    metrics = {metric.name: metric for metric in bp.metrics.as_metrics(list(found))}
    with mpmath.workdps(exact.DIGITS):
        for a in arrays_of("float64", rng, count, most):
            if len(a) < 2:
                continue
            y = a * rng.choice([0, 0.5, 1, 1 + 1e-15], len(a))
            with np.errstate(all="ignore"):
                y = np.where(np.isfinite(y), y, 0.0)
            ys, outputs = exact.numbers(y), exact.numbers(a)
            case = f"y={y[:9]!r}, a={a[:9]!r}, {len(a)} rows"
            errors = [p - t for p, t in zip(outputs, ys, strict=True)]
            square = mpmath.fsum(e * e for e in errors) / len(a)
            if square < mpmath.mpf(float(np.finfo(float).max)):
                compare("mse", metrics["mse"](y, a), square, square, case)
            root = mpmath.sqrt(square)
            compare("rmse", metrics["rmse"](y, a), root, root, case)
            mean = mpmath.fsum(map(abs, errors)) / len(a)
            compare("mae", metrics["mae"](y, a), mean, mean, case)
            # Its variance cancels, where the targets are nearly equal.
            centre, variance = exact.moments(ys)
            if variance > 1e-8 * centre**2:
                ratio = square / variance
                compare("r2", metrics["r2"](y, a), 1 - ratio, 1 + ratio, case)
            _probabilities(rng, len(a), metrics, compare)
    for name, each in found.items():
        each.note = f"at most {worst[name]:.2g} eps"
    return list(found.values())


def _probabilities(rng, n, metrics, compare):
    """Log loss, Brier score and area of probabilities that are extreme or equal."""
    p = rng.choice([0, 5e-324, 1e-300, 1e-17, 0.1, 0.5, 1 - 1e-16, 1], n)
    y = rng.integers(0, 2, n).astype(np.float64)
    case = f"y={y[:9]!r}, p={p[:9]!r}, {n} rows"
    eps = mpmath.mpf(epsilon(np.float64))
    ps, ys = exact.numbers(p), exact.numbers(y)
    own = [x if t else 1 - x for x, t in zip(ps, ys, strict=True)]
    losses = [-mpmath.log(min(max(x, eps), 1 - eps)) for x in own]
    loss = mpmath.fsum(losses) / n
    compare("log_loss", metrics["log_loss"](y, p), loss, loss + 1, case)
    brier = mpmath.fsum((x - t) ** 2 for x, t in zip(ps, ys, strict=True)) / n
    compare("brier", metrics["brier"](y, p), brier, brier, case)
    positive, negative = p[y == 1], p[y == 0]
    if len(positive) and len(negative):
        above = (positive[:, None] > negative).sum()
        equal = (positive[:, None] == negative).sum()
        area = (int(above) + mpmath.mpf(int(equal)) / 2) / (y.sum() * (n - y.sum()))
        compare("auc", metrics["auc"](y, p), area, area, case)


def of_long_sums(n=10_000_000, seed=0):
    """Means over many rows, whose exact sums `math.fsum` gives: relative errors."""
    rng = np.random.default_rng(seed)
    a = rng.random((n, 1), np.float32)
    a[::1000] *= 1e6  # a few large ones
    net = bp.Network([1, 1], activation="identity", rng=0, loss="mean_absolute_error")
    net.weights[0][...], net.biases[0][...] = 1, 0
    zeros = np.zeros_like(a)
    right = math.fsum(a[:, 0].tolist()) / n
    found = []

    def compare(name, value, exact_value, most):
        off = abs(float(value) - exact_value) / abs(exact_value)
        count = campaign.Count(f"{name}, {n:,} terms", note=f"relative error {off:.1e}")
        count.add(f"{off:.3g} of {exact_value}" if off > most else None)
        found.append(count)

    compare("evaluate", net.evaluate(a, zeros), right, LONG)
    weights = np.where(np.arange(n) % 3, 1e-3, 1e3)
    total = math.fsum(weights.tolist())
    products = (weights * a[:, 0]).tolist()
    compare(
        "evaluate with weights",
        net.evaluate(a, zeros, weights),
        math.fsum(products) / total,
        LONG,
    )
    metrics = net.evaluate(a, zeros, metrics=["mae", "mse", "rmse"])
    squares = math.fsum((a[:, 0].astype(np.float64) ** 2).tolist()) / n
    compare("mae", metrics["mae"], right, LONG)
    compare("mse", metrics["mse"], squares, LONG)
    net.frozen = [True]
    history = net.fit(a, zeros, epochs=1, batch_size=32, progress=False, shuffle=False)
    compare("loss of an epoch", history.loss[0], right, LONG)
    net.frozen = [False]
    bias = net.gradients(a, zeros).biases[0][0]  # the mean of ones: exactly 1
    compare("gradient of a bias", bias, 1.0, LONG_FLOAT32)
    for name, column in {"random": a, "equal": np.full_like(a, 0.1)}.items():
        moments, hat = np.empty((2, 1), np.float32), column.copy()
        one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
        room = np.empty(n, np.float32)
        bp.kernels.normalise(np.empty_like(hat), hat, room, moments, one, zero, "batch")
        mean = math.fsum(column[:, 0].tolist()) / n
        compare(f"mean of batch norm, {name}", moments[0, 0], mean, LONG_FLOAT32)
    return found
