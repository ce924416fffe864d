"""Calls of the methods of networks that take data."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from trust.calls.call import LABELS, QUIET, ROW, TARGET, WEIGHTS, Call, X, Y, network

#: Methods with X, y and perhaps weights.
WITH_TARGETS = {
    "fit": lambda net, *data, **more: net.fit(
        *data[:2], **weights_of(data), **QUIET, **more
    ),
    "partial_fit": lambda net, *data, **more: net.partial_fit(
        *data[:2], **weights_of(data), **more
    ),
    "train_step": lambda net, *data, **more: net.train_step(*data, **more),
    "gradients": lambda net, *data, **more: net.gradients(*data, **more),
    "evaluate": lambda net, *data, **more: net.evaluate(
        *data, **more, metrics=["mae", "r2"] if not more else None
    ),
}


def weights_of(data):
    return {"sample_weight": data[2]} if len(data) > 2 else {}


def with_weights(path, run, make, labelled):
    """Calls of the arguments X, y and sample_weight."""
    yield Call(path, "X", X, lambda net, v: run(net, v, Y), make)
    yield Call(path, "y", Y, lambda net, v: run(net, X, v), make)
    yield Call(path, "y", LABELS, lambda net, v: run(net, X, v), labelled)
    yield Call(path, "sample_weight", WEIGHTS, lambda net, v: run(net, X, Y, v), make)


def with_targets(path, run, make, labelled):
    """Calls of the same arguments and of class_weight."""
    yield from with_weights(path, run, make, labelled)
    yield Call(
        path,
        "class_weight",
        np.array([1.0, 2.0]),
        lambda net, v: run(net, X, LABELS, class_weight=v),
        labelled,
    )


def calls(prefix, kind):
    """Calls of the methods of a class of networks."""
    make = partial(network, kind)
    labelled = partial(network, kind, loss="cross_entropy")
    wide = partial(network, kind, dtype="float64")

    def call(method, argument, plain, run, make=make, **more):
        return Call(f"{prefix}.{method}", argument, plain, run, make, **more)

    for name, run in WITH_TARGETS.items():
        yield from with_targets(f"{prefix}.{name}", run, make, labelled)
        yield Call(
            f"{prefix}.{name}", "X", X, lambda net, v, run=run: run(net, v, Y), wide
        )
    yield call(
        "fit", "validation", X, lambda net, v: net.fit(X, Y, validation=(v, Y), **QUIET)
    )
    yield call(
        "fit", "validation", Y, lambda net, v: net.fit(X, Y, validation=(X, v), **QUIET)
    )
    yield call(
        "fit",
        "validation",
        WEIGHTS,
        lambda net, v: net.fit(X, Y, validation=(X, Y, v), **QUIET),
    )
    stream = {"progress": False, "epochs": 1}
    yield call("fit", "mini-batch", X, lambda net, v: net.fit([(v, Y)], **stream))
    yield call("fit", "mini-batch", Y, lambda net, v: net.fit([(X, v)], **stream))
    yield call(
        "fit", "mini-batch", WEIGHTS, lambda net, v: net.fit([(X, Y, v)], **stream)
    )
    yield call("predict", "X", X, lambda net, v: net.predict(v), shaped=False)
    yield call("predict", "X", ROW, lambda net, v: net.predict(v), shaped=False)
    yield call("predict", "X", X, lambda net, v: net.predict(v), wide, shaped=False)
    yield call("predict_one", "x", ROW, lambda net, v: net.predict_one(v))
    yield call("forward", "X", X, lambda net, v: net.forward(v).output)
    yield call(
        "backward", "d_output", Y, lambda net, v: net.backward(net.forward(X), v).flat
    )
    yield call("node", "x", X, lambda net, v: net.node(v).value)
    yield call("learn_one", "x", ROW, lambda net, v: net.learn_one(v, TARGET))
    yield call("learn_one", "y", TARGET, lambda net, v: net.learn_one(ROW, v))
    yield call(
        "learn_one", "y", np.array(1), lambda net, v: net.learn_one(ROW, v), labelled
    )
    yield call("apply", "gradients", _flat(make()), _apply, said="gradients.flat")
    yield call("to_c", "X", X, lambda net, v: _to_c(net, X=v))
    yield call("to_c", "y", Y, lambda net, v: _to_c(net, X=X, y=v))


def _flat(net):
    return net.gradients(X, Y).flat.astype(np.float64).round(3)


def _apply(net, flat):
    gradients = net.gradients(X, Y)
    given = {
        f.name: getattr(gradients, f.name)
        for f in gradients.__dataclass_fields__.values()
    }
    net.apply(type(gradients)(**{**given, "flat": flat}))


def _to_c(net, **data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.h")
        net.to_c(path, **data)
        return path.read_text()
