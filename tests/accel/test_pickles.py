"""Pickles of estimators name scikit-learn's classes, with and without bpcore."""

import copy
import io
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")

import joblib
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bpcore.sklearn as drop_ins
from bpcore import accel

try:
    import cloudpickle
except ImportError:  # older releases of joblib bring one
    from joblib.externals import cloudpickle

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.integers(0, 3, 40)

#: Loads the pickles in the folder that is its argument where bpcore is absent.
ABSENT = """
import pathlib, pickle, sys
import joblib, numpy as np

sys.modules["bpcore"] = None  # importing it raises
X = np.load(sys.argv[1] + "/X.npy")
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.model")):
    net = (joblib.load if "joblib" in path.stem else pickle.loads)(
        path if "joblib" in path.stem else path.read_bytes()
    )
    for each in (net, getattr(net, "steps", [[net]])[-1][-1]):
        assert not any("bpcore" in kind.__module__ for kind in type(each).__mro__)
    np.save(path.with_suffix(".npy"), net.predict(X))
    net.fit(X, np.arange(len(X)) % 3)
"""


def fitted(net):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return net.fit(X, Y)


def by_joblib(net):
    file = io.BytesIO()
    joblib.dump(net, file)
    return file.getvalue()


PICKLERS = {
    **{
        f"pickle {protocol}": lambda net, protocol=protocol: pickle.dumps(net, protocol)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    },
    "cloudpickle": cloudpickle.dumps,
    "joblib": by_joblib,
}


def loaded(name, data):
    return joblib.load(io.BytesIO(data)) if name == "joblib" else pickle.loads(data)


def models():
    for name in ("MLPClassifier", "MLPRegressor"):
        for solver in ("sgd", "adam", "lbfgs"):
            kind = getattr(neural_network, name)
            net = kind(solver=solver, max_iter=3, random_state=0)
            yield f"{name} {solver}", fitted(net)
    net = neural_network.MLPRegressor(max_iter=3, early_stopping=True)
    yield "pipeline", fitted(make_pipeline(StandardScaler(), net))


@pytest.mark.parametrize("name", PICKLERS)
def test_load_as_what_has_the_name(name, installed, plain):
    net = fitted(neural_network.MLPClassifier(max_iter=3, random_state=0))
    while_installed = PICKLERS[name](net)
    assert type(loaded(name, while_installed)) is type(net)
    accel.uninstall()
    afterwards = PICKLERS[name](net)
    for data in (while_installed, afterwards):
        assert b"bpcore" not in data
        again = loaded(name, data)
        assert type(again) is plain[0]
        np.testing.assert_allclose(again.predict_proba(X), net.predict_proba(X))
    theirs = PICKLERS[name](again)
    accel.install()
    for data in (while_installed, afterwards, theirs):
        again = loaded(name, data)
        assert type(again) is type(net)
        np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
        assert fitted(again).n_iter_ == net.n_iter_


def test_where_bpcore_is_absent(installed, tmp_path):
    np.save(tmp_path / "X.npy", X)
    expected = {}
    for model, net in models():
        for name, dumps in PICKLERS.items():
            path = tmp_path / f"{model} {name}.model"
            path.write_bytes(dumps(net))
            expected[path] = net.predict(X)
    subprocess.run([sys.executable, "-W", "ignore", "-c", ABSENT, tmp_path], check=True)
    for path, values in expected.items():
        found = np.load(path.with_suffix(".npy"))
        np.testing.assert_allclose(found, values, rtol=1e-9)


def test_copies(installed, plain):
    net = fitted(neural_network.MLPRegressor(max_iter=3))
    for copied in (copy.copy(net), copy.deepcopy(net)):
        assert type(copied) is type(net)
        np.testing.assert_array_equal(copied.predict(X), net.predict(X))
    accel.uninstall()
    for copied in (copy.copy(net), copy.deepcopy(net)):
        assert type(copied) is plain[1]
        np.testing.assert_allclose(copied.predict(X), net.predict(X))


def test_a_copy_has_weights_of_its_own(installed):
    net = fitted(neural_network.MLPRegressor(max_iter=3))
    copied, before = copy.deepcopy(net), net.predict(X)
    copied.partial_fit(X, Y)
    np.testing.assert_array_equal(net.predict(X), before)


def test_training_goes_on_after_a_round_trip(installed):
    nets = [neural_network.MLPRegressor(max_iter=3, random_state=0) for _ in range(2)]
    for net in nets:
        net.partial_fit(X, Y)
    nets[1] = pickle.loads(pickle.dumps(nets[1]))
    for net in nets:
        net.partial_fit(X, Y)
    np.testing.assert_array_equal(nets[0].predict(X), nets[1].predict(X))


def test_explicit_drop_ins_stay_drop_ins(installed):
    net = fitted(drop_ins.MLPClassifier(max_iter=3))
    assert type(pickle.loads(pickle.dumps(net))) is drop_ins.MLPClassifier
    accel.uninstall()
    assert type(pickle.loads(pickle.dumps(net))) is drop_ins.MLPClassifier


class Mine:
    """Takes the place of a user's subclass, whose name pickle must find."""


def test_subclasses_are_pickled_by_their_own_name(installed, monkeypatch):
    own = type("Mine", (neural_network.MLPClassifier,), {"__module__": __name__})
    monkeypatch.setattr(sys.modules[__name__], "Mine", own)
    net = fitted(own(max_iter=3))
    for _ in range(2):
        assert type(pickle.loads(pickle.dumps(net))) is own
        accel.uninstall()
