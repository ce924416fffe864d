"""Numbers: losses, norms, metrics and long sums at extreme inputs, against exact ones.

    python -m trust.numbers

Errors are stated in units of the machine epsilon of the dtype, relative to the sum of
the absolute values of what is added: a bound that no order of summation can much
better. `exact` has the same quantities in extended precision (mpmath), `speed` the time
of steps on subnormal numbers.
"""

import itertools
import math

import mpmath
import numpy as np

import bpcore as bp
from trust import campaign, exact, speed

#: Sizes of numbers, from the least subnormal to the largest, that losses get.
SIZES = {
    "float32": [1e-45, 1e-38, 1e-20, 1e-7, 0.1, 0.5, 1, 3, 17, 87, 88.5, 104, 1e4],
    "float64": [5e-324, 1e-308, 1e-160, 1e-16, 0.1, 0.5, 1, 3, 36, 700, 746, 1e8],
}
#: Sizes whose squares may overflow, for losses of numbers and for norms.
FAR = {"float32": [1e19, 1e30, 3e38], "float64": [1e154, 1e250, 1.7e308]}
#: Losses of classes, whose z are not that far in practice; others take any number.
OF_SOFTMAX = ("cross_entropy", "kl_divergence")
BETWEEN_0_AND_1 = (*OF_SOFTMAX, "binary_cross_entropy")
#: Losses near 0 that are squares, computed in float64.
OF_SQUARES = ("squared_error", "mean_squared_error", "huber", "log_cosh")

#: Largest error of a loss of one row and of its derivatives, in epsilons of the sum of
#: the absolute values of its terms.
LOSS, DELTA = 8.0, 8.0
#: Largest error of a norm or a metric, in epsilons of float64 (norms: of the dtype).
NORM, MOMENTS, METRIC = 64.0, 64.0, 16.0
#: Largest relative error of a sum of 10^7 terms: in float64, and in float32.
LONG, LONG_FLOAT32 = 1e-11, 1e-2


def epsilon(dtype):
    """The machine epsilon of a dtype."""
    return float(np.finfo(dtype).eps)


def error(found, right, size, dtype, stored=None, terms=1):
    """|found - right| in epsilons of `size`.

    Results are of the dtype `stored`, by default the same: less than its least number
    is no error, nor is infinity where `terms` times the size is beyond its largest.
    """
    stored = np.finfo(dtype if stored is None else stored)
    found = float(found)
    if not math.isfinite(found):
        beyond = terms * size > float(np.finfo(dtype).max) * 0.99
        return 0.0 if beyond and not math.isnan(found) else math.inf
    least = terms * mpmath.mpf(float(stored.smallest_subnormal))
    off = abs(mpmath.mpf(found) - right) - least
    return float(max(off, 0) / (epsilon(dtype) * max(size, least)))


# --- losses ---------------------------------------------------------------------------


def rows(dtype, name, rng, count):
    """Rows (z, y) of extreme and ordinary numbers, of several widths."""
    sizes = np.array(SIZES[dtype])
    far = () if name in BETWEEN_0_AND_1 or name == "poisson_of_log" else FAR[dtype]
    for i in range(count):
        width = int(rng.choice([1, 2, 3, 17, 40]))
        if name in OF_SOFTMAX:
            width = max(width, 2)
        several = np.concatenate([sizes, far]) if i % 3 == 0 else sizes
        z = rng.choice(several, width) * rng.choice([-1, 1], width)
        if i % 5 == 1:
            z[:] = z[0]  # all equal
        if i % 5 == 2:
            z = z * 1e-3
            z[0] = several[-1]  # one huge
        if i % 5 == 3:
            z = several[-1] * (1 - epsilon(dtype) * rng.integers(0, 9, width))
        y = z * rng.choice([0, 1, 1 + 2 * epsilon(dtype), 0.5], width)
        if name == "hinge":
            y = rng.choice([-1.0, 1.0], width)
        if name.startswith("poisson"):
            y = np.abs(y)
        if name == "poisson":
            z = np.abs(z)
        if name in BETWEEN_0_AND_1:
            y = np.zeros(width)
            y[rng.integers(width)] = 1
            if i % 2:
                y = rng.choice([0, 1e-40, 1e-7, 0.5, 1], width)
        yield np.array(z, dtype), np.array(y, dtype)


def sizes_of(name, z, y, c, slopes):
    """What is rounded in the derivative by each z: its terms, where they cancel."""
    if name in OF_SOFTMAX:
        return [mpmath.fsum(y)] * len(z)
    n = 1 if name == "binary_cross_entropy" else len(z)
    of = exact.CANCELLING.get(name)
    if of is None:
        return map(abs, slopes)
    return [of(x, t, c) / n for x, t in zip(z, y, strict=True)]


def of_losses(name, dtype, count=60, seed=0):
    """Counts the rows whose loss or derivative has a larger error than stated."""
    rng = np.random.default_rng(seed)
    found = campaign.Count(f"{name}, {dtype}")
    worst = [0.0, 0.0]
    setting = {"huber": 1.0, "quantile": 0.5, "poisson": 1e-8}.get(name, 0.0)
    c = mpmath.mpf(float(np.dtype(dtype).type(setting)))
    with mpmath.workdps(exact.DIGITS):
        for z, y in rows(dtype, name, rng, count):
            delta = np.empty((1, len(z)), dtype)
            E = bp.kernels.loss(z[None], delta, name, y[None])
            zs, ys = exact.numbers(z), exact.numbers(y)
            terms, slopes = exact.LOSSES[name](zs, ys, c)
            size = mpmath.fsum(map(abs, terms))
            if name in OF_SOFTMAX:
                size += 1  # the logarithm of a sum of 1 and more
            stored = np.float64 if name in OF_SQUARES else dtype
            off = error(E, mpmath.fsum(terms), size, dtype, stored, len(terms))
            slope = max(
                error(d, right, each, dtype)
                for d, right, each in zip(
                    delta[0], slopes, sizes_of(name, zs, ys, c, slopes), strict=True
                )
            )
            worst = [max(worst[0], off), max(worst[1], slope)]
            wrong = off > LOSS or slope > DELTA
            found.add(
                f"{off:.3g}, {slope:.3g} eps: z={z!r}, y={y!r}" if wrong else None
            )
    found.note = f"at most {worst[0]:.2g} eps, derivatives {worst[1]:.2g}"
    return found


# --- softmax, norms, normalisation ----------------------------------------------------


def of_softmax(dtype, count=60, seed=0):
    """The probabilities of a softmax, each relative to itself.

    z - max z is rounded: an error of a power, of its absolute value times epsilon.
    """
    rng = np.random.default_rng(seed)
    found, worst = campaign.Count(f"softmax, {dtype}"), 0.0
    with mpmath.workdps(exact.DIGITS):
        for z, _ in rows(dtype, "cross_entropy", rng, count):
            a = z[None].copy()
            bp.kernels.activate(a, "softmax")
            zs = exact.numbers(z)
            below = [max(zs) - x for x in zs]
            off = max(
                error(p, right, right * (1 + t), dtype)
                for p, right, t in zip(a[0], exact.softmax(zs), below, strict=True)
            )
            worst = max(worst, off)
            found.add(f"{off:.3g} eps: z={z!r}" if off > DELTA else None)
    found.note = f"at most {worst:.2g} eps of p (1 + max z - z)"
    return found


def arrays_of(dtype, rng, count):
    """Arrays of one or several sizes, equal, nearly equal, or with one huge element."""
    sizes = np.array([*SIZES[dtype], *FAR[dtype]])
    for i in range(count):
        n = int(rng.choice([1, 2, 5, 100, 3000]))
        if i % 4 == 0:
            x = rng.choice(sizes, n)
        elif i % 4 == 1:
            x = np.full(n, rng.choice(sizes))
        elif i % 4 == 2:
            x = rng.choice(sizes) * (1 - epsilon(dtype) * rng.integers(0, 9, n))
        else:
            x = rng.choice(sizes[: len(sizes) // 2], n)
            x[rng.integers(n)] = rng.choice(sizes)
        yield (x * rng.choice([-1, 1], n)).astype(dtype)


def of_norms(dtype, count=60, seed=0):
    """The norm by which gradients are clipped, and the clipped gradient."""
    rng = np.random.default_rng(seed)
    found, worst = campaign.Count(f"norms of gradients, {dtype}"), 0.0
    with mpmath.workdps(exact.DIGITS):
        for g in arrays_of(dtype, rng, count):
            clipped = g.copy()
            right = exact.norm(exact.numbers(g))
            if right > float(np.finfo(np.float64).max):
                continue  # infinite: the clipped gradient is 0
            norm = bp.kernels.clip_norm(clipped, 1.0)
            off = error(norm, right, right, dtype, np.float64)
            factor = min(mpmath.mpf(1), 1 / (right + mpmath.mpf(1e-6)))
            off = max(
                off,
                *(
                    error(c, x * factor, abs(x) * factor, dtype)
                    for c, x in zip(clipped[:50], exact.numbers(g[:50]), strict=True)
                ),
            )
            worst = max(worst, off)
            wrong = off > NORM
            found.add(f"{off:.3g} eps, size {g.size}: {g[:9]!r}" if wrong else None)
    found.note = f"at most {worst:.2g} eps"
    return found


def of_moments(dtype, count=40, seed=0):
    """Mean and variance of batch norm, relative to the largest element and its square."""
    rng = np.random.default_rng(seed)
    found, worst = campaign.Count(f"moments of batch norm, {dtype}"), 0.0
    with mpmath.workdps(exact.DIGITS):
        for u in arrays_of(dtype, rng, count):
            n, hat = len(u), u[:, None].copy()
            y, moments = np.empty_like(hat), np.empty((2, 1), dtype)
            one, zero = np.ones(1, dtype), np.zeros(1, dtype)
            bp.kernels.normalise(
                y, hat, np.empty(n, dtype), moments, one, zero, kind="batch"
            )
            mean, variance = exact.moments(exact.numbers(u))
            largest = mpmath.mpf(float(np.abs(u).max()))
            off = max(
                error(moments[0, 0], mean, largest, dtype),
                error(moments[1, 0], variance, largest**2, dtype),
            )
            worst = max(worst, off)
            wrong = off > MOMENTS
            found.add(f"{off:.3g} eps, size {u.size}: {u[:9]!r}" if wrong else None)
    found.note = f"at most {worst:.2g} eps of the largest element, or its square"
    return found


# --- metrics --------------------------------------------------------------------------


def of_metrics(count=60, seed=0):
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
        for a in arrays_of("float64", rng, count):
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


# --- long sums ------------------------------------------------------------------------


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


def run(seconds):
    """Yields a count for each loss, norm, metric and sum."""
    count = max(40, int(seconds))
    for dtype, name in itertools.product(SIZES, exact.LOSSES):
        yield of_losses(name, dtype, count)
    for dtype in SIZES:
        yield of_softmax(dtype, count)
        yield of_norms(dtype, count)
        yield of_moments(dtype, count)
    yield from of_metrics(count)
    yield from of_long_sums()
    yield from speed.of_subnormals()


if __name__ == "__main__":
    campaign.main("Errors at extreme inputs and in long sums are small.", run, 120)
