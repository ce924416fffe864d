"""Python code in a call that resizes an array, or changes the network."""

import contextlib
import warnings

import numpy as np

import bpcore as bp
from bpcore.graph import Variable
from bpcore.tabular import Regressor
from trust.safety.subject import QUIET, data, network, shrink, trained

# --- numbers --------------------------------------------------------------------------


def acting_number(kind, act):
    """A number whose conversion runs `act` first."""

    class Acting(kind):
        def __float__(self):
            act()
            return 0.5

        def __index__(self):
            act()
            return 0

        __int__ = __index__

    return Acting(0)


def number_cases():
    def meddlers(net, x):
        return {
            "another optimizer": lambda: setattr(net, "optimizer", bp.AMSGrad()),
            "another network": lambda: net.__init__([3, 2]),
            "threads": lambda: setattr(net, "n_threads", 4),
            "resized row": lambda: shrink(x),
        }

    for kind, loss, sizes in (
        (np.float32, "squared_error", (5000, 100, 1)),
        (np.int64, "squared_error", (5000, 100, 1)),
        (np.int64, "cross_entropy", (5000, 100, 10)),
    ):
        for name in meddlers(None, None):

            def learn(kind=kind, loss=loss, sizes=sizes, name=name):
                net = bp.Network(sizes, loss=loss, rng=0)
                x = np.ones(sizes[0], np.float32)
                act = meddlers(net, x)[name]
                net.learn_one(x, acting_number(kind, act))
                net.learn_one(np.ones(net.sizes[0], np.float32), 0)

            yield f"learn_one, {loss}, {kind.__name__}: {name}", learn


# --- arrays of Python objects ---------------------------------------------------------


def objects(shape, at):
    """An array of numbers; the conversion of one of them frees the array's memory."""
    array, calls = np.empty(shape, object), []

    class Number(float):
        def __float__(self):
            calls.append(1)
            if len(calls) == at:
                shrink(array)
            return 1.0

    array[...] = Number(1.0)
    return array


def scikit_learn_uses(n, rows):
    """Those of estimators for scikit-learn, if it is installed."""
    try:
        from bpcore import sklearn
    except ImportError:
        return {}
    Estimator = sklearn.Regressor
    fitted = Estimator(epochs=1).fit(rows, rows[:, 0])
    drop_in = sklearn.MLPRegressor(max_iter=1, hidden_layer_sizes=4)
    with warnings.catch_warnings(action="ignore"):
        drop_in.fit(rows, rows[:, 0])
    return {
        "sklearn, X": ((n, 3), lambda a: Estimator(epochs=1).fit(a, rows[:, 0])),
        "sklearn, y": (n, lambda a: Estimator(epochs=1).fit(rows, a)),
        "sklearn, partial_fit": (n, lambda a: Estimator().partial_fit(rows, a)),
        "sklearn, predict": ((n, 3), fitted.predict),
        "drop-in, predict": ((n, 3), drop_in.predict),
    }


def object_cases():
    n, rows = 2000, np.random.default_rng(0).normal(size=(2000, 3))
    fit = {"epochs": 1, "progress": False}

    def net():
        return bp.Network([3, 1], rng=0)

    uses = {
        "predict": ((n, 3), lambda a: net().predict(a)),
        "train_step": (n, lambda a: net().train_step(rows, a)),
        "sample_weight": (n, lambda a: net().train_step(rows, rows[:, 0], a)),
        "evaluate": (n, lambda a: net().evaluate(rows, a, metrics=["mae"])),
        "fit": (n, lambda a: net().fit(rows, a, sample_weight=a, **fit)),
        "Variable": ((n, 3), Variable),
        "tabular, X": ((n, 3), lambda a: Regressor(quick=True).fit(a, rows[:, 0])),
        "tabular, y": (n, lambda a: Regressor(quick=True).fit(rows, a)),
        **scikit_learn_uses(n, rows),
    }
    for name, (shape, use) in uses.items():
        for at in (1, 700, 2500, 5000):

            def call(shape=shape, use=use, at=at):
                use(objects(shape, at))

            yield f"{name}, array of objects that conversion {at} resizes", call


# --- callbacks, losses, schedules -----------------------------------------------------


def callback_cases():
    options = {
        "callbacks": lambda act: {"callbacks": [lambda *_: act()]},
        "batch_callbacks": lambda act: {"batch_callbacks": [lambda *_: act()]},
    }
    for name, option in options.items():

        def fit(option=option):
            net, (X, y) = network(), data()

            def act():
                shrink(X), shrink(y)

            net.fit(X, y, **{**QUIET, "epochs": 3}, batch_size=16, **option(act))

        yield f"fit, arrays resized by {name}", fit
    for use in ("fit", "train_step", "gradients", "evaluate", "trace"):
        for at in (1, 2, 3):

            def call(use=use, at=at):
                (X, y), calls = data(), []

                def loss(a, t):
                    calls.append(1)
                    if len(calls) >= at:
                        shrink(X), shrink(y)
                    return ((a - t) ** 2).sum(1), 2 * (a - t)

                net = network(loss=loss)
                if use == "trace":
                    bp.trace(net, X, y)
                elif use == "fit":
                    net.fit(X, y, batch_size=16, **QUIET)
                else:
                    getattr(net, use)(X, y)

            yield f"{use}, arrays resized by call {at} of the loss", call

    def schedule():
        X, y = data()
        net = network(optimizer=bp.SGD(lambda epoch: shrink(X) and shrink(y) and 0.1))
        net.fit(X, y, **{**QUIET, "epochs": 3})

    def labels_of_a_loss_without():
        class Labelled(bp.Huber):
            labels = True

        network(loss=Labelled()).train_step(data()[0], np.zeros(64, np.int64))

    def labels_changed():
        net = network(loss="cross_entropy")
        X, y = data()[0], np.zeros(64, np.int64)

        def act(*_):
            y[...] = 1 << 40

        with contextlib.suppress(bp.DivergenceError):
            net.fit(X, y, **{**QUIET, "epochs": 3}, batch_callbacks=[act])

    yield "fit, arrays resized by the schedule", schedule
    yield "loss that claims to take labels", labels_of_a_loss_without
    yield "labels out of range by a callback", labels_changed


# --- the network's own arrays ---------------------------------------------------------


def state_cases():
    def resize_all():
        net = network(norm="batch", optimizer=bp.Adam())
        trained(net)
        state = net.learner.state
        arrays = [net.parameters, *net.weights, net.running_moments[0],
                  state.counters, *state.numbers().values()]  # fmt: skip
        for array in arrays:
            owner = array
            while isinstance(owner, np.ndarray):
                shrink(owner)
                owner = owner.base
        trained(net)

    def reshape_all():
        net = network(norm="batch", optimizer=bp.Adam())
        parameters = net.parameters
        parameters.shape = (1, -1)
        parameters.dtype = np.uint8
        net.running_moments[0].shape = (-1,)
        state = net.learner.state
        state.parameters.shape = (1, -1)
        trained(net)

    def replaced_array():
        net = network()
        net.learner.state.parameters = np.zeros(1, "f4")
        net.learner.state.counters = np.zeros(1, np.int64)
        shrink(np.zeros(1 << 20))
        trained(net)

    def read_only():
        net = network()
        net.learner.state.parameters.setflags(write=False)
        trained(net)
        net.optimizer = bp.Adam()

    yield "state's arrays resized", resize_all
    yield "state's arrays reshaped", reshape_all
    yield "state's arrays replaced", replaced_array
    yield "state's arrays read-only", read_only
