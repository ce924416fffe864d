"""Functions of graphs, points to try them at, and central differences."""

import numpy as np

from bpcore.graph import Variable

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape)


def positive(*shape):
    return RNG.uniform(0.5, 2.0, shape)


def apart(*shape):
    """Distinct numbers, none near another or near 0."""
    size = int(np.prod(shape))
    return (RNG.permutation(size) - size // 2 + 0.5).reshape(shape) * 0.3


def differences(f, arrays, weight, step=1e-6):
    """d sum(weight f) by each element of each array."""
    found = []
    for x in arrays:
        d = np.empty(x.shape)
        for at in np.ndindex(x.shape):
            kept = x[at]
            x[at] = kept + step
            above = np.asarray(f(*arrays)).copy()
            x[at] = kept - step
            below = np.asarray(f(*arrays)).copy()
            x[at] = kept
            d[at] = (weight * (above - below)).sum() / (2 * step)
        found.append(d)
    return found


def assert_right(f, *arrays, reference=None, moves=True):
    """Value and derivatives of f, of variables, against `reference`, of arrays.

    If it `moves` not all derivatives may be zero, which would prove nothing.
    """
    arrays = [np.array(x, dtype=np.float64) for x in arrays]
    variables = [Variable(x.copy()) for x in arrays]
    J = f(*variables)
    value = reference or (lambda *x: f(*map(Variable, x)).value)
    np.testing.assert_allclose(J.value, value(*arrays), rtol=1e-14, atol=1e-15)
    assert J.shape == np.shape(value(*arrays))
    weight = RNG.normal(size=J.shape)
    J.backward(weight)
    for x, expected in zip(variables, differences(value, arrays, weight), strict=True):
        assert x.grad.shape == x.shape and x.grad.dtype == x.dtype
        np.testing.assert_allclose(x.grad, expected, rtol=1e-6, atol=1e-8)
    if J.size and moves:
        assert any(np.any(x.grad) for x in variables)
    return variables, J


UNARY = {
    "exp": (np.exp, normal),
    "log": (np.log, positive),
    "tanh": (np.tanh, normal),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), normal),
    "relu": (lambda x: np.maximum(x, 0), apart),
    "sqrt": (np.sqrt, positive),
    "abs": (np.abs, apart),
}
BINARY = {
    "add": (lambda a, b: a + b, normal),
    "subtract": (lambda a, b: a - b, normal),
    "multiply": (lambda a, b: a * b, normal),
    "divide": (lambda a, b: a / b, positive),
    "power": (lambda a, b: a**b, positive),
}
