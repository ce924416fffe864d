"""Forks in the middle of calls: in another thread, and in functions of the user."""

import os
import random
import threading
import time

import numpy as np

import bpcore as bp
from trust.children.forked import Child, in_child
from trust.concurrency import work


def trained():
    """The state of a new network after some training."""
    net = work.new(dropout=0.1)
    net.fit(work.X, work.Y, epochs=2, progress=False)
    return work.state_of(net)


# --- while another thread calls -------------------------------------------------------


def fork_during(name, moments):
    """Fork after each of some seconds of a call in another thread.

    Yields for each of `moments` what was wrong with the child, or None.
    """
    make, call, trains = work.CALLS[name]
    net, expected = make(), trained()
    call(net)  # a module that is being imported in a thread stays so in a child
    rows = work.LARGE_X if net.sizes[0] == 300 else work.X
    outputs = None if trains else net.predict(rows).tobytes()
    with work.repeated(call, net):
        for moment in moments:
            time.sleep(moment)
            _, fault = in_child(lambda: use(net, rows, expected, outputs))
            yield fault


def use(net, rows, expected, outputs):
    """Use a network in a child in every way; raises if anything is wrong."""
    # First in new threads, which may have the numbers of those that are gone.
    found = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: found.append(net.predict(rows)))
        thread.start()
        thread.join()
    assert len(found) == 2, "a thread could not predict"
    assert found[0].tobytes() == found[1].tobytes(), "predictions differ"
    assert np.isfinite(found[0]).all(), "a prediction is not finite"
    if outputs is not None:
        assert found[0].tobytes() == outputs, "predictions differ from the parent's"
    assert net.learner.accumulate == 1, "gradients are accumulated"
    targets = np.ascontiguousarray(rows[:, :2])
    if not isinstance(net.optimizer, bp.LBFGS):
        assert np.isfinite(net.train_step(rows, targets)), "the loss is not finite"
    net.fit(rows, targets, epochs=1, progress=False)
    assert np.isfinite(net.gradients(rows, targets).flat).all(), "gradients"
    assert trained() == expected, "a new network has other bits"
    return b""


def random_moments(count, longest, seed):
    """Seconds at random, many of them short."""
    draw = random.Random(seed)
    return [longest * draw.random() ** 3 for _ in range(count)]


# --- in functions of the user ---------------------------------------------------------


class Fork:
    """A function of the user that forks at one of its calls.

    In the child it changes a network that is its argument, so that parent and child
    have different numbers from then on, and one goes on after the other has ended.

    Parameters
    ----------
    at : int
        The number of the call, from 1 on; 0 for none.
    first : {"child", "parent", "alone"}
        Which process goes on first.  If "alone" there is no fork, but the change.
    """

    def __init__(self, at, first="parent"):
        self.at, self.first, self.calls = at, first, 0
        self.child = self.result = None

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls != self.at:
            return
        if self.first != "alone":
            turn, over = os.pipe()
            self.child = Child()
            if not self.child.here:
                os.close(turn)
                self.turn = over
                if self.first == "child":
                    os.close(over)
                    self.result = self.child.result()
                return
            os.close(over)
            os.read(turn, 1)
            os.close(turn)
        if arguments and isinstance(arguments[0], bp.Network):
            arguments[0].biases[0][...] += 1

    def end(self):
        """The result of the child, after the parent's fit."""
        if self.result is None:
            os.close(self.turn)
            self.result = self.child.result()
        return self.result

    def loss(self, a, y):
        self()
        return work.squared(a, y)

    def graph_loss(self, a, y):
        self()
        return work.squared_graph(a, y)

    def mini_batches(self):
        for i in range(0, 96, 16):
            self()
            yield work.X[i : i + 16], work.Y[i : i + 16]

    def metric(self, y, a):
        self()
        return float(abs(y - a).mean())


def _after_epochs(fork, make=work.new, **settings):
    net = make()
    _fit_rows(net, callbacks=[fork], epochs=6, **settings)
    return net


def _fit_rows(net, **settings):
    rows = (work.X, work.Y)
    if net.sizes[0] == 300:
        rows = (work.LARGE_X, work.LARGE_Y)
    net.fit(*rows, progress=False, batch_size=32, **settings)


def _after_batches(fork):
    net = work.new()
    _fit_rows(net, batch_callbacks=[fork], epochs=2)
    return net


def _in_loss(loss):
    net = work.new(loss=loss)
    _fit_rows(net, epochs=2)
    net.evaluate(work.X, work.Y)
    return net


def _stream(fork):
    net = work.new()
    net.fit(fork.mini_batches(), epochs=1, progress=False)
    return net


def _metric(fork):
    net = work.new()
    _fit_rows(net, metrics=[fork.metric], epochs=6)
    return net


def _diverging(fork):
    """A fit whose last epoch is undone, from a copy in a file."""
    net = work.large(optimizer=bp.SGD(0.01))

    def callback(net, history):
        fork(net)
        if len(history) == 6:
            net.optimizer = bp.SGD(1e30)

    try:
        _fit_rows(net, callbacks=[callback], epochs=9)
    except bp.DivergenceError:
        return net
    raise AssertionError("the fit did not diverge")


def _best(fork):
    """A fit that ends with the best epoch, which is not the last."""
    net = work.large()

    def callback(net, history):
        fork(net)
        if len(history) >= 3:
            net.learner.views.biases[-1][...] += 1

    _fit_rows(net, callbacks=[callback], validation=0.2, restore_best=True, epochs=6)
    return net


#: Where a user's function is called: a fit with that function.
PLACES = {
    "callbacks": _after_epochs,
    "batch_callbacks": _after_batches,
    "loss": lambda fork: _in_loss(fork.loss),
    "loss of the graph": lambda fork: _in_loss(fork.graph_loss),
    "iterable": _stream,
    "metrics": _metric,
    "callbacks, diverging, backup in a file": _diverging,
    "callbacks, best epoch in a file": _best,
}


def fork_inside(place, at, first):
    """Fork in the call number `at` of a user's function; both processes go on.

    Returns what was wrong, or None: both must have the bits of a fit without a fork.
    """
    fit = PLACES[place]
    expected = work.state_of(fit(Fork(0)))
    changed = work.state_of(fit(Fork(at, "alone")))
    fork = Fork(at, first)
    try:
        ended = work.state_of(fit(fork))
        if fork.child is None:
            return f"only {fork.calls} calls"
        if fork.child.here:
            again = work.state_of(fit(Fork(0)))
            fork.child.end((ended + again).encode)
    finally:  # a child must not go on with the campaign
        if fork.child is not None and fork.child.here:
            os._exit(3)
    found, fault = fork.end()
    if fault is None and ended != expected:
        fault = "the parent has other bits"
    if fault is None and found.decode() != changed + expected:
        fault = "the child has other bits"
    return fault


def calls_of(place):
    """How often the user's function is called."""
    fork = Fork(0)
    PLACES[place](fork)
    return fork.calls
