"""The errors of the elementary functions on arrays of numbers, for every build."""

from heapq import nlargest

import mpmath
import numpy as np

import bpcore as bp
from bpcore.engine import dispatch
from trust.arithmetic.functions import EXACT, WIDE

#: Builds with a fused multiply-add, the best first: all give the same bits.
FUSED = [isa for isa in dispatch.available if isa != "x86_64_v2"]
#: Of how many largest errors mpmath computes the exact ones.
CHECKED = 8
#: Functions that are 0, infinite or constant far from 0.
SATURATED = ("exp", "tanh", "sigmoid", "expm1", "normal_cdf")
#: Faults whose arguments are kept.
SHOWN = 20


def values(name, x, isa):
    """f(x) by one build."""
    out = np.empty_like(x)
    with dispatch.using(isa):
        bp.kernels.elementary(name, x, out)
    return out


def inverse_ulp(y, dtype):
    """1 / (unit in the last place of `dtype`) at each y, of a wider type."""
    if dtype == "float32":  # by the bits of float64, four times as fast
        exponent = y.view(np.int64) >> 52
        exponent &= 0x7FF
        np.maximum(exponent, 1023 - 126, out=exponent)
        np.subtract(2 * 1023 + 23, exponent, out=exponent)
        exponent <<= 52
        return exponent.view(np.float64)
    info = np.finfo(dtype)
    exponent = np.where(y == 0, info.minexp, np.frexp(y)[1])
    exponent = np.maximum(exponent, info.minexp + 1) - info.nmant - 1
    return np.ldexp(np.ones_like(y), -exponent)


class Errors:
    """The largest errors of a function in one dtype, and what else is wrong.

    Parameters
    ----------
    name : str
        Of ``bp.kernels.ELEMENTARY``.
    dtype : str
    truth : callable, optional
        f of an array of a wider type, by default that of `WIDE`.

    Attributes
    ----------
    tried, failed : int
        Numbers tried, and those with a fault.
    faults : list of str
        The first of them, in words.
    without_fma : float
        Largest error of x86_64_v2, whose bits may differ.
    """

    def __init__(self, name, dtype, truth=None):
        self.name, self.dtype = name, dtype
        self.truth = truth or WIDE[name]
        self.wide = np.float64 if dtype == "float32" else np.longdouble
        self.tried = self.failed = 0
        self.without_fma = 0.0
        self.faults, self._worst = [], []

    @property
    def absolute(self):
        """Whether errors are in units of eps: of what is added to 1, or multiplied."""
        return self.name == "normal_cdf"

    @property
    def bound(self):
        """The largest error that is promised, and what the truth is rounded by."""
        wider = np.finfo(self.wide).nmant > np.finfo(self.dtype).nmant
        return (1.0 if self.absolute else 2.0) + (0.0 if wider else 0.5)

    def add(self, x, builds=FUSED):
        """Try the numbers of an array by some builds, the best among them."""
        best = values(self.name, x, FUSED[0])
        for isa in builds:
            if isa not in (FUSED[0], "x86_64_v2"):
                self._compare(x, best, isa)
        with np.errstate(all="ignore"):
            y = self._true(x)
            self._judge(x, best, y)
            if "x86_64_v2" in builds:
                error = self._error(values(self.name, x, "x86_64_v2"), y)
                self.without_fma = max(self.without_fma, float(np.fmax.reduce(error)))
        self.tried += x.size

    def _true(self, x):
        """f(x) in more precision."""
        x = x.astype(self.wide)
        if self.name in SATURATED and self.dtype == "float32":
            np.clip(x, -200, 200, out=x)  # faster, and as good for a float32
        return np.asarray(self.truth(x), self.wide)

    def _compare(self, x, best, isa):
        """Another build must give the same bits; of a NaN, not which one it is."""
        other, whole = values(self.name, x, isa), f"u{best.itemsize}"
        differ = best.view(whole) != other.view(whole)
        if differ.any():
            differ &= ~(np.isnan(best) & np.isnan(other))
            self._fault(x, differ, f"{isa} and {FUSED[0]} differ")

    def _error(self, out, y):
        """Errors in ulp, NaN where f(x) is; infinity is what follows the largest."""
        error = self._finite_error(out, y)
        if not np.isfinite(error.max()):
            beyond = self.wide(2) ** np.finfo(self.dtype).maxexp
            out = np.clip(out.astype(self.wide), -beyond, beyond)
            error = self._finite_error(out, np.clip(y, -beyond, beyond))
        return error

    def _finite_error(self, out, y):
        error = out.astype(self.wide)
        error -= y
        np.abs(error, out=error)
        eps = self.wide(np.finfo(self.dtype).eps)
        error *= 1 / eps if self.absolute else inverse_ulp(y, self.dtype)
        return error

    def _judge(self, x, out, y):
        """Note the largest errors, NaN in the wrong place, and wrong signs."""
        error = self._error(out, y)
        if np.isnan(error.max()):
            self._fault(x, np.isnan(out) != np.isnan(y), "is NaN, or should be")
            error[np.isnan(error)] = 0
        signs = np.signbit(out) != np.signbit(y)
        if signs.any():  # only tanh is odd to its last bit
            signs &= ~np.isnan(y) & ((x != 0) | (self.name == "tanh"))
            self._fault(x, signs, "has the wrong sign")
        largest = error.max()
        if largest > self.bound:
            self._fault(x, error > self.bound, f"has an error above {self.bound:g}")
        if len(self._worst) < CHECKED or largest > self._worst[-1][0]:
            for i in np.argsort(error)[-CHECKED:]:
                self._worst.append((float(error[i]), float(x[i]), float(out[i])))
            self._worst = nlargest(CHECKED, self._worst)

    def _fault(self, x, where, what):
        if where.any():
            self.failed += int(np.count_nonzero(where))
            for at in x[where][: SHOWN - len(self.faults)]:
                self.faults.append(
                    f"{self.name}({float(at).hex()}) of {self.dtype} {what}"
                )

    def largest(self):
        """The largest error, computed exactly, and the argument that has it."""
        return max((self._exact(x, out), x) for _, x, out in self._worst)

    def _exact(self, x, out):
        """The error of f(x) = out by mpmath, 0 where one is not finite."""
        info = np.finfo(self.dtype)
        with mpmath.workprec(250):
            y = EXACT[self.name](mpmath.mpf(x)) if np.isfinite(x + out) else mpmath.inf
            if mpmath.isinf(y):
                return 0.0
            unit = mpmath.mpf(float(info.eps))
            if not self.absolute:
                exponent = max(int(mpmath.frexp(y)[1]), int(info.minexp) + 1)
                unit = mpmath.ldexp(1, exponent - info.nmant - 1)
            return float(abs(mpmath.mpf(out) - y) / unit)
