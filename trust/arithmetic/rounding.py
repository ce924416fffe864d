"""Extreme numbers, and errors in units of the machine epsilon."""

import math

import mpmath
import numpy as np

from trust import campaign

#: Sizes of numbers, from the least subnormal to the largest, that losses get.
SIZES = {
    "float32": [1e-45, 1e-38, 1e-20, 1e-7, 0.1, 0.5, 1, 3, 17, 87, 88.5, 104, 1e4],
    "float64": [5e-324, 1e-308, 1e-160, 1e-16, 0.1, 0.5, 1, 3, 36, 700, 746, 1e8],
}
#: Sizes whose squares may overflow, for losses of numbers and for norms.
FAR = {"float32": [1e19, 1e30, 3e38], "float64": [1e154, 1e250, 1.7e308]}


def epsilon(dtype):
    """The machine epsilon of a dtype."""
    return float(np.finfo(dtype).eps)


def error(found, right, size, dtype, stored=None, terms=1, normal=False):
    """|found - right| in epsilons of `size`.

    Results are of the dtype `stored`, by default the same: less than its least number
    is no error, nor is infinity where `terms` times the size is beyond its largest.
    Results that are `normal` may be 0 below twice the least normal number.
    """
    stored = np.finfo(dtype if stored is None else stored)
    found = float(found)
    if not math.isfinite(found):
        beyond = terms * size > float(np.finfo(dtype).max) * 0.99
        return 0.0 if beyond and not math.isnan(found) else math.inf
    smallest = 2 * stored.tiny if normal else stored.smallest_subnormal
    least = terms * mpmath.mpf(float(smallest))
    off = abs(mpmath.mpf(found) - right) - least
    return float(max(off, 0) / (epsilon(dtype) * max(size, least)))


class Largest:
    """The largest error of several trials, in epsilons; those above a bound fail.

    Parameters
    ----------
    name : str
        Of their count.
    bound : float
    """

    def __init__(self, name, bound):
        self.count, self.bound, self.error = campaign.Count(name), bound, 0.0

    def add(self, error, case):
        """Count one trial with its error, and a text that says what was tried."""
        self.error = max(self.error, error)
        above = error > self.bound
        self.count.add(f"{error:.3g} eps: {case}" if above else None)

    def noted(self, of=""):
        """The count, whose note is the largest error: `of` says relative to what."""
        self.count.note = f"at most {self.error:.2g} eps{of}"
        return self.count


def arrays_of(dtype, rng, count, most=3000):
    """Arrays of one or several sizes, equal, nearly equal, or with one huge element."""
    sizes = np.array([*SIZES[dtype], *FAR[dtype]])
    for i in range(count):
        n = int(rng.choice([1, 2, 5, 100, most]))
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
