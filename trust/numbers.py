"""Numbers: losses, norms, metrics and long sums at extreme inputs, against exact ones.

    python -m trust.numbers

Errors are stated in units of the machine epsilon of the dtype, relative to the sum of
the absolute values of what is added: a bound that no order of summation can much
better. `exact` has the same quantities in extended precision (mpmath), `speed` the time
of steps on subnormal numbers.
"""

import re

import mpmath
import numpy as np

import bpcore as bp
from trust import campaign
from trust.arithmetic import exact, speed
from trust.arithmetic.means import of_long_sums, of_metrics
from trust.arithmetic.rounding import FAR, SIZES, arrays_of, epsilon, error

#: Losses of classes, whose z are not that far in practice; others take any number.
OF_SOFTMAX = ("cross_entropy", "kl_divergence")
BETWEEN_0_AND_1 = (*OF_SOFTMAX, "binary_cross_entropy")
#: Losses near 0 that are squares, computed in float64.
OF_SQUARES = ("squared_error", "mean_squared_error", "huber", "log_cosh")

#: The first number in a note.
FIGURE = re.compile(r"[0-9][0-9.e+-]*")
#: Largest error of a loss of one row and of its derivatives, in epsilons of the sum of
#: the absolute values of its terms.
LOSS, DELTA = 8.0, 8.0
#: Largest error of a norm and of the moments of batch norm, in epsilons of the dtype.
NORM, MOMENTS = 64.0, 64.0


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


def of_norms(dtype, count=60, seed=0, most=3000):
    """The norm by which gradients are clipped, and the clipped gradient."""
    rng = np.random.default_rng(seed)
    found, worst = campaign.Count(f"norms of gradients, {dtype}"), 0.0
    with mpmath.workdps(exact.DIGITS):
        for g in arrays_of(dtype, rng, count, most):
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


def of_moments(dtype, count=40, seed=0, most=3000):
    """Mean and variance of batch norm, relative to the largest and to its square."""
    rng = np.random.default_rng(seed)
    found, worst = campaign.Count(f"moments of batch norm, {dtype}"), 0.0
    with mpmath.workdps(exact.DIGITS):
        for u in arrays_of(dtype, rng, count, most):
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


def together(name, counts):
    """One count of several; its note is that of the one with the largest figure."""
    counts = list(counts)
    worst = max(counts, key=lambda count: float(FIGURE.search(count.note)[0]))
    tried, failed = (sum(getattr(c, n) for c in counts) for n in ("tried", "failed"))
    return campaign.Count(name, tried, failed, f"{worst.name}: {worst.note}")


def run(seconds):
    """Yields a count for each kind of numbers and dtype."""
    count = max(20, int(seconds / 2))
    for dtype in SIZES:
        losses = [of_losses(name, dtype, count) for name in exact.LOSSES]
        yield together(f"{len(losses)} losses, {dtype}", losses)
        yield of_softmax(dtype, count)
        yield of_norms(dtype, count)
        yield of_moments(dtype, count)
    metrics = of_metrics(count // 2)
    yield together(f"{len(metrics)} metrics", metrics)
    yield from of_long_sums()
    for dtype in SIZES:
        steps = speed.of_optimizers(dtype)
        yield together(f"time of subnormal velocities and means, {dtype}", steps)
        yield from speed.of_given(dtype)


if __name__ == "__main__":
    campaign.main("Errors at extreme inputs and in long sums are small.", run, 120)
