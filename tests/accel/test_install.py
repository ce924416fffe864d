"""install and uninstall, and what users see of the classes in between."""

import copy
import logging
import pickle
import re
import sys
import types
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")

from sklearn import neural_network
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import _multilayer_perceptron as module
from sklearn.pipeline import make_pipeline
from sklearn.utils import all_estimators

import bpcore.sklearn as drop_ins
from bpcore import accel

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.integers(0, 2, 40)


def fitted(net):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return net.set_params(max_iter=5, random_state=0).fit(X, Y)


def trained_by_bpcore(net):
    return isinstance(net, drop_ins.MLPClassifier | drop_ins.MLPRegressor)


def test_both_names_in_both_modules(plain):
    assert accel.install() is True
    for name, theirs in zip(("MLPClassifier", "MLPRegressor"), plain, strict=True):
        own = getattr(neural_network, name)
        assert own is getattr(module, name)
        assert issubclass(own, theirs) and issubclass(own, getattr(drop_ins, name))
    accel.uninstall()
    assert neural_network.MLPClassifier is module.MLPClassifier is plain[0]


def test_a_second_call_does_nothing(caplog, plain):
    caplog.set_level(logging.INFO)
    assert accel.install()
    own = neural_network.MLPClassifier
    assert accel.install()
    assert neural_network.MLPClassifier is own
    accel.uninstall()
    accel.uninstall()
    assert neural_network.MLPClassifier is plain[0]
    assert [record.getMessage().split("; ")[0] for record in caplog.records] == [
        "MLPClassifier and MLPRegressor of sklearn.neural_network are bpcore's now",
        "MLPClassifier and MLPRegressor of sklearn.neural_network are its own again",
    ]
    assert {record.name for record in caplog.records} == {"bpcore.accel"}


def test_the_line_names_modules_that_imported_the_classes(caplog, monkeypatch, plain):
    early = types.ModuleType("early")
    early.Net = plain[1]
    monkeypatch.setitem(sys.modules, "early", early)
    caplog.set_level(logging.INFO)
    assert not accel.installed()
    accel.install()
    assert accel.installed()
    assert caplog.records[0].levelno == logging.WARNING
    line = caplog.records[0].getMessage()
    listed = line.split("since they are still scikit-learn's, in ")[1]
    assert "early" in listed.split(", ")
    assert not {*accel.patch.MODULES} & {*listed.split(", ")}


def test_a_later_patch_stays(monkeypatch, plain):
    accel.install()
    with monkeypatch.context() as patched:
        patched.setattr(module, "MLPClassifier", object)
        accel.uninstall()
        assert module.MLPClassifier is object
        assert neural_network.MLPClassifier is plain[0]
    module.MLPClassifier = plain[0]  # monkeypatch has put back ours


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_the_same_model_trained_by_bpcore(name, solver):
    theirs = fitted(getattr(neural_network, name)(solver=solver))
    accel.install()
    own = fitted(getattr(neural_network, name)(solver=solver))
    assert trained_by_bpcore(own) and not trained_by_bpcore(theirs)
    assert "_trained_by_bpcore" in vars(own)
    np.testing.assert_allclose(own.predict(X), theirs.predict(X), rtol=1e-6)
    assert own.n_iter_ == theirs.n_iter_


def test_isinstance(plain):
    before = neural_network.MLPClassifier()
    accel.install()
    after, explicit = neural_network.MLPClassifier(), drop_ins.MLPClassifier()
    for net in (before, after, explicit):
        assert isinstance(net, neural_network.MLPClassifier)
        assert isinstance(net, plain[0])
        assert not isinstance(net, neural_network.MLPRegressor)
        assert is_classifier(net)
    assert not isinstance(before, drop_ins.MLPClassifier)
    assert not issubclass(plain[0], drop_ins.MLPClassifier)
    assert issubclass(plain[0], neural_network.MLPClassifier)
    for other in (int, neural_network.BernoulliRBM, neural_network.MLPRegressor):
        assert not issubclass(other, neural_network.MLPClassifier)
    accel.uninstall()
    assert isinstance(after, neural_network.MLPClassifier)


def test_subclasses(installed, plain):
    class Mine(neural_network.MLPClassifier):
        pass

    assert trained_by_bpcore(fitted(Mine()))
    assert issubclass(Mine, neural_network.MLPClassifier)
    assert isinstance(Mine(), Mine)
    assert not isinstance(neural_network.MLPClassifier(), Mine)
    assert not isinstance(plain[0](), Mine)


def test_what_is_shown(plain):
    def shown(net):
        kind = type(net)
        return {
            "name": kind.__name__,
            "qualname": kind.__qualname__,
            "module": kind.__module__,
            "repr": repr(net),
            "params": net.get_params(),
            "link": net._get_doc_link(),  # noqa: SLF001
            "tags": net.__sklearn_tags__(),
            "html": re.sub(r"(container|estimator)-id-\d+", "", net._repr_html_()),
        }

    settings = {"hidden_layer_sizes": (7,), "alpha": 0.5}
    theirs = neural_network.MLPClassifier(**settings)
    accel.install()
    own = neural_network.MLPClassifier(**settings)
    assert shown(own) == shown(theirs)
    assert own.__doc__.startswith("Drop-in for ``sklearn.neural_network.MLPClassifier")
    assert dict(all_estimators())["MLPClassifier"] is type(own)


def test_clone(installed):
    net = neural_network.MLPRegressor(hidden_layer_sizes=(7,), alpha=0.5)
    copy = clone(net)
    assert type(copy) is type(net) and copy.get_params() == net.get_params()


def test_what_was_made_before_keeps_its_classes(plain):
    net = fitted(neural_network.MLPClassifier())
    pipeline = make_pipeline(neural_network.MLPClassifier(max_iter=1))
    search = GridSearchCV(neural_network.MLPClassifier(), {"max_iter": [1]})

    class Early(neural_network.MLPClassifier):
        pass

    accel.install()
    assert type(clone(net)) is plain[0]
    assert type(pipeline[-1]) is type(clone(search).estimator) is plain[0]
    assert not trained_by_bpcore(Early())
    fitted(net)


def test_what_was_made_in_between_keeps_working(installed):
    net = fitted(neural_network.MLPClassifier())
    expected = net.predict(X)
    accel.uninstall()
    np.testing.assert_array_equal(net.predict(X), expected)
    assert trained_by_bpcore(fitted(net)) and trained_by_bpcore(clone(net))
    np.testing.assert_array_equal(net.predict(X), expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_made_before_are_pickled(plain):
    """As the class that has the name; classes imported before serve workers too."""
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    before = plain[0]((3,), max_iter=3, random_state=0).fit(X, y)
    accel.install()
    loaded = pickle.loads(pickle.dumps(before))
    assert trained_by_bpcore(loaded) and np.array_equal(
        loaded.predict(X), before.predict(X)
    )
    assert np.array_equal(copy.deepcopy(before).predict(X), before.predict(X))
    scores = cross_val_score(plain[0]((3,), max_iter=3), X, y, cv=2, n_jobs=2)
    assert scores.shape == (2,)
    accel.uninstall()
    assert type(pickle.loads(pickle.dumps(before))) is plain[0]
