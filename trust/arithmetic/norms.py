"""Norms of gradients and moments of batch norm against exact ones."""

import mpmath
import numpy as np

import bpcore as bp
from trust.arithmetic import exact
from trust.arithmetic.rounding import Largest, arrays_of, error

#: Largest error of a norm and of the moments of batch norm, in epsilons of the dtype.
NORM, MOMENTS = 64.0, 64.0


def norm_errors(dtype, count=60, seed=0, most=3000):
    """The norm by which gradients are clipped, and the clipped gradient."""
    rng = np.random.default_rng(seed)
    found = Largest(f"norms of gradients, {dtype}", NORM)
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
            found.add(off, f"size {g.size}: {g[:9]!r}")
    return found.noted()


def moment_errors(dtype, count=40, seed=0, most=3000):
    """Mean and variance of batch norm, relative to the largest and to its square."""
    rng = np.random.default_rng(seed)
    found = Largest(f"moments of batch norm, {dtype}", MOMENTS)
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
            found.add(off, f"size {u.size}: {u[:9]!r}")
    return found.noted(" of the largest element, or its square")
