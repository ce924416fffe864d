"""Losses and softmax of extreme numbers against exact ones."""

import mpmath
import numpy as np

import bpcore as bp
from trust import campaign
from trust.arithmetic import exact
from trust.arithmetic.rounding import FAR, SIZES, Largest, epsilon, error

#: Losses of classes, whose z are not that far in practice; others take any number.
OF_SOFTMAX = ("cross_entropy", "kl_divergence")
BETWEEN_0_AND_1 = (*OF_SOFTMAX, "binary_cross_entropy")
#: Losses near 0 that are squares, computed in float64.
OF_SQUARES = ("squared_error", "mean_squared_error", "huber", "log_cosh")

#: Largest error of a loss of one row and of its derivatives, in epsilons of the sum of
#: the absolute values of its terms.
LOSS, DELTA = 8.0, 8.0


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
    terms = exact.CANCELLING.get(name)
    if terms is None:
        return map(abs, slopes)
    return [terms(x, t, c) / n for x, t in zip(z, y, strict=True)]


def loss_errors(name, dtype, count=60, seed=0):
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
                error(d, right, each, dtype, normal=True)
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


def softmax_errors(dtype, count=60, seed=0):
    """The probabilities of a softmax, each relative to itself.

    z - max z is rounded: an error of a power, of its absolute value times epsilon.
    """
    rng = np.random.default_rng(seed)
    found = Largest(f"softmax, {dtype}", DELTA)
    with mpmath.workdps(exact.DIGITS):
        for z, _ in rows(dtype, "cross_entropy", rng, count):
            a = z[None].copy()
            bp.kernels.activate(a, "softmax")
            zs = exact.numbers(z)
            below = [max(zs) - x for x in zs]
            off = max(
                error(p, right, right * (1 + t), dtype, normal=True)
                for p, right, t in zip(a[0], exact.softmax(zs), below, strict=True)
            )
            found.add(off, f"z={z!r}")
    return found.noted(" of p (1 + max z - z)")
