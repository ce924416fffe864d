"""The library's own exp, log, tanh and other elementary functions: error in ulps."""

import functools
import itertools

import mpmath
import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch
from trust.arithmetic.functions import (
    CRITICAL,
    EXACT,
    EXACT_VALUES,
    INF,
    NO_VALUES,
    RANGE,
    ULPS,
    WIDE,
)

#: How far a value may fall below the one before it where the function rises.
FALLS = {"exp": 1, "log": 0, "log1p": 0, "tanh": 1, "sigmoid": 2, "expm1": 1}
FALLS["log_cosh"] = 1
#: How far x86_64_v2, which rounds every product, may be from the others: 3, or more.
ULPS_OF_V2 = {"normal_cdf": 64}

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
