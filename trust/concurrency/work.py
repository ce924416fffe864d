"""Calls that a thread makes again and again while the campaign disturbs it."""

import os
import shutil
import tempfile
import threading
from contextlib import contextmanager

import numpy as np

import bpcore as bp
from trust.digest import digest

N_IN, N_OUT = 8, 2
X = np.linspace(-1, 1, 120 * N_IN, dtype=np.float32).reshape(120, N_IN)
Y = np.ascontiguousarray(np.sin(3 * X[:, :N_OUT]))
LARGE_X = np.linspace(-1, 1, 256 * 300, dtype=np.float32).reshape(256, 300)
LARGE_Y = np.ascontiguousarray(LARGE_X[:, :N_OUT])


def new(sizes=(N_IN, 16, N_OUT), seed=0, **settings):
    """A network that uses two threads for any work."""
    settings = {"optimizer": bp.Adam(1e-3), **settings}
    net = bp.Network(list(sizes), rng=seed, n_threads=2, **settings)
    net.learner.engine.use_threads(2, 1)
    return net


def large(**settings):
    """A network whose backups are in a file."""
    return new((300, 900, N_OUT), **settings)


def squared(a, y):
    """A loss of arrays."""
    return ((a - y) ** 2).sum(1) / 2, a - y


def squared_graph(a, y):
    """A loss that is an expression."""
    return ((a - y) ** 2).sum(1)


def _fit(net, **settings):
    net.fit(X, Y, progress=False, **{"epochs": 5, "batch_size": 16, **settings})


def _stream(net):
    net.fit(
        ((X[i : i + 16], Y[i : i + 16]) for i in range(0, 96, 16)),
        epochs=1,
        progress=False,
    )


def _large_fit(net):
    net.fit(
        LARGE_X,
        LARGE_Y,
        epochs=2,
        batch_size=64,
        validation=0.2,
        restore_best=True,
        progress=False,
    )


def _saved(net):
    # A TemporaryDirectory would be removed at exit, while daemon threads still use it.
    folder = tempfile.mkdtemp(prefix="bpcore-trust-")
    try:
        path = os.path.join(folder, "net.bpc")
        saving = [bp.Checkpoint(path, sync=False)]
        net.fit(X, Y, epochs=2, callbacks=saving, progress=False)
        bp.load(path)
    finally:
        shutil.rmtree(folder)


def _many(net):
    nets = [new(seed=seed) for seed in range(3)]
    bp.fit_many([net, *nets], X, Y, epochs=2, n_threads=2)


def _tape(net):
    tape = net.forward(X)
    net.backward(tape, tape.output - Y)


#: Name of a call: (a function that makes its network, the call, whether it trains).
CALLS = {
    "fit": (new, _fit, True),
    "fit, epochs by Python": (new, lambda net: _fit(net, patience=3), True),
    "fit, accumulate": (new, lambda net: _fit(net, accumulate=3), True),
    "fit, custom loss": (lambda: new(loss=squared), _fit, True),
    "fit, loss of the graph": (lambda: new(loss=squared_graph), _fit, True),
    "fit, backups in a file": (large, _large_fit, True),
    "fit, iterable": (new, _stream, True),
    "fit, LBFGS": (
        lambda: new(optimizer=bp.LBFGS()),
        lambda net: _fit(net, batch_size=None),
        True,
    ),
    "fit_many": (new, _many, True),
    "fit, Checkpoint": (new, _saved, True),
    "train_step": (new, lambda net: net.train_step(X, Y), True),
    "train_step, large": (large, lambda net: net.train_step(LARGE_X, LARGE_Y), True),
    "learn_one": (new, lambda net: net.learn_one(X[0], Y[0]), True),
    "predict": (new, lambda net: net.predict(X), False),
    "predict, large": (large, lambda net: net.predict(LARGE_X), False),
    "evaluate": (new, lambda net: net.evaluate(X, Y), False),
    "gradients": (new, lambda net: net.gradients(X, Y), False),
    "forward and backward": (new, _tape, False),
    "trace": (new, lambda net: bp.trace(net, X[:4], Y[:4]), False),
}


def state_of(net):
    """The parameters, the optimizer's arrays and the counters as one text."""
    state = net.learner.state
    return digest(state.parameters, state.optimizer_arrays, state.counters)


def in_threads(count, run):
    """Call ``run(number)`` in so many threads, numbered from 0 on, until all end."""
    running = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@contextmanager
def repeated(call, *arguments):
    """Call a function again and again in another thread within a ``with`` block.

    Its first error is raised at the end.
    """
    over, errors = threading.Event(), []

    def run():
        try:
            while not over.is_set():
                call(*arguments)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if errors:
        raise errors[0]
