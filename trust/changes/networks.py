"""Every call that changes a network, for `trust.interrupts`."""

from functools import partial

import numpy as np

import bpcore as bp
from bpcore import distributed, schedules
from trust.changes.change import (
    QUIET,
    Change,
    N,
    X,
    Y,
    epochs,
    mini_batches,
    network,
    steps_of_shards,
)

# --- settings -------------------------------------------------------------------------


def assigned(name, value):
    return lambda net: setattr(net, name, value)


SMALL = network(optimizer=bp.RMSprop(0.02)).__getstate__()
LARGE = bp.Network([3, 5, 4], loss="cross_entropy", rng=3, n_threads=1).__getstate__()


def unpickle(stored, net):
    net.__setstate__(stored)


def write_parameters(net):
    net.parameters[...] = 0.5


CLIPPED = partial(network, optimizer=bp.Adam(0.01, clip_norm=0.1))
FEW_EPOCHS = schedules.StepDecay(0.02, every=50)
ON_PLATEAU = bp.SGD(schedules.ReduceOnPlateau(0.1), max_norm=0.5)
SETTINGS = {
    "optimizer = the same class": assigned("optimizer", bp.Adam(FEW_EPOCHS)),
    "optimizer = with clip_norm": assigned("optimizer", bp.Adam(0.02, clip_norm=0.1)),
    "optimizer = other arrays": assigned("optimizer", bp.AMSGrad(0.02, clip_norm=0.1)),
    "optimizer = without arrays": assigned("optimizer", ON_PLATEAU),
    "optimizer = LBFGS": assigned("optimizer", bp.LBFGS()),
    "frozen": assigned("frozen", [True, False]),
    "lr_factors": assigned("lr_factors", [0.0, 2.0]),
    "n_threads": assigned("n_threads", 2),
    "parameters[...] = ": write_parameters,
    "unpickling, the same sizes": partial(unpickle, SMALL),
    "unpickling, other sizes": partial(unpickle, LARGE),
}

# --- steps ----------------------------------------------------------------------------


def apply(net):
    net.apply(net.gradients(X, Y))


def apply_expression(net):
    loss = ((net.node(X) - Y) ** 2).mean()
    loss.backward()
    net.apply()


def python_loss(a, y):
    return ((a - y) ** 2).sum(axis=1), 2 * (a - y)


def custom(**settings):
    return network(loss=python_loss, norm=None, **settings)


ROWS = partial(network, norm=None)
STEPS = {
    "train_step": (network, lambda net: net.train_step(X, Y)),
    "train_step of a list": (network, lambda net: net.train_step(X.tolist(), Y)),
    "train_step, loss in Python": (custom, lambda net: net.train_step(X, Y)),
    "train_step, clip_norm": (CLIPPED, lambda net: net.train_step(X, Y)),
    "learn_one": (ROWS, lambda net: net.learn_one(X[0].tolist(), Y[0])),
    "apply": (network, apply),
    "apply, clip_norm": (CLIPPED, apply),
    "apply of an expression": (network, apply_expression),
    "predict": (network, lambda net: net.predict(X.tolist())),
    "check_gradients": (network, lambda net: bp.check_gradients(net, X[:4], Y[:4])),
    "trace": (network, lambda net: bp.trace(net, X[:4], Y[:4])),
}

# --- fits -----------------------------------------------------------------------------

#: More mini-batches than an epoch of an iterable has: its end is not known before.
MANY = 99


class Fit:
    """A fit with options, to which functions of its callbacks may be added.

    Parameters
    ----------
    batches : int
        Mini-batches of an epoch.
    data : callable
        Returns the data.
    """

    def __init__(self, batches=4, data=lambda: (X, Y), **options):
        self.batches, self.data = batches, data
        self.options = {"epochs": 3, "batch_size": 7, **QUIET, **options}

    def __call__(self, net, after_mini_batch=None, after_epoch=None):
        options = dict(self.options)
        added = {"batch_callbacks": after_mini_batch, "callbacks": after_epoch}
        for name, function in added.items():
            if function is not None:
                options[name] = [function, *options.get(name, ())]
        net.fit(*self.data(), **options)


def pairs():
    return ([(X[at : at + 8], Y[at : at + 8]) for at in range(0, N, 8)],)


def nothing(*_):
    """A callback."""


def scheduled(schedule, **settings):
    return partial(network, optimizer=bp.Adam(schedule), **settings)


def sharded_fit(net, after_mini_batch=None, after_epoch=None):
    how = {"shards": 4, "epochs": 3, "batch_size": 2, **QUIET}
    distributed.fit(net, X, Y, callbacks=[after_epoch or nothing], **how)


EVERY_EPOCH = scheduled(schedules.StepDecay(0.02, every=1, per="epoch"))
EVERY_THIRD = scheduled(schedules.StepDecay(0.02, every=3))
HELD_BACK = {"validation": (X[:9], Y[:9])}
FITS = {
    "fit": (network, Fit()),
    "fit, epochs in C": (network, Fit(1, batch_size=N)),
    "fit, not shuffled": (network, Fit(shuffle=False)),
    "fit, schedule of steps": (EVERY_THIRD, Fit()),
    "fit, schedule of epochs": (EVERY_EPOCH, Fit()),
    "fit, schedule of epochs, validation": (EVERY_EPOCH, Fit(**HELD_BACK)),
    "fit, callbacks": (network, Fit(callbacks=[nothing])),
    "fit, metrics": (network, Fit(metrics=["mae", "r2"], **HELD_BACK)),
    "fit, patience": (network, Fit(patience=2, **HELD_BACK)),
    "fit, accumulate": (network, Fit(accumulate=2)),
    "fit, accumulate, callbacks": (EVERY_EPOCH, Fit(accumulate=3, callbacks=[nothing])),
    "fit, clip_norm": (CLIPPED, Fit()),
    "fit, loss in Python": (custom, Fit()),
    "fit, weights": (network, Fit(sample_weight=np.arange(N) % 3)),
    "fit, steps_per_epoch": (
        network,
        Fit(MANY, pairs, steps_per_epoch=2, batch_size=None),
    ),
    "fit, an iterable": (network, Fit(MANY, pairs, batch_size=None)),
    "fit, numerical gradients": (ROWS, Fit(gradient="numerical", epochs=2)),
}

#: Fits that are put back to an epoch, or whose steps are epochs.
LBFGS = partial(network, optimizer=bp.LBFGS(), dtype="float64")
OF_EPOCHS = {
    "fit, restore_best": (network, Fit(restore_best=True, **HELD_BACK)),
    "fit, LBFGS": (LBFGS, Fit(batch_size=None)),
}
OF_SHARDS = {
    "distributed.fit": (network, sharded_fit),
    "distributed.fit, clip_norm": (CLIPPED, sharded_fit),
}


def settings():
    """Assignments."""
    return [Change(name, network, change) for name, change in SETTINGS.items()]


def steps():
    """Single steps, and calls that change nothing."""
    return [Change(name, *row) for name, row in STEPS.items()]


def fits():
    """Fits of one network."""
    kinds = (mini_batches, FITS), (epochs, OF_EPOCHS), (steps_of_shards, OF_SHARDS)
    return [
        Change(name, *row, states)
        for states, rows in kinds
        for name, row in rows.items()
    ]
