"""Calls that change a network, an estimator or a file, and the states they may leave.

A `Change` makes a subject and changes it. If the change is interrupted, the subject
must be in one of the states that `states` lists: that before, that after, and for a fit
that after each of its mini-batches. `fault` then says what else is wrong: a network
that is locked, cannot be stored, or goes on with other bits than a copy of it.
"""

import pickle
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import bpcore as bp
from bpcore.distributed.epochs import ShardedEpochs
from trust.digest import digest

RNG = np.random.default_rng(0)
N = 24
X = RNG.normal(size=(N, 3)).astype("float32")
Y = np.ascontiguousarray(X[:, :2] * 2)
QUIET = {"progress": False}


def network(**settings):
    """A network with state of every kind: moments, an optimizer's arrays, counters."""
    settings = {"optimizer": bp.Adam(0.01), "norm": "batch", "rng": 0, **settings}
    net = bp.Network([3, 4, 2], n_threads=1, **settings)
    size = 8 if net.learner.makes_steps else None
    net.fit(X, Y, epochs=1, batch_size=size, **QUIET)
    return net


@dataclass
class Change:
    """One call that changes something.

    Parameters
    ----------
    name : str
    make : callable
        Returns a new subject, the same each time.
    change : callable
        Changes it.
    states : callable, optional
        States that it may have after an interrupt, of the change; by default that
        before and that after.
    state : callable
        The state of a subject, as bytes or a tuple.
    fault : callable
        What is wrong with a subject whose state is right, or None.
    """

    name: str
    make: Any
    change: Any
    states: Any = None
    state: Any = None
    fault: Any = None

    def __post_init__(self):
        self.state = self.state or state_of
        self.fault = self.fault or network_fault
        self.states = self.states or before_and_after

    def __str__(self):
        return self.name


# --- the state of a network -----------------------------------------------------------


def state_of(net):
    """All that training changes, and the random numbers, as two texts."""
    learner = net.learner
    arrays = learner.state.to_arrays()
    bits = arrays.pop("bits")
    arrays = {name: (a.shape, a.dtype.str, a.tobytes()) for name, a in arrays.items()}
    settings = repr(learner.state.optimizer), repr(learner.design), net.n_threads
    return digest((arrays, settings)), digest(bits)


def before_and_after(change):
    subject = change.make()
    found = {change.state(subject)}
    change.change(subject)
    found.add(change.state(subject))
    return found


def network_fault(net):
    """What is wrong with a network that was interrupted, or None."""
    learner = net.learner
    if learner.running is not None:
        return "a fit is said to run"
    if learner.accumulate != 1:
        return f"accumulate is {learner.accumulate}"
    history = net.history
    if history is not None:
        lengths = {len(column) for column in history.to_dict().values()}
        if lengths - {len(history)}:
            return f"columns of the history have lengths {lengths}"
    twin = pickle.loads(pickle.dumps(net))
    targets = Y if net.sizes[-1] == 2 else np.arange(N) % net.sizes[-1]
    try:
        in_thread(partial(go_on, net, targets))  # raises if this thread has its lock
    except Exception as error:
        return f"it does not go on: {type(error).__name__}: {error}"
    go_on(twin, targets)
    if state_of(net) != state_of(twin):
        return "it goes on with other bits than a copy of it"
    return None


def go_on(net, targets):
    """Use a network in every way whose result depends on more than its arrays."""
    if net.learner.makes_steps:
        net.apply(net.gradients(X, targets))
        net.train_step(X[:8], targets[:8])
        if "batch" not in net.norms:
            net.learn_one(X[0], targets[0])
        net.fit(X, targets, epochs=1, accumulate=2, batch_size=5, **QUIET)
    net.fit(X, targets, epochs=2, **QUIET)


def in_thread(function):
    """Call a function in another thread; raises its error."""
    errors = []

    def run():
        try:
            function()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


# --- states during a fit --------------------------------------------------------------


def mini_batches(change):
    """The states of a fit before it, after each mini-batch and after each epoch.

    The random numbers of an epoch may have been drawn before its first mini-batch.
    After its last one the epoch counts.
    """
    net = change.make()
    found, last = {state_of(net)}, [state_of(net)]

    def note(began):
        now = state_of(net)
        if began:
            found.add((last[0][0], now[1]))
        found.add(now)
        last[0] = now

    def after_mini_batch(net, epoch, batch, loss):
        if batch < change.change.batches:
            note(batch == 1)

    def after_epoch(net, history):
        note(False)

    change.change(net, after_mini_batch, after_epoch)
    found.add(state_of(net))
    return found


def steps_of_shards(change):
    """The states of a fit by shards before it and after each step and each epoch."""
    net = change.make()
    found, make_step = {state_of(net)}, ShardedEpochs.make_step
    last = [state_of(net)]

    def noted(self, *arguments):
        began = self.batches == 0
        make_step(self, *arguments)
        if self.batches < sum(self.batches_of):
            now = state_of(net)
            found.update([now, (last[0][0], now[1])] if began else [now])

    def after_epoch(net, history):
        last[0] = state_of(net)
        found.add(last[0])

    ShardedEpochs.make_step = noted
    try:
        change.change(net, None, after_epoch)
    finally:
        ShardedEpochs.make_step = make_step
    return found


def epochs(change):
    """The states of a fit before it and after each epoch."""
    net = change.make()
    found = {state_of(net)}
    change.change(net, None, lambda net, history: found.add(state_of(net)))
    found.add(state_of(net))
    return found
