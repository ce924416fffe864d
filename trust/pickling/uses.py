"""Everything that is done with an object that was loaded from a damaged pickle."""

import copy
import os
import pickle
import tempfile

import numpy as np

import bpcore as bp
from bpcore import schedules
from bpcore.distributed.states import unpacked
from bpcore.graph import Variable
from bpcore.losses import Loss
from bpcore.model.design import Design
from bpcore.model.gradients import Tape
from bpcore.model.state import empty_state
from bpcore.network import Network, network_of
from bpcore.tabular.foundation import BaseEstimator
from trust.pickling.objects import LABELS, TABLE, Message, X, full_network

#: Errors that a call may raise, whatever the settings that were loaded.
ERRORS = (ValueError, TypeError, ArithmeticError)
#: Widths above this are not used: a call may then rightly take long.
WIDEST = 1 << 12
#: Objects that are read without checks: they hold numbers, texts and other objects,
#: and give errors of Python when they are used.  What they hold is checked.
UNCHECKED = frozenset((
    "layout", "initial", "options", "trace", "flow", "check", "surface", "fitted",
    "callback", "expression", "expression of a network", "Classifier", "Regressor",
    "tabular Classifier", "tabular Regressor", "MLPClassifier", "MLPRegressor",
))  # fmt: skip


def is_allowed(name, error):
    """Whether an error may be raised for an object."""
    if name in UNCHECKED:
        return not isinstance(error, MemoryError)
    return isinstance(error, ERRORS)


def use(value):
    """Do everything with an object after loading; returns the errors outside `ERRORS`.

    `ERRORS` are what a wrong setting may give.
    """
    unexpected.clear()
    each(str, value)
    each(repr, value)
    each(copy.copy, value)
    each(copy.deepcopy, value)
    if hasattr(value, "_repr_html_"):
        each(value._repr_html_)
    for kind, action in ACTIONS.items():
        if isinstance(value, kind):
            each(action, value)
    return list(unexpected)


#: Errors of calls by `each` that are not of `ERRORS`.
unexpected = []


def each(function, *arguments, **named):
    """The result of a call, None after an error."""
    try:
        return function(*arguments, **named)
    except ExceptionGroup as group:  # of fit_many
        unexpected.extend(e for e in group.exceptions if not isinstance(e, ERRORS))
    except Exception as error:
        if not isinstance(error, ERRORS):
            unexpected.append(error)
    return None


def use_network(net):
    """Predictions, steps, an epoch, copies, files."""
    sizes = net.learner.design.sizes
    if max(sizes) > WIDEST:
        return
    rows = np.full((4, sizes[0]), 0.5, net.dtype)
    y = np.zeros((4, sizes[-1]), net.dtype)
    if net.learner.design.loss.name == "cross_entropy":
        y = np.zeros(4, np.int64)
    each(net.predict, rows)
    each(net.predict, rows[0])
    each(net.predict_one, rows[0])
    each(net.evaluate, rows, y)
    each(net.train_step, rows, y)
    each(net.learn_one, rows[0], y[0])
    each(net.astype, "float64")
    gradients = each(net.gradients, rows, y)
    if gradients is not None:
        each(net.apply, gradients)
    tape = each(net.forward, rows)
    if tape is not None:
        each(net.backward, tape, tape.output)
    each(net.fit, rows, y, epochs=1, batch_size=3, progress=False)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.bpc")
        each(net.save, path, sync=False)
        if os.path.exists(path):
            other = each(bp.load, path)
            if other is not None:
                each(other.predict, rows)
    each(bp.fit_many, [net], rows, y, epochs=1)


def use_setting(setting):
    """A network with this optimizer, schedule or loss."""
    optimizer, loss = bp.SGD(0.1), None
    if isinstance(setting, bp.Optimizer):
        optimizer = setting
    elif isinstance(setting, schedules.Schedule):
        optimizer = each(bp.SGD, setting) or optimizer
        each(setting, 5)
    else:
        loss = setting
    ends = (3, 2)
    net = each(bp.Network, list(ends), optimizer=optimizer, loss=loss, rng=0)
    if net is not None:
        use_network(net)


def use_design(design):
    """An untrained network of it."""
    if sum(design.sizes) > WIDEST:
        return
    state = each(empty_state, design, np.dtype(np.float32), bp.SGD(0.1))
    if state is not None:
        use_network(network_of(design, state))


def with_network(give):
    """An action that gives an object to a network, and then uses the network."""

    def action(value):
        net = full_network()
        each(give, net, value)
        use_network(net)

    return action


def use_history(history):
    """Its columns and table."""
    for name in ("loss", "lr", "seconds", "validation_loss", "metrics"):
        each(getattr, history, name)
    each(history.to_dict)
    each(len, history)


def use_variable(x):
    """Backward, and what a graph shows."""
    each(x.backward)
    each(lambda: x.edges)
    each(lambda: (x * 2 + x).sum().backward())


def use_estimator(estimator):
    """Predictions and fits."""
    for rows in (X, TABLE):
        each(lambda rows=rows: estimator.predict(rows))
        each(lambda rows=rows: estimator.gradient(rows))
    short = {"epochs": 2, "max_iter": 2, "n_models": 1, "hidden_layer_sizes": (4,)}
    for name in short.keys() & vars(estimator).keys():
        setattr(estimator, name, short[name])  # else a fit may rightly take for ever
    each(lambda: estimator.partial_fit(X, LABELS))
    each(lambda: estimator.fit(X, LABELS))


#: What is done with objects of each class.
ACTIONS = {
    Network: use_network,
    (bp.Optimizer, schedules.Schedule, Loss): use_setting,
    Design: use_design,
    Message: with_network(
        lambda net, message: net.learner.become(
            unpacked(pickle.dumps(tuple(message)), net.learner)
        )
    ),
    Tape: with_network(lambda net, tape: net.backward(tape, np.ones((12, 2), "f4"))),
    bp.Gradients: with_network(lambda net, gradients: net.apply(gradients)),
    bp.History: use_history,
    Variable: use_variable,
    BaseEstimator: use_estimator,
}
