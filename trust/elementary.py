"""exp, log, tanh, sigmoid and the others: every float32, and many float64.

float32 is compared with NumPy's float64 functions, or where it has none with those of
bpcore, float64 with those of the C library in the extended precision of this machine
(``np.longdouble``), or of mpmath, which also computes the largest errors found.
``normal_cdf``, which is multiplied or added to, is meant to be right to 1 eps in
absolute terms, the others to 2 ulp.  Every build with a fused multiply-add must give
the same bits; the slow ones, scalar and x86_64_v2 (whose bits may differ), compute one
block of numbers in `SOME`.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import mpmath
import numpy as np

import bpcore as bp
from bpcore.engine import dispatch
from trust import campaign
from trust.arithmetic.functions import (
    CRITICAL,
    EXACT,
    EXACT_VALUES,
    NO_VALUES,
    RANGE,
)
from trust.arithmetic.ulp import FUSED, SATURATED, Errors, values

#: Seconds in which all is tried: about, on two cores.
SECONDS = 1200.0
#: Numbers of a block: small enough for the first two levels of cache.
BLOCK = 1 << 13
#: One block in so many is computed by the slow builds too.
SOME = 64
FAST = FUSED[:-1] or FUSED
#: Functions of which NumPy has a good float64 form.
FAST_IN_NUMPY = ("exp", "log", "log1p", "tanh", "sigmoid", "expm1")
#: Numbers of float64 for each function, 10^8 in all; those that mpmath has to compute.
SAMPLES, SAMPLES_OF_MPMATH = 15 * 10**6, 10**5


def run(seconds):
    """Every float32, or in less time a part of them; then samples of float64."""
    part = min(seconds / SECONDS, 1.0)
    names = [*bp.kernels.ELEMENTARY]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    yield special_values()
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        yield from pool.map(float32, names, [part] * len(names))
        yield from pool.map(float64, names, [part] * len(names))


def counted(errors):
    """The count of a function in one dtype; its faults are printed."""
    for fault in errors.faults:
        print(f"FAILED {fault}", flush=True)
    largest, at = errors.largest()
    unit = "eps" if errors.absolute else "ulp"
    digits = 9 if errors.dtype == "float32" else 17
    note = f"largest error {largest:.2f} {unit}, at {at:.{digits}g}"
    if "x86_64_v2" in dispatch.available:
        note += f"; without FMA {errors.without_fma:.2f}"
    title = f"{errors.name} of {errors.dtype}"
    return campaign.Count(title, errors.tried, errors.failed, note)


def float32(name, part=1.0):
    """Count a function at every float32, or in every so many blocks."""
    truth = None if name in FAST_IN_NUMPY else partial(values, name, isa=FUSED[0])
    errors = Errors(name, "float32", truth)
    step = max(round(1 / part), 1)
    for number, first in enumerate(range(0, 1 << 32, BLOCK * step)):
        bits = np.arange(BLOCK, dtype=np.uint32) + np.uint32(first)
        builds = FAST if number % SOME else dispatch.available
        errors.add(bits.view(np.float32), builds)
    return counted(errors)


def float64(name, part=1.0):
    """Count a function at samples of float64."""
    slow = name == "normal_cdf" or np.finfo(np.longdouble).nmant < 60
    errors = Errors(name, "float64", _by_mpmath(name) if slow else None)
    count, size = (SAMPLES_OF_MPMATH, BLOCK // 16) if slow else (SAMPLES, BLOCK)
    for number in range(-(-int(count * part) // size)):
        builds = FAST if number % SOME else dispatch.available
        errors.add(samples(name, size, number), builds)
    return counted(errors)


def samples(name, size, seed):
    """Arguments: of every magnitude, and close to the critical ones."""
    rng = np.random.default_rng(seed)
    quarter = size // 4
    low, high = RANGE[name]
    patterns = rng.integers(-(2**63), 2**63 - 1, quarter).view(np.float64)
    within = rng.uniform(low, high, quarter)
    small = rng.choice([low, high], quarter) * 2.0 ** -rng.uniform(0, 60, quarter)
    starts = rng.choice(CRITICAL[name], quarter // 16)
    distance = 2.0 ** -rng.uniform(1, 53, quarter // 16)
    close = (starts * (1 + rng.choice([-1, 1], quarter // 16) * distance)).view(
        np.int64
    )[:, None] + np.arange(16)
    return np.concatenate([patterns, within, small, close.ravel().view(np.float64)])


def special_values():
    """Zeros, infinities, NaN and arguments without a value, by every build."""
    count = campaign.Count("special values, by every build, in both dtypes")
    for isa in dispatch.available:
        for dtype in ("float32", "float64"):
            for name, pairs in EXACT_VALUES.items():
                x, y = np.array(pairs, dtype).T
                out = values(name, x.copy(), isa)
                same = (out == y) & (np.signbit(out) == np.signbit(y))
                nowhere = np.array([np.nan, *NO_VALUES.get(name, [])], dtype)
                same = [*same, *np.isnan(values(name, nowhere, isa))]
                for at, right in zip([*x, *nowhere], same, strict=True):
                    count.add(None if right else f"{name}({at!r}) by {isa}")
    return count


def _by_mpmath(name):
    """A function of an array in extended precision, by mpmath."""

    def one(x):
        with mpmath.workprec(120):
            y = EXACT[name](mpmath.mpf(float(x)))
            if isinstance(y, mpmath.mpc):
                return np.longdouble(np.nan)
            high = float(y)
            return np.longdouble(high) + np.longdouble(float(y - high))

    def function(x):
        y = values(name, x.astype(np.float64), FUSED[0]).astype(np.longdouble)
        exact = np.isfinite(x) & (np.abs(x) < (1000 if name in SATURATED else np.inf))
        y[exact] = [one(each) for each in x[exact]]
        return y

    return function


if __name__ == "__main__":
    campaign.main(
        "exp, log, tanh, sigmoid and the others are right to 2 ulp, for every number.",
        run,
        SECONDS,
    )
