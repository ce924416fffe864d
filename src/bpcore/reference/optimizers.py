"""One step of each optimizer: ``csrc/descent.h`` and ``csrc/prepare.h`` in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.reference.activations import normal
from bpcore.reference.layers import unit_scale

Array = NDArray[Any]
#: The settings of a parameter group (``Optimizer.groups``), by attribute.
Settings = SimpleNamespace
#: Decaying parameters become 0 instead of subnormal in multiples of this step.
CLEARING_STEP = 32


def sgd(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """v = momentum v + (1 - dampening) g;  lr v, or lr (g + momentum v)"""
    if o.momentum == 0:
        return lr * g
    s[0] = normal(o.momentum * s[0] + (g if t == 1 else (1 - o.dampening) * g))
    return lr * (g + o.momentum * s[0] if o.nesterov else s[0])


def momentum(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """change = alpha change - lr g;  change, or alpha change - lr g"""
    s[0] = normal(o.momentum * s[0] - lr * g)
    return lr * g - o.momentum * s[0] if o.nesterov else -s[0]


def rmsprop(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """lr g / (sqrt(mean g^2) + eps), or with momentum its velocity"""
    s[0] = normal(o.beta2 * s[0] + (1 - o.beta2) * g * g)
    variance = s[0]
    if o.centered:
        s[2] = normal(s[2] + (1 - o.beta2) * (g - s[2]))
        variance = np.maximum(s[0] - s[2] * s[2], 0)  # below 0 only by rounding
    change = g / (np.sqrt(variance) + o.eps)
    if o.momentum == 0:
        return lr * change
    s[1] = normal(o.momentum * s[1] + change)
    return lr * s[1]


def adagrad(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """lr / (1 + (t - 1) decay) g / (sqrt(sum g^2) + eps)"""
    s[0] += g * g
    return lr / (1 + (t - 1) * o.decay) * g / (np.sqrt(s[0]) + o.eps)


def adam(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """lr m / (sqrt(s) + eps), with m and s corrected for their bias"""
    m, square = adam_means(g, s, o)
    return lr / (1 - o.beta1**t) * m / divisor(square, o, t)


def divisor(square: Array, o: Settings, t: int) -> Array:
    """sqrt(square / (1 - beta2^t)) + eps, with eps corrected like the square or not"""
    correction = np.sqrt(1 - o.beta2**t)
    if o.eps_corrected:
        return (np.sqrt(square) + o.eps) / correction
    return np.sqrt(square) / correction + o.eps


def adam_means(g: Array, s: Array, o: Settings) -> tuple[Array, Array]:
    """The running means of g and of g^2"""
    s[0] = normal(s[0] + (1 - o.beta1) * (g - s[0]))
    s[1] = normal(o.beta2 * s[1] + (1 - o.beta2) * g * g)
    return s[0], s[1]


def amsgrad(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """`adam` with the largest mean square so far"""
    m, square = adam_means(g, s, o)
    s[2] = np.maximum(s[2], square)
    return lr / (1 - o.beta1**t) * m / divisor(s[2], o, t)


def nadam(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """`adam` with the momentum of the next step"""

    def mu(i: int) -> float:
        return o.beta1 * (1 - 0.5 * 0.96 ** (i * o.decay))

    m, square = adam_means(g, s, o)
    product = 1.0
    for i in range(1, t + 1):
        if product < 1e-60:  # 1 - product is 1
            break
        product *= mu(i)
    g_factor = (1 - mu(t)) / (1 - product)
    m_factor = mu(t + 1) / (1 - product * mu(t + 1))
    return lr * (g_factor * g + m_factor * m) / divisor(square, o, t)


def adamax(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """lr m / max(beta2 u, |g| + eps)"""
    s[0] = normal(s[0] + (1 - o.beta1) * (g - s[0]))
    s[1] = np.maximum(o.beta2 * s[1], np.abs(g) + o.eps)
    return lr / (1 - o.beta1**t) * s[0] / s[1]


def radam(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """`adam`, divided by the root only when its variance is small enough"""
    m, square = adam_means(g, s, o)
    lr = lr / (1 - o.beta1**t)
    r_end = 2 / (1 - o.beta2) - 1
    r = r_end - 2 * t * o.beta2**t / (1 - o.beta2**t)
    if r <= 5:
        return lr * m
    R = np.sqrt((r - 4) * (r - 2) * r_end / ((r_end - 4) * (r_end - 2) * r))
    return lr * R * np.sqrt(1 - o.beta2**t) * m / (np.sqrt(square) + o.eps)


def lion(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """lr sign(beta1 m + (1 - beta1) g)"""
    change = np.sign(s[0] + (1 - o.beta1) * (g - s[0]))
    s[0] = normal(s[0] + (1 - o.beta2) * (g - s[0]))
    return lr * change


def rprop(g: Array, s: Array, o: Settings, lr: float, t: int) -> Array:
    """sign(g) times a step size that grows while the sign stays, and else shrinks"""
    turn = np.sign(g) * np.sign(s[0])
    factor = np.where(turn > 0, o.grow, np.where(turn < 0, o.shrink, 1))
    s[1] = np.clip(s[1] * factor, o.least, o.most)
    s[0] = np.where(turn < 0, 0, g)
    return o.lr_factor * np.sign(s[0]) * s[1]


RULES: dict[str, Callable[[Array, Array, Settings, float, int], Array]] = {
    "plain": sgd,
    "plain_momentum": sgd,
    "plain_nesterov": sgd,
    "sgd": sgd,
    "momentum": momentum,
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "adam": adam,
    "amsgrad": amsgrad,
    "nadam": nadam,
    "adamax": adamax,
    "radam": radam,
    "lion": lion,
    "rprop": rprop,
}


@own_errstate
def descend(
    w: Array, g: Array, group: dict[str, Any], lr: float, step: int, state: Any = None
) -> None:
    """One optimizer step on w by its gradient g, in place; state (k, *w.shape)

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import descend
    >>> import bpcore as bp
    >>> w, g = np.array([1.0]), np.array([2.0])
    >>> descend(w, g, bp.SGD(0.1).groups()[0], lr=0.1, step=1)
    >>> w
    array([0.8])
    """
    o = Settings(**group)
    o.eps = max(o.eps, float(np.finfo(w.dtype).tiny))  # smaller ones may become 0
    lr = lr * o.lr_factor
    g = np.clip(g, -o.clip_value, o.clip_value)
    penalty = o.weight_decay * w + o.l1 * np.sign(w)
    if o.decoupled:
        w -= lr * penalty
    else:
        g = g + penalty
    w -= RULES[o.rule](g, state, o, lr, step)
    if step % CLEARING_STEP == 0 and (o.weight_decay or o.l1):
        w[...] = normal(w)


@own_errstate
def clip_norm(g: Array, most: float, factor: float = 1.0) -> float:
    """g = factor g min(1, most / (||factor g|| + 1e-6)) in place; returns the norm

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import clip_norm
    >>> g = np.array([3.0, 4.0])
    >>> norm = clip_norm(g, 1.0)
    >>> norm, g.round(3)
    (5.0, array([0.6, 0.8]))
    """
    wide = g.astype(np.float64)
    scale = float(unit_scale(np.abs(wide).max()))
    norm = factor * float(np.sqrt(((wide * scale) ** 2).sum())) / scale
    g[...] = wide * (factor * min(1.0, most / (norm + 1e-6)))
    return norm


@own_errstate
def limit_norms(W: Array, most: float) -> None:
    """W[:, j] = W[:, j] min(1, most / ||W[:, j]||) in place

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.reference import limit_norms
    >>> W = np.array([[3.0, 0.1], [4.0, 0.2]])
    >>> limit_norms(W, 1.0)
    >>> W
    array([[0.6, 0.1],
           [0.8, 0.2]])
    """
    scale = unit_scale(np.abs(W).max(axis=0))
    norms = np.sqrt(((W * scale) ** 2).sum(axis=0))  # of scale W
    longer = norms > most * scale
    W[:, longer] = (W * scale)[:, longer] * (most / norms[longer])
