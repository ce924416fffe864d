"""Networks, targets and losses written out for graphs."""

import numpy as np

import bpcore as bp
from bpcore import graph

QUIET = {"progress": False}


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def huber(a, y):
    d = abs(a - y)
    near = graph.minimum(d, 1)
    return (0.5 * near**2 + (d - near)).mean(axis=1)


#: The value of every sample, of the outputs.
LOSSES = {
    "squared_error": lambda a, y: 0.5 * ((a - y) ** 2).sum(axis=1),
    "mean_squared_error": lambda a, y: ((a - y) ** 2).mean(axis=1),
    "mean_absolute_error": lambda a, y: abs(a - y).mean(axis=1),
    "cross_entropy": lambda a, y: (
        -graph.log(a[np.arange(len(y)), y])
        if y.ndim == 1
        else -(y * graph.log(a)).sum(axis=1)
    ),
    "binary_cross_entropy": lambda a, y: (
        -(y * graph.log(a) + (1 - y) * graph.log(1 - a)).sum(axis=1)
    ),
    "huber": huber,
    "quantile": lambda a, y: graph.maximum(0.5 * (y - a), -0.5 * (y - a)).mean(axis=1),
    "log_cosh": lambda a, y: graph.log(
        0.5 * (graph.exp(a - y) + graph.exp(y - a))
    ).mean(axis=1),
    "hinge": lambda a, y: graph.relu(1 - y * a).mean(axis=1),
    "kl_divergence": lambda a, y: (y * (np.log(y) - graph.log(a))).sum(axis=1),
    "poisson": lambda a, y: (a - y * graph.log(a)).mean(axis=1),
}
OUTPUTS = {
    "cross_entropy": "softmax",
    "kl_divergence": "softmax",
    "binary_cross_entropy": "sigmoid",
    "poisson": "exp",
}


def targets(rng, loss, shape):
    if loss == "cross_entropy":
        labels = rng.integers(shape[1], size=shape[0])
        return labels if rng.random() < 0.5 else np.eye(shape[1])[labels]
    if loss == "hinge":
        return rng.choice([-1.0, 1.0], shape)
    y = rng.uniform(0.1, 0.9, shape)
    return y / y.sum(axis=1, keepdims=True) if loss == "kl_divergence" else y


def made(Network=bp.Network, sizes=(3, 5, 2), **settings):
    settings = {
        "activation": "tanh",
        "dtype": "float64",
        "optimizer": bp.SGD(0.1),
        "rng": 0,
        **settings,
    }
    return Network(sizes, **settings)


X, T = normal(1, 7, 3), normal(2, 7, 2)


def assert_close(a, b, rtol=1e-12):
    assert np.abs(b).max() > 1e-3
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())
