"""f(z), and delta * f'(z), for every activation: ``csrc/activations.h`` in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate

Array = NDArray[Any]

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772

erf = np.vectorize(math.erf, otypes=[np.float64])


def normal(x: Array) -> Array:
    """x with 0 in place of subnormal numbers, which are slow on some processors"""
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0, x)


def exp(z: Array) -> Array:
    """exp(z), and 0 where that is subnormal or almost"""
    least = -87 if z.dtype == np.float32 else -708
    return np.where(z < least, 0, np.exp(np.maximum(z, least)))


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), computed without overflow of exp."""
    e = exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)


def below(z: Array, highest: Array) -> Array:
    """z - highest, and 0 where they are equal, even if both are infinite"""
    return np.where(z == highest, 0, z - highest)


def softmax(z: Array) -> Array:
    """exp(z_j) / sum_k exp(z_k) of each row; infinite z get equal parts of 1."""
    e = exp(below(z, z.max(axis=1, keepdims=True)))
    return e / e.sum(axis=1, keepdims=True)


@own_errstate
def normal_cdf(z: Array) -> Array:
    """The distribution function of the standard normal distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import normal_cdf
    >>> normal_cdf(np.array([0.0, 1.96])).round(3)
    array([0.5  , 0.975])
    """
    return (0.5 * (1 + erf(z / math.sqrt(2)))).astype(z.dtype)


def normal_density(z: Array) -> Array:
    """exp(-z^2 / 2) / sqrt(2 pi)"""
    return exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def gelu_inner(z: Array) -> Array:
    """The argument of tanh in gelu_tanh."""
    return math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)


def gelu_tanh_derivative(z: Array) -> Array:
    """d/dz of z (1 + t) / 2 with t = tanh(gelu_inner(z))"""
    z = np.clip(z, -20, 20)  # where t is -1 or 1, and inner finite
    t = np.tanh(gelu_inner(z))
    inner = math.sqrt(2 / math.pi) * (1 + 0.134145 * z * z)
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * inner


def mish_terms(z: Array) -> tuple[Array, Array, Array]:
    """n, d and w: tanh(log(1 + exp(z))) = n / d,  mish'(z) = (n + z w / d) / d"""
    e = exp(-np.abs(z))
    u, v = np.where(z < 0, e, 1), np.where(z < 0, 1, e)
    n = u * (u + 2 * v)
    return n, n + 2 * v * v, 4 * e * v * (u + v)


def mish(z: Array) -> Array:
    """z tanh(log(1 + exp(z)))"""
    n, d, _ = mish_terms(z)
    return above(z) * (n / d)


def mish_derivative(z: Array) -> Array:
    """d/dz of z tanh(log(1 + exp(z)))"""
    n, d, w = mish_terms(z)
    return (n + within(z) * w / d) / d


def above(z: Array) -> Array:
    """z as a factor of a function that is 0 far below 0: bounded, to avoid inf * 0"""
    return np.maximum(z, -1000)


def within(z: Array) -> Array:
    """z as a factor of a function that is 0 far from 0: bounded, to avoid inf * 0"""
    return np.clip(z, -1000, 1000)


def softsign(z: Array) -> Array:
    """z / (1 + |z|), 1 and -1 for infinite z"""
    z = np.clip(z, np.finfo(z.dtype).min, np.finfo(z.dtype).max)
    return z / (1 + np.abs(z))


def expm1_below(z: Array) -> Array:
    """exp(z) - 1 for z <= 0, 0 above"""
    return np.expm1(np.minimum(z, 0))


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "softmax": softmax,
    "leaky_relu": lambda z: np.where(z < 0, 0.01 * z, z),
    "elu": lambda z: np.where(z > 0, z, expm1_below(z)),
    "selu": lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * expm1_below(z)),
    "gelu": lambda z: above(z) * normal_cdf(z),
    "gelu_tanh": lambda z: 0.5 * above(z) * (1 + np.tanh(gelu_inner(z))),
    "silu": lambda z: above(z) * sigmoid(z),
    "mish": mish,
    "softplus": lambda z: np.maximum(z, 0) + np.log1p(exp(-np.abs(z))),
    "softsign": softsign,
    "hard_sigmoid": lambda z: np.clip((z + 3) / 6, 0, 1),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "exp": exp,
    "step": lambda z: np.where(z > 0, 1, np.where(z <= 0, 0, z)),
}

#: f'(z) in terms of a = f(z), or of z for those with ``needs_z``.
DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
    "relu": lambda a: (a > 0).astype(a.dtype),
    "leaky_relu": lambda a: np.where(a > 0, 1, 0.01),
    "elu": lambda a: np.where(a > 0, 1, a + 1),
    "selu": lambda a: np.where(a > 0, SELU_SCALE, a + SELU_SCALE * SELU_ALPHA),
    "gelu": lambda z: normal_cdf(z) + within(z) * normal_density(z),
    "gelu_tanh": gelu_tanh_derivative,
    "silu": lambda z: sigmoid(z) * (1 + within(z) * (1 - sigmoid(z))),
    "mish": mish_derivative,
    "softplus": lambda a: -np.expm1(-a),
    "softsign": lambda a: (1 - np.abs(a)) ** 2,
    "hard_sigmoid": lambda a: np.where((a > 0) & (a < 1), 1 / 6, 0),
    "hard_tanh": lambda a: np.where(np.abs(a) < 1, 1.0, 0.0),
    "exp": lambda a: a,
    "step": np.zeros_like,
}


@own_errstate
def activate(z: Array, activation: str) -> Array:
    """f(z)     z (n, n_out)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import activate
    >>> activate(np.array([[-1.0, 2.0]]), "relu")
    array([[0., 2.]])
    """
    return FUNCTIONS[activation](z).astype(z.dtype, copy=False)


@own_errstate
def times_derivative(delta: Array, a: Array, activation: str) -> Array:
    """delta * f'(z), given a = f(z), or a = z for those with ``needs_z``

    It is 0 in place of subnormal numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import times_derivative
    >>> a = np.array([[0.5, 0.9]])
    >>> times_derivative(np.ones((1, 2)), a, "sigmoid").round(2)
    array([[0.25, 0.09]])
    """
    if activation == "identity":
        return delta
    if activation == "softmax":
        return normal(a * (delta - (delta * a).sum(axis=1, keepdims=True)))
    product = delta * DERIVATIVES[activation](a)
    return normal(product.astype(delta.dtype, copy=False))
