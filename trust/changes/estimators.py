"""Calls that train several networks or an estimator, for `trust.interrupts`."""

import pickle

import numpy as np

import bpcore as bp
from bpcore import sklearn, tabular
from trust.changes.change import (
    Change,
    X,
    Y,
    mini_batches,
    network,
    network_fault,
    state_of,
)
from trust.changes.networks import Fit
from trust.digest import digest

LABELS = (X[:, 0] > 0).astype(int)
TABLE = np.tile(X, (3, 1)).astype("float64")
TABLE_LABELS = np.tile(LABELS, 3)

# --- many networks --------------------------------------------------------------------


def two():
    return [network(rng=seed) for seed in range(2)]


def fit_many(nets):
    bp.fit_many(nets, X, Y, epochs=3, batch_size=7, n_threads=2)


def states_of_all(nets):
    return [state_of(net) for net in nets]


def mini_batches_of_all(change):
    """Those of each network, trained alone."""
    found = set()
    for net in change.make():
        alone = Change("alone", lambda net=net: net, Fit())
        found |= mini_batches(alone)
    return found


def fault_of_any(nets):
    return next(filter(None, map(network_fault, nets)), None)


# --- estimators -----------------------------------------------------------------------


def attributes(estimator):
    """The attributes of an estimator, with the state of its networks."""
    return _digest(vars(estimator))


def without_network(estimator):
    """The same but for the network, which a call that goes on trains in place."""
    left_out = "network_", "_stopping"
    return _digest({n: v for n, v in vars(estimator).items() if n not in left_out})


def _digest(attributes):
    found = {}
    for name, value in sorted(attributes.items()):
        networks = value if isinstance(value, list) else [value]
        if networks and isinstance(networks[0], bp.Network):
            value = [state_of(net)[0] for net in networks]
        elif "histor" in name:  # seconds differ
            value = np.shape(value)
        found[name] = repr(value)
    return digest(found)


def estimator_fault(estimator):
    """What is wrong with an estimator that was interrupted, or None."""
    again = pickle.loads(pickle.dumps(estimator))
    net = getattr(estimator, "network_", None)
    if net is not None and (wrong := network_fault(net)):
        return wrong
    is_table = isinstance(estimator, tabular.Classifier)
    data = (TABLE, TABLE_LABELS) if is_table else (X, LABELS)
    outputs = [each.fit(*data).predict_proba(data[0]) for each in (estimator, again)]
    if outputs[0].tobytes() != outputs[1].tobytes():
        return "it is trained to other bits than a copy of it"
    return None


def classifier():
    how = {"epochs": 2, "random_state": 0, "n_threads": 1}
    return sklearn.Classifier(hidden_layer_sizes=(4,), **how)


def fitted():
    return classifier().fit(X, LABELS)


def fit(estimator):
    estimator.fit(-X, LABELS)


def partial_fit(estimator):
    estimator.partial_fit(X, LABELS)


def table_model():
    how = {"quick": True, "n_models": 1, "epochs": 2, "n_threads": 1}
    return tabular.Classifier(**how, random_state=0).fit(TABLE[:, :2], TABLE_LABELS)


def fit_table(estimator):
    estimator.fit(TABLE, TABLE_LABELS)


def changes():
    """All of them."""
    many = mini_batches_of_all, states_of_all, fault_of_any
    yield Change("fit_many", two, fit_many, *many)
    for name, make, change, state in (
        ("sklearn, fit", classifier, fit, attributes),
        ("sklearn, fit anew", fitted, fit, attributes),
        ("sklearn, partial_fit", fitted, partial_fit, without_network),
        ("tabular, fit", table_model, fit_table, attributes),
    ):
        yield Change(name, make, change, None, state, estimator_fault)
