"""Initial weights and biases by name, from random 64-bit words: equal bits everywhere.

They are computed from the words by correctly rounded operations only (+, -, *, /,
sqrt, frexp), so they do not depend on a library's exp, log or cos.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate

#: Random number generator: words(n) returns the next n random 64-bit words.
Words = Callable[[int], NDArray[np.uint64]]


def uniform(words: Words, size: int) -> NDArray[np.float64]:
    """Uniform random numbers in [-1, 1), multiples of 2^-52, one from each word."""
    return (words(size) >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Natural logarithm: log(m 2^e) = 2 artanh((m - 1) / (m + 1)) + e log 2."""
    log_2 = 0.6931471805599453
    m, e = np.frexp(x)
    s = (m - 1.0) / (m + 1.0)
    series = np.zeros_like(s)
    for k in range(41, 0, -2):
        series = series * (s * s) + 1.0 / k
    return 2.0 * s * series + e * log_2


def normal(words: Words, size: int) -> NDArray[np.float64]:
    """Standard normal numbers by Marsaglia's polar method, two per accepted pair.

    u, v uniform in [-1, 1) with 0 < s = u^2 + v^2 < 1 give u t and v t,
    t = sqrt(-2 log(s) / s).
    """
    found = np.empty(0)
    while found.size < size:
        u, v = uniform(words, 2 * size).reshape(2, -1)
        s = u * u + v * v
        inside = (s > 0) & (s < 1)
        s = s[inside]
        t = np.sqrt(-2.0 * log(s) / s)
        pairs = np.stack([u[inside] * t, v[inside] * t], axis=1)
        found = np.concatenate([found, pairs.ravel()])
    return found[:size]


def zeros(words: Words, size: int) -> NDArray[np.float64]:
    """Zeros, for which no words are taken."""
    return np.zeros(size)


#: name: (distribution, variance of a weight).  Glorot and Bengio (2010), He et al.
#: (2015), LeCun et al. (1998); a uniform distribution on [-c, c] has variance c^2 / 3.
INITIALIZERS: dict[
    str,
    tuple[Callable[[Words, int], NDArray[np.float64]], Callable[[int, int], float]],
] = {
    "glorot_uniform": (uniform, lambda n_in, n_out: 2.0 / (n_in + n_out)),
    "glorot_normal": (normal, lambda n_in, n_out: 2.0 / (n_in + n_out)),
    "he_uniform": (uniform, lambda n_in, n_out: 2.0 / n_in),
    "he_normal": (normal, lambda n_in, n_out: 2.0 / n_in),
    "lecun_uniform": (uniform, lambda n_in, n_out: 1.0 / n_in),
    "lecun_normal": (normal, lambda n_in, n_out: 1.0 / n_in),
    "zeros": (zeros, lambda n_in, n_out: 0.0),
}


#: name: distribution of a bias.
BIAS_INITIALIZERS: dict[str, Callable[[Words, int], NDArray[np.float64]]] = {
    "zeros": zeros,
    "normal": normal,
}


#: Random numbers per block, to bound their memory: they are float64.
AT_A_TIME = 1 << 15


@own_errstate
def initialize(name: str, W: NDArray[np.floating], words: Words) -> None:
    """Fill W (n_in, n_out) with initial weights.

    Parameters
    ----------
    name
        A key of ``INITIALIZERS``.
    W
        C-contiguous, overwritten; the float64 random numbers are rounded to its dtype.
    words
        ``words(n)`` returns the next n random 64-bit words.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.initializers import initialize
    >>> W = np.empty((2, 2))
    >>> initialize("he_uniform", W, np.random.PCG64(0).random_raw)
    >>> W.round(3)
    array([[ 0.474, -0.797],
           [-1.59 , -1.675]])
    """
    distribution, variance = INITIALIZERS[name]
    scale = math.sqrt(variance(*W.shape))
    if distribution is uniform:
        scale *= math.sqrt(3.0)
    _fill(W.reshape(-1), scale, distribution, words)


@own_errstate
def initialize_biases(name: str, b: NDArray[np.floating], words: Words) -> None:
    """Fill b (n_out,) with initial biases.

    Parameters
    ----------
    name
        A key of ``BIAS_INITIALIZERS``.
    b, words
        As W and words of `initialize`.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.initializers import initialize_biases
    >>> b = np.empty(3)
    >>> initialize_biases("normal", b, np.random.PCG64(0).random_raw)
    >>> b.round(3)
    array([-0.594,  0.808,  0.158])
    """
    _fill(b, 1.0, BIAS_INITIALIZERS[name], words)


def _fill(
    flat: NDArray[np.floating],
    scale: float,
    distribution: Callable[[Words, int], NDArray[np.float64]],
    words: Words,
) -> None:
    """Overwrite a flat array by `scale` times random numbers."""
    for start in range(0, flat.size, AT_A_TIME):
        piece = flat[start : start + AT_A_TIME]
        piece[...] = scale * distribution(words, piece.size)
