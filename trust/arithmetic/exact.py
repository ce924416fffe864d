"""Losses, softmax, norms and metrics in extended precision, by mpmath.

Each loss is a list of terms for one row: what it adds up, so that the size of a
rounding error is known beside the value.
"""

import itertools

import mpmath

#: Decimal digits: enough that no example below cancels.
DIGITS = 800

log, exp, mpf = mpmath.log, mpmath.exp, mpmath.mpf


def numbers(row):
    """Floats as exact numbers."""
    return [mpf(float(x)) for x in row]


def softmax(z):
    """e^z / sum e^z"""
    powers = [exp(x) for x in z]
    total = mpmath.fsum(powers)
    return [p / total for p in powers]


def log_softmax(z):
    """z - log(sum e^z)"""
    total = log(mpmath.fsum(exp(x) for x in z))
    return [x - total for x in z]


def sigmoid(x):
    """1 / (1 + e^-x)"""
    return 1 / (1 + exp(-x))


def plus(x):
    """x above 0, else 0"""
    return max(x, mpf(0))


def sign(x):
    """-1, 0 or 1"""
    return mpmath.sign(x)


def cross_entropy(z, y, c):
    """-sum y log softmax(z)"""
    a, total = log_softmax(z), mpmath.fsum(y)
    terms = [-t * x for t, x in zip(y, a, strict=True) if t]
    return terms, [p * total - t for p, t in zip(softmax(z), y, strict=True)]


def kl_divergence(z, y, c):
    """sum y (log y - log softmax(z))"""
    terms, delta = cross_entropy(z, y, c)
    return [*terms, *(t * log(t) for t in y if t)], delta


def over_outputs(value, derivative, mean):
    """A loss that is the sum, or the mean, of a term of each output."""

    def loss(z, y, c):
        n = len(z) if mean else 1
        pairs = list(zip(z, y, strict=True))
        values = [value(x, t, c) for x, t in pairs]
        several = (v if isinstance(v, list) else [v] for v in values)
        terms = list(itertools.chain.from_iterable(several))
        return [v / n for v in terms], [derivative(x, t, c) / n for x, t in pairs]

    return loss


def _huber(x, y, c):
    d = abs(x - y)
    return c * (d - c / 2) if d > c else d * d / 2


LOSSES = {
    "squared_error": over_outputs(
        lambda x, y, c: (x - y) ** 2 / 2, lambda x, y, c: x - y, mean=False
    ),
    "mean_squared_error": over_outputs(
        lambda x, y, c: (x - y) ** 2, lambda x, y, c: 2 * (x - y), mean=True
    ),
    "mean_absolute_error": over_outputs(
        lambda x, y, c: abs(x - y), lambda x, y, c: sign(x - y), mean=True
    ),
    "huber": over_outputs(_huber, lambda x, y, c: min(c, max(-c, x - y)), mean=True),
    "quantile": over_outputs(
        lambda x, y, c: max(c * (y - x), (c - 1) * (y - x)),
        lambda x, y, c: -c if x < y else 1 - c if x > y else mpf(0),
        mean=True,
    ),
    "log_cosh": over_outputs(
        lambda x, y, c: abs(x - y) + log((1 + exp(-2 * abs(x - y))) / 2),
        lambda x, y, c: mpmath.tanh(x - y),
        mean=True,
    ),
    "hinge": over_outputs(
        lambda x, y, c: plus(1 - x * y),
        lambda x, y, c: -y if x * y < 1 else mpf(0),
        mean=True,
    ),
    "poisson": over_outputs(
        lambda x, y, c: [x, -y * log(x + c)],
        lambda x, y, c: 1 - y / (x + c),
        mean=True,
    ),
    "poisson_of_log": over_outputs(
        lambda x, y, c: [exp(x), -x * y], lambda x, y, c: exp(x) - y, mean=True
    ),
    "binary_cross_entropy": over_outputs(
        lambda x, y, c: [plus(x) - x * y, log(1 + exp(-abs(x)))],
        lambda x, y, c: sigmoid(x) - y,
        mean=False,
    ),
    "cross_entropy": cross_entropy,
    "kl_divergence": kl_divergence,
}


#: The sum of absolute values in a derivative, where it cancels.
CANCELLING = {
    "poisson": lambda x, y, c: 1 + y / (x + c),
    "poisson_of_log": lambda x, y, c: exp(x) + y,
    "binary_cross_entropy": lambda x, y, c: sigmoid(x) + y,
}


def norm(x):
    """sqrt(sum x^2)"""
    return mpmath.sqrt(mpmath.fsum(v * v for v in x))


def moments(x):
    """Mean and variance."""
    mean = mpmath.fsum(x) / len(x)
    return mean, mpmath.fsum((v - mean) ** 2 for v in x) / len(x)
