"""Every call that changes something, for `trust.interrupts`."""

import copy
import os
import pickle
import shutil
import tempfile
from functools import partial

import numpy as np

import bpcore as bp
from bpcore import distributed, schedules
from trust.changing import (
    QUIET,
    Change,
    Fit,
    N,
    X,
    Y,
    before_and_after,
    epochs,
    in_thread,
    mini_batches,
    network,
    network_fault,
    state_of,
)

# --- settings -------------------------------------------------------------------------


def assigned(name, value):
    return lambda net: setattr(net, name, value)


OTHER = network(optimizer=bp.RMSprop(0.02)).__getstate__()
LARGER = bp.Network([3, 5, 4], loss="cross_entropy", rng=3, n_threads=1).__getstate__()


def unpickled(stored, net):
    net.__setstate__(stored)


def write_parameters(net):
    net.parameters[...] = 0.5


SETTINGS = {
    "optimizer = the same class": assigned(
        "optimizer", bp.Adam(schedules.StepDecay(0.02, every=50))
    ),
    "optimizer = with clip_norm": assigned("optimizer", bp.Adam(0.02, clip_norm=0.1)),
    "optimizer = with more arrays": assigned(
        "optimizer", bp.AMSGrad(0.02, clip_norm=0.1)
    ),
    "optimizer = without arrays": assigned(
        "optimizer", bp.SGD(schedules.ReduceOnPlateau(0.1), max_norm=0.5)
    ),
    "optimizer = LBFGS": assigned("optimizer", bp.LBFGS()),
    "frozen": assigned("frozen", [True, False]),
    "lr_factors": assigned("lr_factors", [0.0, 2.0]),
    "n_threads": assigned("n_threads", 2),
    "parameters[...]": write_parameters,
    "unpickling onto it, the same sizes": partial(unpickled, OTHER),
    "unpickling onto it, other sizes": partial(unpickled, LARGER),
}

# --- steps ----------------------------------------------------------------------------


def apply(net):
    net.apply(net.gradients(X, Y))


def through_graph(net):
    loss = ((net.node(X) - Y) ** 2).mean()
    loss.backward()
    net.apply()


def python_loss(a, y):
    return ((a - y) ** 2).sum(axis=1), 2 * (a - y)


def custom(**settings):
    return network(loss=python_loss, **settings)


CLIPPED = partial(network, optimizer=bp.Adam(0.01, clip_norm=0.1))
STEPS = {
    "train_step": (network, lambda net: net.train_step(X, Y)),
    "train_step of a list": (network, lambda net: net.train_step(X.tolist(), Y)),
    "train_step, loss in Python": (custom, lambda net: net.train_step(X, Y)),
    "train_step with clip_norm": (CLIPPED, lambda net: net.train_step(X, Y)),
    "learn_one": (
        partial(network, norm=None),
        lambda net: net.learn_one(X[0].tolist(), Y[0]),
    ),
    "apply": (network, apply),
    "apply with clip_norm": (CLIPPED, apply),
    "apply of an expression": (network, through_graph),
    "predict": (network, lambda net: net.predict(X.tolist())),
    "check_gradients": (network, lambda net: bp.check_gradients(net, X[:4], Y[:4])),
    "trace": (network, lambda net: bp.trace(net, X[:4], Y[:4])),
}

# --- fits -----------------------------------------------------------------------------


def pairs():
    for at in range(0, N, 8):
        yield X[at : at + 8], Y[at : at + 8]


def scheduled(schedule, **settings):
    return partial(network, optimizer=bp.Adam(schedule), **settings)


EVERY_EPOCH = scheduled(schedules.StepDecay(0.02, every=1, per="epoch"))
VALIDATION = {"validation": (X[:9], Y[:9])}
MANY = 99  # more mini-batches than an epoch of an iterable has: its end is not known
FITS = {
    "fit": (network, Fit()),
    "fit, epochs in C": (network, Fit(batches=1, batch_size=N)),
    "fit, not shuffled": (network, Fit(shuffle=False)),
    "fit, schedule of steps": (
        scheduled(schedules.StepDecay(0.02, every=3)),
        Fit(),
    ),
    "fit, schedule of epochs": (EVERY_EPOCH, Fit()),
    "fit, schedule of epochs, validation": (EVERY_EPOCH, Fit(**VALIDATION)),
    "fit, callbacks": (network, Fit(callbacks=[lambda net, history: None])),
    "fit, metrics": (network, Fit(metrics=["mae", "r2"], **VALIDATION)),
    "fit, patience": (network, Fit(patience=2, **VALIDATION)),
    "fit, accumulate": (network, Fit(accumulate=2)),
    "fit, accumulate, callbacks": (
        EVERY_EPOCH,
        Fit(accumulate=3, callbacks=[lambda net, history: None]),
    ),
    "fit, clip_norm": (CLIPPED, Fit()),
    "fit, loss in Python": (partial(custom, norm=None), Fit()),
    "fit, weights": (
        network,
        Fit(sample_weight=np.arange(N) % 3, class_weight=None),
    ),
    "fit, steps_per_epoch": (
        network,
        Fit(batches=MANY, data=lambda: (list(pairs()),), steps_per_epoch=2,
            batch_size=None),
    ),  # fmt: skip
    "fit, an iterable": (
        network,
        Fit(batches=MANY, data=lambda: (list(pairs()),), batch_size=None),
    ),
    "fit, numerical gradients": (
        partial(network, norm=None),
        Fit(gradient="numerical", epochs=2),
    ),
}


def distributed_fit(net, after_mini_batch=None, after_epoch=None):
    callbacks = [] if after_epoch is None else [after_epoch]
    distributed.fit(
        net, X, Y, shards=4, epochs=3, batch_size=2, callbacks=callbacks, **QUIET
    )


#: Fits that are put back to an epoch, or that end at one.
OF_EPOCHS = {
    "fit, restore_best": (network, Fit(restore_best=True, **VALIDATION)),
    "fit, LBFGS": (
        partial(network, optimizer=bp.LBFGS(), dtype="float64"),
        Fit(batch_size=None),
    ),
}


class Many:
    """fit_many of two networks: each is a subject of its own."""

    @staticmethod
    def make():
        return [network(rng=seed) for seed in range(2)]

    @staticmethod
    def change(nets, after_mini_batch=None, after_epoch=None):
        how = {"batch_callbacks": [after_mini_batch]} if after_mini_batch else {}
        bp.fit_many(nets, X, Y, epochs=3, batch_size=7, n_threads=2, **how)
