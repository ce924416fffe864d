"""The library's own exp, log, tanh and other elementary functions: error in ulps."""

import functools
import itertools

import mpmath
import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch

#: Largest errors allowed, in units of the last place: the promise of 2, and less where
#: csrc/elementary.h, which says what they are, leaves room; for x86_64_v2 the same.
ULPS = {"exp": 1.25, "log": 1, "log1p": 1, "tanh": 2, "sigmoid": 2, "expm1": 1.25}
ULPS["log_cosh"] = 1.5
#: How far a value may fall below the one before it where the function rises.
FALLS = {"exp": 1, "log": 0, "log1p": 0, "tanh": 1, "sigmoid": 2, "expm1": 1}
FALLS["log_cosh"] = 1
#: How far x86_64_v2, which rounds every product, may be from the others: 3, or more.
ULPS_OF_V2 = {"normal_cdf": 64}

WIDE = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-abs(x))),
    "expm1": lambda x: np.expm1(np.minimum(x, 0)),
    "log_cosh": lambda x: np.where(
        abs(x) < 20, np.log1p(2 * np.sinh(x / 2) ** 2), abs(x) - np.log(2)
    ),
}
EXACT = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "expm1": lambda x: mpmath.expm1(min(x, 0)),
    "log_cosh": lambda x: (
        mpmath.log1p(2 * mpmath.sinh(x / 2) ** 2)
        if abs(x) < 100
        else abs(x) - mpmath.log(2)
    ),
}

# Where float64 points lie close: where an argument is reduced to the next multiple of
# log(2), or to the next power of 2, and where a formula changes or a result saturates.
HALVES = np.arange(-20, 20) + 0.5
CRITICAL = {
    "exp": [*HALVES * np.log(2), 0, -708.396, -744.44, 709.78],
    "log": [*2.0**HALVES, 1],
    "log1p": [*2.0**HALVES - 1, -1],
    "tanh": [*HALVES * np.log(2) / 2, np.log(3) / 2, 19.06, 20],
    "sigmoid": [*HALVES * np.log(2), -708.396, -744.44, 36.74],
    "expm1": [*HALVES * np.log(2), -36.74, -40],
    "normal_cdf": [-1, 1, -10, 10],
    "log_cosh": [-1, 1, 1e-4, 1e-12, np.log(2), 19.06],
}
RANGE = {
    "exp": (-746, 710),
    "log": (0, 2),
    "log1p": (-1, 1),
    "tanh": (-20, 20),
    "sigmoid": (-746, 40),
    "expm1": (-50, 0),
    "normal_cdf": (-12, 12),
    "log_cosh": (-20, 20),
}

each_function = pytest.mark.parametrize("name", ULPS)
each_of_all = pytest.mark.parametrize("name", bp.kernels.ELEMENTARY)


@functools.cache
def points(name, dtype):
    """Arguments of every magnitude: all float32 in steps, float64 at random."""
    if dtype == "float32":
        return np.arange(0, 2**32, 2039, "uint32").view("float32")
    rng = np.random.default_rng(0)
    patterns = rng.integers(-(2**63), 2**63 - 1, 2000).view("float64")
    spread = rng.uniform(*RANGE[name], 2000)
    distance = rng.choice([-1, 1], (60, 1)) * 2.0 ** rng.uniform(-53, -1, (60, 1))
    close = np.array(CRITICAL[name]) * (1 + distance)
    return np.concatenate([patterns, spread, close.ravel()])


@functools.cache
def truth(name, dtype):
    """The points x where f(x) is finite, and f(x) = (y + rest) 2^exponent.

    One unit in the last place is 2^exponent; y, a float64, need not suffice.
    """
    x = points(name, dtype)
    with np.errstate(all="ignore"):
        y = WIDE[name](x.astype("float64"))
    finite = abs(y) <= np.finfo(dtype).max
    x, y = x[finite], y[finite]
    info = np.finfo(dtype)
    ulp = np.maximum(np.frexp(y)[1], info.minexp + 1) - info.nmant - 1
    if dtype == "float32":
        return x, np.ldexp(y, -ulp), 0, ulp
    with mpmath.workprec(200):
        exact = [
            mpmath.ldexp(EXACT[name](mpmath.mpf(t)), -u)
            for t, u in zip(x.tolist(), ulp.tolist(), strict=True)
        ]
        y = np.array([float(mpmath.nint(t)) for t in exact])
        rest = np.array([float(t - mpmath.nint(t)) for t in exact])
    return x, y, rest, ulp


def run(kernels, name, x):
    """f(x); beyond its end nothing may be written."""
    out = np.full(x.size + 64, np.nan, x.dtype)
    kernels.elementary(name, x, out[: x.size])
    assert np.isnan(out[x.size :]).all()
    return out[: x.size]


@each_function
def test_error(kernels, dtype, name):
    x, y, rest, ulp = truth(name, dtype)
    out = run(kernels, name, x).astype("float64")
    error = abs(np.ldexp(out, -ulp) - y - rest)
    worst = error.argmax()
    assert error[worst] <= ULPS[name], x[worst]


@each_of_all
def test_bits_of_every_build(isa, kernels, dtype, name):
    x = points(name, dtype)
    given = run(kernels, name, x)
    with dispatch.using("scalar"):
        wanted = run(kernels, name, x)
    if isa == "x86_64_v2":
        np.testing.assert_array_max_ulp(given, wanted, ULPS_OF_V2.get(name, 3))
    else:
        for out in (given, wanted):
            out[np.isnan(out)] = np.nan  # not which NaN it is
        assert given.tobytes() == wanted.tobytes()


@each_function
def test_rises(kernels, dtype, name):
    """The function rises from nearly every floating-point number to the next."""
    x = truth(name, dtype)[0]
    if name == "log_cosh":  # which is even
        x = abs(x)
    x = x[(abs(x) > 1e-3) & (abs(x) < 100)]
    starts = np.random.default_rng(0).choice(x, 500)
    bits = starts.view(f"int{starts.itemsize * 8}")
    x = np.sort((bits[:, None] + np.arange(1024, dtype=bits.dtype)).view(dtype), axis=1)
    out = run(kernels, name, x.ravel()).reshape(x.shape)
    with np.errstate(invalid="ignore"):
        fall = (out[:, :-1] - out[:, 1:]) / np.spacing(abs(out[:, 1:]))
    assert not (fall > FALLS[name]).any()


INF = np.inf
EXACT_VALUES = {
    "exp": [(0, 1), (-0.0, 1), (1e4, INF), (INF, INF), (-1e4, 0), (-INF, 0)],
    "log": [(1, 0), (0, -INF), (-0.0, -INF), (INF, INF)],
    "log1p": [(0, 0), (1e-30, 1e-30), (-1e-40, -1e-40), (-1, -INF), (INF, INF)],
    "tanh": [(0, 0), (1e-30, 1e-30), (1e-40, 1e-40), (20, 1), (1e30, 1), (INF, 1)],
    "sigmoid": [(0, 0.5), (1e-30, 0.5), (40, 1), (INF, 1), (-1e4, 0), (-INF, 0)],
    "expm1": [(0, 0), (-1e-30, -1e-30), (-50, -1), (-INF, -1), (3, 0), (INF, 0)],
    "log_cosh": [(0, 0), (-0.0, 0), (1e30, 1e30), (-1e30, 1e30), (-INF, INF)],
}
NO_VALUES = {"log": [-1, -1e-40, -INF], "log1p": [-2, -1.001, -INF]}


@each_function
def test_values(kernels, dtype, name):
    """Exact values, zeros, infinities and NaN, with their signs."""
    x, y = np.array(EXACT_VALUES[name], dtype).T
    out = run(kernels, name, x.copy())
    assert np.array_equal(out, y)
    assert np.array_equal(np.signbit(out), np.signbit(y))
    nowhere = np.array([np.nan, *NO_VALUES.get(name, [])], dtype)
    assert np.isnan(run(kernels, name, nowhere)).all()


def test_normal_cdf(kernels, dtype):
    """In absolute terms: what it is for is to be multiplied by x, or added to."""
    rng = np.random.default_rng(0)
    near = np.array(CRITICAL["normal_cdf"]) * (1 + rng.uniform(-1e-3, 1e-3, (50, 1)))
    x = np.concatenate([rng.uniform(-12, 12, 3000), near.ravel()]).astype(dtype)
    out = run(kernels, "normal_cdf", x).astype("float64")
    exact = [mpmath.ncdf(mpmath.mpf(t)) for t in x.tolist()]
    error = [abs(mpmath.mpf(y) - z) for y, z in zip(out.tolist(), exact, strict=True)]
    assert max(error) <= np.finfo(dtype).eps
    ends = np.array([0, -0.0, 20, -20, INF, -INF, np.nan], dtype)
    found = run(kernels, "normal_cdf", ends)
    assert np.array_equal(found, [0.5, 0.5, 1, 0, 1, 0, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("dtype", "x"),
    [
        ("float32", [88.72283, 88.72284, -103.972, -103.98]),
        ("float64", [709.7827, 709.7828, -745.13, -745.14]),
    ],
)
def test_exp_at_the_ends_of_its_range(kernels, dtype, x):
    finite, infinite, least, zero = run(kernels, "exp", np.array(x, dtype))
    assert 0.999 * np.finfo(dtype).max < finite < infinite == INF
    assert least == np.finfo(dtype).smallest_subnormal
    assert zero == 0


def test_tanh_is_odd(kernels, dtype):
    x = truth("tanh", dtype)[0]
    assert run(kernels, "tanh", -x).tobytes() == (-run(kernels, "tanh", x)).tobytes()


@each_function
def test_bounds(kernels, dtype, name):
    bounds = {"tanh": (-1, 1), "sigmoid": (0, 1), "exp": (0, INF), "expm1": (-1, 0)}
    bounds["log_cosh"] = (0, INF)
    least, most = bounds.get(name, (-INF, INF))
    out = run(kernels, name, truth(name, dtype)[0])
    assert least <= out.min() and out.max() <= most


@each_of_all
def test_place_in_the_array_does_not_matter(kernels, dtype, name):
    """Tails of every length, aligned or not."""
    x = np.random.default_rng(0).uniform(0, 3, 70).astype(dtype)
    whole = run(kernels, name, x)
    for start, size in itertools.product((0, 1), range(1, 66)):
        part = slice(start, start + size)
        assert run(kernels, name, x[part]).tobytes() == whole[part].tobytes()


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [
        ("exp", (0, 0), r"x must not be empty; got shape \(0,\)"),
        ("exp", (3, 2), r"out must have shape \(3,\); got \(2,\)"),
        ("sin", (3, 3), "name must be one of exp, log, .*; got 'sin'"),
    ],
)
def test_refusals(dtype, name, sizes, message):
    x, out = (np.full(size, 0.5, dtype) for size in sizes)
    with pytest.raises(ValueError, match=message):
        bp.kernels.elementary(name, x, out)
    assert (out == 0.5).all()


@pytest.mark.parametrize(
    "dtype, other",
    [
        (dtype, other)
        for dtype in ("float32", "float64")
        for other in ("float16", "float32", "float64", "int64")
        if other != dtype
    ],
)
def test_arrays_are_of_one_dtype(dtype, other):
    x = np.ones(3, dtype)
    for arrays in ((x, x.astype(other)), (x.astype(other), x)):
        with pytest.raises((TypeError, ValueError)):
            bp.kernels.elementary("exp", *arrays)


def test_read_only_arguments_are_taken(dtype):
    x = np.zeros(3, dtype)
    x.flags.writeable = False
    assert (run(bp.kernels, "exp", x) == 1).all()
