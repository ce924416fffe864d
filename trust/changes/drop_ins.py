"""Calls of the drop-ins for scikit-learn, and their installation."""

import copy
import pickle
import warnings

import numpy as np
from sklearn import neural_network
from sklearn.neural_network import _multilayer_perceptron as module

from bpcore import accel, sklearn
from bpcore.sklearn.drop_in.classes import DropIn
from trust.changes.change import Change, X
from trust.digest import digest

LABELS = (X[:, 0] > 0).astype(int)

# --- estimators -----------------------------------------------------------------------


def classifier(**settings):
    """A drop-in that was trained by two calls."""
    how = {"max_iter": 3, "random_state": 0, "batch_size": 8, **settings}
    model = sklearn.MLPClassifier((4,), **how)
    for _ in range(2):
        model.partial_fit(X, LABELS, classes=[0, 1])
    return model


def with_own_arrays(**settings):
    """One whose weights a user has replaced."""
    model = classifier(**settings)
    model.coefs_ = copy.deepcopy(model.coefs_)
    return model


def with_sgd():
    return with_own_arrays(solver="sgd")


def warm():
    return classifier(warm_start=True)


def partial_fit(model):
    model.partial_fit(X, LABELS)


def fit(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, LABELS)


def predict(model):
    model.predict(X)


def any_state(model):
    """Nothing: scikit-learn changes one attribute after another."""
    return None


def fault(model):
    """What is wrong with a drop-in that was interrupted, or None."""
    twin = pickle.loads(pickle.dumps(model))
    partial_fit(model), partial_fit(twin)
    if numbers(model) != numbers(twin):
        return "it goes on with other numbers than a copy of it"
    return None


def numbers(model):
    """The weights, and all of scikit-learn's optimizer, as a text."""
    optimizer = vars(model)["_optimizer"]
    found = model.coefs_, model.intercepts_, sorted(vars(optimizer).items())
    return digest(repr([np.asarray(x).tolist() for x in flat(found)]))


def flat(nested):
    """The elements of lists and tuples in each other."""
    for each in nested:
        if isinstance(each, list | tuple):
            yield from flat(each)
        else:
            yield each


# --- installation ---------------------------------------------------------------------


class Installation:
    """The classes of scikit-learn, with the drop-ins in their place or without."""

    def __init__(self, begun):
        accel.uninstall()
        self.theirs = neural_network.MLPClassifier
        if begun:
            accel.install()


def installed():
    return Installation(True)


def not_installed():
    return Installation(False)


def classes(_):
    """Which classes are drop-ins, and whether they are installed; ends that."""
    names = "MLPClassifier", "MLPRegressor"
    kinds = [getattr(each, name) for each in (neural_network, module) for name in names]
    found = digest(([issubclass(kind, DropIn) for kind in kinds], accel.installed()))
    accel.uninstall()
    return found


def no_way_back(installation):
    """What is wrong after another installation and its end, or None."""
    accel.install()
    if classes(None) == classes(None):
        return "it cannot be installed again"
    if neural_network.MLPClassifier is not installation.theirs:
        return "scikit-learn's classes are not back"
    return None


def changes():
    """Those of estimators."""
    for name, make, change in (
        ("drop-in, partial_fit", classifier, partial_fit),
        ("drop-in, partial_fit of a user's arrays", with_own_arrays, partial_fit),
        ("drop-in, sgd, partial_fit of a user's arrays", with_sgd, partial_fit),
        ("drop-in, fit with warm_start", warm, fit),
        ("drop-in, predict of a user's arrays", with_own_arrays, predict),
    ):
        yield Change(name, make, change, None, any_state, fault)


def installations():
    """Installation and its end, for the tests: each checks scikit-learn by fits."""
    for name, make, change in (
        ("accel.install", not_installed, lambda _: accel.install()),
        ("accel.uninstall", installed, lambda _: accel.uninstall()),
    ):
        yield Change(name, make, change, None, classes, no_way_back)
