"""exp, log, power and cos of a float, with the same bits on every machine.

Only exact operations (+, -, *, /, frexp, ldexp, floor) are used, never the exp, log or
cos of a library.  Errors are below 1e-15, absolute for cos and relative for
the others; that of power grows to 5e-15 where the result is below 1e-40 or above 1e40.
"""

from __future__ import annotations

import math

#: log 2 and pi / 2 as sums of two floats; the first has so few bits that its product
#: with a whole number of up to 20 bits is exact.
LOG_2 = 0.6931471803691238, 1.9082149292705877e-10
HALF_PI = 1.5707963267341256, 6.077100506506192e-11


def exp(x: float) -> float:
    """The exponential function; 0 where it underflows, inf where it overflows.

    Examples
    --------
    >>> from bpcore.schedules import exact
    >>> exact.exp(0.0), exact.exp(-1000.0), exact.exp(1000.0)
    (1.0, 0.0, inf)
    """
    return _exp(x, 0.0)


def log(x: float) -> float:
    """Natural logarithm.

    Raises
    ------
    ValueError
        If x is not above 0.

    Examples
    --------
    >>> from bpcore.schedules import exact
    >>> exact.log(1.0), exact.log(2.0)
    (0.0, 0.6931471805599453)
    """
    return _log(x)[0]


def power(x: float, y: float) -> float:
    """x^y = exp(y log x); 0 where it underflows, inf where it overflows.

    Raises
    ------
    ValueError
        If x is not above 0.

    Examples
    --------
    >>> from bpcore.schedules import exact
    >>> exact.power(2.0, 10.0), exact.power(4.0, -0.5)
    (1024.0, 0.5)
    """
    log_x, rest = _log(x)
    # An absolute error of y log x is a relative error of the result, so y log x needs
    # more than the 53 bits of a float.
    log_x, rest = _leading(log_x), rest + (log_x - _leading(log_x))
    leading = _leading(y)
    return _exp(leading * log_x, (y - leading) * log_x + y * rest)


def cos(x: float) -> float:
    """Cosine for |x| up to 10^6: cos or sin of x minus a multiple of pi / 2.

    Examples
    --------
    >>> import math
    >>> from bpcore.schedules import exact
    >>> exact.cos(0.0), exact.cos(math.pi)
    (1.0, -1.0)
    """
    k = math.floor(x / HALF_PI[0] + 0.5)
    r = (x - k * HALF_PI[0]) - k * HALF_PI[1]
    sine = k % 2
    series = 1.0
    for n in range(15 + sine, 0, -2):
        series = 1.0 - r * r / (n * (n + 1)) * series
    value = r * series if sine else series
    return -value if k % 4 in (1, 2) else value


def _exp(x: float, rest: float) -> float:
    """exp(x + rest) = 2^k exp(r), r = x + rest - k log 2, for small `rest`."""
    if abs(x) > 1000.0:
        x, rest = math.copysign(1000.0, x), 0.0
    k = math.floor(x / LOG_2[0] + 0.5)
    r = (x - k * LOG_2[0]) - (k * LOG_2[1] - rest)
    series = 1.0
    for n in range(14, 0, -1):
        series = 1.0 + r / n * series
    # 2^k may be too large or too small for a float.
    return series * math.ldexp(1.0, k // 2) * math.ldexp(1.0, k - k // 2)


def _log(x: float) -> tuple[float, float]:
    """log(m 2^e) = e log 2 + 2 artanh((m - 1) / (m + 1)), the sum of two floats."""
    if not x > 0.0:
        raise ValueError(f"x must be above 0; got {x}")
    m, e = math.frexp(x)
    if m < 0.7071067811865476:
        m, e = 2.0 * m, e - 1
    # s = a / b is the sum of its leading bits and a remainder.
    a, b = m - 1.0, m + 1.0
    s, b_leading = _leading(a / b), _leading(b)
    rest = ((a - s * b_leading) - s * (m - (b_leading - 1.0))) / b
    square = (a / b) * (a / b)
    series = 0.0
    for n in range(23, 1, -2):
        series = square * (1.0 / n + series)
    whole = e * LOG_2[0]
    high = whole + 2.0 * s
    low = 2.0 * (rest + a / b * series) + e * LOG_2[1] + (2.0 * s - (high - whole))
    return high + low, low - ((high + low) - high)


def _leading(x: float) -> float:
    """x truncated to its leading 26 bits: the product of two such numbers is exact."""
    m, e = math.frexp(x)
    return math.ldexp(math.trunc(math.ldexp(m, 26)), e - 26)
