"""Networks whose training steps are shown as pages."""

import numpy as np

import bpcore as bp
from helpers.trace import OPTIONS, problem


def of_xor(dtype="float32"):
    """The smallest network with more than one path."""
    net = bp.Network(
        [2, 2, 2, 1],
        activation="tanh",
        output="sigmoid",
        loss="binary_cross_entropy",
        optimizer=bp.SGD(lr=0.5, momentum=0.9),
        dtype=dtype,
        rng=1,
    )
    X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
    net.train_step(X, y)
    return bp.trace(net, X, y)


def of_labels():
    """Softmax, dropout, and weights of samples and classes."""
    net = bp.Network(
        [3, 8, 8, 4],
        activation=["relu", "tanh"],
        loss="cross_entropy",
        dropout=[0.3, 0.2],
        dtype="float64",
        rng=0,
    )
    X = np.random.default_rng(0).normal(size=(6, 3))
    y = np.arange(6) % 4
    return bp.trace(net, X, y, np.arange(6.0), class_weight=[1, 2, 0.5, 0.1])


def of_norms():
    """Normalised layers below one that is not, a frozen layer, and a scale."""
    net, X, y = problem(
        "identity",
        "squared_error",
        (3, 5, 4, 3, 2),
        activation="gelu",
        norm=["batch", "layer", None],
        input_scale=1.0,
    )
    net.frozen = [True, False, False, False]
    return bp.trace(net, X, y)


def of_softmax():
    """Hidden softmax, which joins units, with dropout; an output of its own."""
    net, X, y = problem(
        "tanh", "huber", (3, 2, 4, 3), activation=["softmax", "elu"], dropout=[0.3, 0.0]
    )
    return bp.trace(net, X, y)


def of_many_paths():
    """64 paths from each of the first weights, and one row."""
    net, X, y = problem("identity", "squared_error", (1, 2, 4, 4, 4, 1), n=1)
    return bp.trace(net, X, y)


TRACES = {
    "xor": of_xor,
    "xor in float64": lambda: of_xor("float64"),
    "labels, dropout and weights": of_labels,
    "norms, scale and a frozen layer": of_norms,
    "softmax within": of_softmax,
    "many paths": of_many_paths,
}


def each_option_traced():
    """A trace with each of the options of networks, in both dtypes."""
    for options in OPTIONS:
        for dtype in ("float32", "float64"):
            net, X, y = problem(dtype=dtype, **options)
            yield bp.trace(net, X, y, np.arange(1.0, 6.0))
