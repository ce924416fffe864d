"""Calls of functions on networks, and of what shows them."""

from functools import partial

import numpy as np

import bpcore as bp
import bpcore.distributed
from trust.calls.call import LABELS, QUIET, ROW, WEIGHTS, Call, N, X, Y, network
from trust.calls.networks import weights_of, with_targets, with_weights

FUNCTIONS = {
    "check_gradients": bp.check_gradients,
    "trace": lambda net, *data, **more: bp.trace(net, *data, **more).loss,
    "loss_surface": lambda net, *data, **more: (
        bp.loss_surface(net, *data, **more, points=3, steps=2, optimizers=bp.SGD(0.1)).E
    ),
}


def calls():
    """Calls of functions on networks."""
    labelled = partial(network, loss="cross_entropy")
    for name, run in FUNCTIONS.items():
        yield from with_targets(name, run, network, labelled)
    yield from animations()
    yield from with_weights("fit_many", _fit_many, network, labelled)
    yield from with_weights("distributed.fit", _distributed_fit, network, labelled)
    for argument, plain, run in (
        ("X", X, lambda net, v: _gradient_flow(net, v, Y)),
        ("y", Y, lambda net, v: _gradient_flow(net, X, v)),
        ("sample_weight", WEIGHTS, lambda net, v: _gradient_flow(net, X, Y, v)),
    ):
        yield Call("GradientFlow", argument, plain, run, network)
    yield Call(
        "numerical_gradient",
        "x",
        ROW,
        lambda _, v: bp.numerical_gradient(lambda x: (x * x).sum(), v),
        said="x|eps",
        shaped=False,
    )
    yield Call(
        "Trace.check",
        "mine",
        np.zeros((N, 4)),
        lambda net, v: bp.trace(net, X, Y).check("delta[0]", v).ok,
        network,
        shaped=False,  # another shape is not right, but no error
    )


def _fit_many(net, *data):
    options = {"epochs": 2, "n_threads": 1, **weights_of(data)}
    return bp.fit_many([net], *data[:2], **options)[0].history


def _distributed_fit(net, *data):
    options = {"shards": 2, **weights_of(data), **QUIET}
    return bp.distributed.fit(net, *data[:2], **options)


def _gradient_flow(net, *data):
    watch = bp.GradientFlow(*data)
    net.fit(X, Y, callbacks=[watch], **QUIET)
    return watch.to_dict()


def animations():
    """Calls of `animate`, which shows networks of one or two inputs."""
    x, y = X[:, :1].copy(), Y[:, :1].copy()

    def numbers():
        return bp.Network([1, 4, 1], rng=0)

    def classes():
        return bp.Network([2, 4, 2], loss="cross_entropy", rng=0)

    def animate(net, X, y, **more):
        return bp.animate(net, X, y, **QUIET, **more).loss

    for argument, plain, run in (
        ("X", x, lambda net, v: animate(net, v, y)),
        ("y", y[:, 0], lambda net, v: animate(net, x, v)),
        ("sample_weight", WEIGHTS, lambda net, v: animate(net, x, y, sample_weight=v)),
        ("validation", x, lambda net, v: animate(net, x, y, validation=(v, y))),
    ):
        yield Call("animate", argument, plain, run, numbers)
    yield Call(
        "animate", "y", LABELS, lambda net, v: animate(net, X[:, :2], v), classes
    )
    weights = np.array([1.0, 2.0])
    yield Call(
        "animate",
        "class_weight",
        weights,
        lambda net, v: animate(net, X[:, :2], LABELS, class_weight=v),
        classes,
    )
