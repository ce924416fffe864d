"""The elementary functions of ``bp.kernels``: formulas of more precision, exact values.

The tests of the kernels use the same tables.
"""

import mpmath
import numpy as np


def _log_cosh(x):
    """log(cosh(x)), of which one form is accurate close to 0, the other beyond 1."""
    two, size = x.dtype.type(2), np.abs(x)
    far = size + np.log1p(np.exp(-two * size)) - np.log(two)
    near = np.log1p(two * np.sinh(np.minimum(size, 1) / two) ** 2)
    return np.where(size < 1, near, far)


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


#: Each function in the arithmetic of its argument, an array of more precision.
WIDE = {
    "exp": np.exp,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "expm1": lambda x: np.expm1(np.minimum(x, 0)),
    "log_cosh": _log_cosh,
}
#: Each function of a number of mpmath, as exactly as its precision says.
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
    "normal_cdf": mpmath.ncdf,
}

#: Largest errors allowed, in units of the last place: the promise of 2, and less where
#: csrc/elementary.h, which says what they are, leaves room; for x86_64_v2 the same.
ULPS = {"exp": 1.25, "log": 1, "log1p": 1, "tanh": 2, "sigmoid": 2, "expm1": 1.25}
ULPS["log_cosh"] = 1.5

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

INF = np.inf
#: Pairs of x and f(x): exact values, zeros and infinities, with their signs.
EXACT_VALUES = {
    "exp": [(0, 1), (-0.0, 1), (1e4, INF), (INF, INF), (-1e4, 0), (-INF, 0)],
    "log": [(1, 0), (0, -INF), (-0.0, -INF), (INF, INF)],
    "log1p": [(0, 0), (1e-30, 1e-30), (-1e-40, -1e-40), (-1, -INF), (INF, INF)],
    "tanh": [(0, 0), (1e-30, 1e-30), (1e-40, 1e-40), (20, 1), (1e30, 1), (INF, 1)],
    "sigmoid": [(0, 0.5), (1e-30, 0.5), (40, 1), (INF, 1), (-1e4, 0), (-INF, 0)],
    "expm1": [(0, 0), (-1e-30, -1e-30), (-50, -1), (-INF, -1), (3, 0), (INF, 0)],
    "log_cosh": [(0, 0), (-0.0, 0), (1e30, 1e30), (-1e30, 1e30), (-INF, INF)],
}
#: Arguments at which a function is NaN.
NO_VALUES = {"log": [-1, -1e-40, -INF], "log1p": [-2, -1.001, -INF]}
