"""Drop-ins where scikit-learn's estimators are used: predictions, frames, searches."""

import copy
import os
import pickle
import threading
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.7")

from sklearn import config_context, neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import bpcore as bp
from bpcore.sklearn import Classifier, MLPClassifier, MLPRegressor, Regressor

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)
X, Y = load_digits(return_X_y=True)
X, Y = X[:200] / 16, Y[:200]
THEIRS = {
    MLPClassifier: neural_network.MLPClassifier,
    MLPRegressor: neural_network.MLPRegressor,
}
EACH = pytest.mark.parametrize("kind", THEIRS, ids=lambda kind: kind.__name__)
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 15, "random_state": 0}


@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@EACH
def test_subclass(kind):
    theirs = THEIRS[kind]
    assert issubclass(kind, theirs)
    assert kind().get_params() == theirs().get_params()
    assert list(kind().get_params()) == list(theirs().get_params())
    assert repr(kind(alpha=1)) == repr(theirs(alpha=1))
    assert theirs.__doc__.split("Examples")[0].strip() in kind.__doc__
    assert "Drop-in" in kind.__doc__


def test_positional_arguments():
    net = MLPRegressor("squared_error", (3,), "tanh")
    assert (net.hidden_layer_sizes, net.activation) == ((3,), "tanh")
    net = MLPClassifier((3,), max_iter=1)
    net.partial_fit(X, Y, np.ones(len(Y)), np.arange(10))
    assert net.classes_.tolist() == list(range(10))


# --- predictions ----------------------------------------------------------------------


@pytest.mark.parametrize("fitted", ["float32", "float64"])
@pytest.mark.parametrize("given", ["float32", "float64", "int64", "uint8", "bool"])
@EACH
def test_dtypes(kind, fitted, given):
    """The dtype of NumPy's product, and the numbers of scikit-learn."""
    x = (X * 3).astype(given)
    theirs, ours = THEIRS[kind](**SMALL), kind(**SMALL)
    for each in (theirs, ours):
        each.fit(X.astype(fitted), Y)
    for method in ("predict", "predict_proba"):
        if hasattr(ours, method):
            a, b = getattr(theirs, method)(x), getattr(ours, method)(x)
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-3 if fitted == "float32" else 1e-9)


@pytest.mark.parametrize("n", [1, 5, 256, 257, 1000])
@EACH
def test_rows(kind, n):
    x = np.random.default_rng(0).normal(size=(n, X.shape[1]))
    theirs, ours = THEIRS[kind](**SMALL).fit(X, Y), kind(**SMALL).fit(X, Y)
    np.testing.assert_allclose(theirs.predict(x), ours.predict(x), rtol=1e-9)
    for other in (np.asfortranarray(x), x.tolist(), np.repeat(x, 2, axis=1)[:, ::2]):
        assert np.array_equal(ours.predict(other), ours.predict(x))
    one = [ours.predict(row[None])[0] for row in x[:20]]
    assert np.array_equal(one, ours.predict(x)[:20])


CLASSES = {
    "two": Y > 4,
    "strings": np.array(["no", "yes"])[Y % 2],
    "objects": np.array(["a", "b", "c"], object)[Y % 3],
    "negative": Y - 5,
    "one": np.zeros(len(Y), int),
    "labels": np.c_[Y > 4, Y % 2].astype(int),
}


@pytest.mark.parametrize("y", CLASSES.values(), ids=list(CLASSES))
def test_classes(y):
    theirs = neural_network.MLPClassifier(**SMALL).fit(X, y)
    ours = MLPClassifier(**SMALL).fit(X, y)
    a, b = theirs.predict(X), ours.predict(X)
    assert np.array_equal(a, b)
    assert a.dtype == b.dtype
    assert theirs.score(X, y) == ours.score(X, y)
    np.testing.assert_allclose(
        theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-7
    )
    np.testing.assert_allclose(
        theirs.predict_log_proba(X), ours.predict_log_proba(X), rtol=1e-7
    )


@EACH
class TestErrors:
    def test_not_fitted(self, kind):
        with pytest.raises(NotFittedError):
            kind().predict(X)

    @pytest.mark.parametrize(
        "x, message",
        [
            (X[:, 1:], "63 features, but .* expecting 64 features"),
            (X[0], "Expected 2D array"),
            (np.full((1, 64), np.nan), "NaN"),
            (np.full((1, 64), np.inf), "infinity"),
            (X[:0], "0 sample"),
            ([["a"] * 64], "onvert"),
        ],
    )
    def test_bad_rows(self, kind, x, message):
        net = kind(**SMALL).fit(X, Y)
        with pytest.raises(ValueError, match=message):
            net.predict(x)

    @pytest.mark.parametrize("bad", [X[:, :1] * np.nan, X[:10], "text"])
    def test_a_failed_fit_changes_nothing(self, kind, bad):
        net = kind(warm_start=True, **SMALL).fit(X, Y)
        before, W = net.predict(X), [W.copy() for W in net.coefs_]
        for method in (net.fit, net.partial_fit):
            with pytest.raises(ValueError):
                method(bad, Y)
        assert np.array_equal(net.predict(X), before)
        assert all(np.array_equal(a, b) for a, b in zip(W, net.coefs_, strict=True))

    @pytest.mark.parametrize("settings", [{"alpha": -1}, {"solver": "newton"}])
    def test_bad_parameters(self, kind, settings):
        for each in (kind, THEIRS[kind]):
            with pytest.raises(ValueError, match="parameter of MLP"):
                each(**settings).fit(X, Y)

    def test_partial_fit_needs_steps(self, kind):
        assert not hasattr(kind(solver="lbfgs"), "partial_fit") or kind is MLPRegressor


def test_unseen_classes():
    net = MLPClassifier(**SMALL).partial_fit(X[Y < 5], Y[Y < 5], classes=range(5))
    before = net.predict(X)
    with pytest.raises(ValueError, match="classes not in"):
        net.partial_fit(X, Y)
    assert np.array_equal(net.predict(X), before)
    with pytest.raises(ValueError, match="classes must be passed"):
        MLPClassifier().partial_fit(X, Y)


# --- coefs_ and intercepts_ belong to the user ----------------------------------------


@EACH
class TestArrays:
    def test_written_in_place(self, kind):
        net, theirs = kind(**SMALL).fit(X, Y), THEIRS[kind](**SMALL).fit(X, Y)
        for each in (net, theirs):
            each.predict(X[:1])
            each.coefs_[0][3:9] *= -1
            each.intercepts_[1] += 0.5
        np.testing.assert_allclose(net.predict(X), theirs.predict(X), rtol=1e-9)

    def test_replaced(self, kind):
        net, theirs = kind(**SMALL).fit(X, Y), THEIRS[kind](**SMALL).fit(X, Y)
        for each in (net, theirs):
            each.coefs_[0] = -each.coefs_[0]
            each.intercepts_ = [b + 1 for b in each.intercepts_]
        np.testing.assert_allclose(net.predict(X), theirs.predict(X), rtol=1e-9)
        for each in (net, theirs):
            each.partial_fit(X, Y)
        np.testing.assert_allclose(net.predict(X), theirs.predict(X), rtol=1e-9)

    def test_of_another_dtype(self, kind):
        net, theirs = kind(**SMALL).fit(X, Y), THEIRS[kind](**SMALL).fit(X, Y)
        for each in (net, theirs):
            each.coefs_ = [np.sign(W).astype(int) for W in each.coefs_]
        np.testing.assert_allclose(net.predict(X), theirs.predict(X), rtol=1e-9)

    def test_of_shapes_that_do_not_fit(self, kind):
        net = kind(**SMALL).fit(X, Y)
        net.coefs_[1] = net.coefs_[1][1:]
        with pytest.raises(ValueError, match=r"coefs_\[1\] must have shape"):
            net.predict(X)

    def test_they_are_what_is_trained(self, kind):
        net = kind(**SMALL).fit(X, Y)
        W, before = net.coefs_[0], net.coefs_[0].copy()
        net.partial_fit(X, Y)
        assert net.coefs_[0] is W
        assert not np.array_equal(W, before)


@EACH
class TestCopies:
    def same(self, net, other):
        assert np.array_equal(net.predict(X), other.predict(X))
        before = net.predict(X)
        other.coefs_[0][...] = 0
        other.partial_fit(X, Y)
        assert np.array_equal(net.predict(X), before)

    def test_pickle(self, kind):
        net = kind(**SMALL).fit(X, Y)
        self.same(net, pickle.loads(pickle.dumps(net)))

    def test_joblib(self, kind, tmp_path):
        joblib = pytest.importorskip("joblib")
        net = kind(**SMALL).fit(X, Y)
        joblib.dump(net, tmp_path / "net")
        self.same(net, joblib.load(tmp_path / "net"))
        mapped = joblib.load(tmp_path / "net", mmap_mode="r")
        assert np.array_equal(mapped.predict(X), net.predict(X))

    def test_copies(self, kind):
        net = kind(**SMALL).fit(X, Y)
        self.same(net, copy.deepcopy(net))
        assert np.array_equal(copy.copy(net).predict(X), net.predict(X))

    def test_clone(self, kind):
        net = clone(kind(**SMALL).fit(X, Y))
        assert not hasattr(net, "coefs_")
        assert type(net) is kind

    @pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
    def test_to_sklearn(self, kind, solver):
        settings = SMALL | {"solver": solver, "alpha": 0.3}
        net, theirs = kind(**settings).fit(X, Y), THEIRS[kind](**settings).fit(X, Y)
        plain = net.to_sklearn()
        assert type(plain) is THEIRS[kind]
        assert plain.get_params() == net.get_params()
        assert vars(plain).keys() == vars(theirs).keys()
        assert b"bpcore" not in pickle.dumps(plain)
        plain.coefs_[0][...] *= 2
        assert not np.array_equal(plain.coefs_[0], net.coefs_[0])
        unfitted = kind(alpha=2).to_sklearn()
        assert unfitted.alpha == 2 and not hasattr(unfitted, "coefs_")

    def test_a_pickle_has_no_scratch_memory(self, kind):
        net, theirs = kind(**SMALL).fit(X, Y), THEIRS[kind](**SMALL).fit(X, Y)
        net.predict(X)
        assert len(pickle.dumps(net)) < 1.1 * len(pickle.dumps(theirs))


MODELS = {
    "MLPClassifier": MLPClassifier((64,), max_iter=3),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(64,), max_iter=3),
    "Classifier": Classifier(hidden_layer_sizes=(64,), epochs=3),
    "Regressor": Regressor(hidden_layer_sizes=(64,), epochs=3),
}
EACH_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))


def in_threads(action, n=4, times=50):
    """Errors of an action that several threads make many times."""
    failures = []

    def run():
        try:
            for _ in range(times):
                action()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(n)]
    for thread in threads:
        thread.start()
    return threads, failures


@EACH_MODEL
def test_several_threads_predict_at_once(model):
    net = clone(model).set_params(random_state=0).fit(X, Y)
    want = net.predict(X)

    def predict():
        assert np.array_equal(net.predict(X), want)

    threads, failures = in_threads(predict)
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_predictions_while_a_fit_goes_on(kind):
    """Neither fails, and the fit has its weights."""
    net, alone = (
        kind(hidden_layer_sizes=(64,), max_iter=40, random_state=0) for _ in range(2)
    )
    alone.fit(X, Y)
    net.fit(X, Y)
    stop = threading.Event()

    def predict():
        while not stop.is_set():
            net.predict(X[:20])

    threads, failures = in_threads(predict, n=2, times=1)
    try:
        for _ in range(5):
            net.partial_fit(X, Y)
        net.fit(X, Y)
        assert np.array_equal(net.coefs_[0], alone.coefs_[0])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    # scikit-learn's own attributes may be half renewed when a fit begins
    assert all(isinstance(error, ValueError | IndexError) for error in failures)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@EACH_MODEL
def test_fork_while_another_thread_predicts(model):
    net = clone(model).set_params(random_state=0).fit(X, Y)
    want, stop = net.predict(X), threading.Event()

    def predict():
        while not stop.is_set():
            net.predict(X)

    threads, _ = in_threads(predict, n=1, times=1)
    try:
        for _ in range(8):
            child = os.fork()
            if child == 0:
                os._exit(0 if np.array_equal(net.predict(X), want) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        threads[0].join()


# --- tools of scikit-learn ------------------------------------------------------------


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_search(backend):
    joblib = pytest.importorskip("joblib")
    settings = {"mlpclassifier__alpha": [1e-4, 1.0]}
    found = []
    for kind in (neural_network.MLPClassifier, MLPClassifier):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), kind(**SMALL)), settings, n_jobs=2, cv=3
        )
        with joblib.parallel_backend(backend), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.fit(X, Y)
        found.append(search.cv_results_["mean_test_score"].tolist())
    assert found[0] == found[1]
    assert type(search.best_estimator_[-1]) is MLPClassifier


def test_other_tools():
    net, theirs = MLPClassifier(**SMALL), neural_network.MLPClassifier(**SMALL)
    found = []
    for each in (net, theirs):
        voting = VotingClassifier([("a", each), ("b", clone(each))], voting="soft")
        importance = permutation_importance(
            clone(each).fit(X, Y), X, Y, n_repeats=2, random_state=0, n_jobs=2
        )
        found.append(
            [
                cross_val_predict(each, X, Y, cv=3),
                CalibratedClassifierCV(each, cv=2).fit(X, Y).predict_proba(X),
                voting.fit(X, Y).predict_proba(X),
                importance.importances_mean,
            ]
        )
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_metadata_routing():
    with config_context(enable_metadata_routing=True):
        net = MLPClassifier(**SMALL).set_fit_request(sample_weight=True)
        net.set_score_request(sample_weight=True)
        search = GridSearchCV(net, {"alpha": [1.0]}, cv=2)
        search.fit(X, Y, sample_weight=np.linspace(0, 1, len(Y)))
        assert search.best_estimator_.n_iter_ == 15


@EACH
def test_frames(kind):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(64)])
    net = kind(**SMALL).fit(frame, pandas.Series(Y))
    assert net.feature_names_in_.tolist() == frame.columns.tolist()
    assert np.array_equal(net.predict(frame), kind(**SMALL).fit(X, Y).predict(X))
    with pytest.warns(UserWarning, match="valid feature names"):
        net.predict(X)
    with pytest.raises(ValueError, match="feature names"):
        net.predict(frame.rename(columns={"x1": "y"}))


@EACH
def test_polars_frames(kind):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=[f"x{i}" for i in range(64)])
    net = kind(**SMALL).fit(frame, Y)
    assert np.array_equal(net.predict(frame), kind(**SMALL).fit(X, Y).predict(X))


def test_set_output():
    pandas = pytest.importorskip("pandas")
    pipe = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    pipe.set_output(transform="pandas").fit(X, Y)
    assert isinstance(pipe[:-1].transform(X), pandas.DataFrame)
    assert np.array_equal(pipe.predict(X), pipe[-1].predict(pipe[:-1].transform(X)))


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("settings", [{"max_iter": 1}, {"batch_size": 999}])
def test_warnings_come_from_scikit_learns_module(settings):
    """Filters of warnings that name a module keep their meaning."""
    sources = []
    for kind in (neural_network.MLPClassifier, MLPClassifier):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            kind(**SMALL | settings).fit(X, Y)
        sources.append([(each.filename, each.category) for each in found])
    assert sources[0] == sources[1] != []


def test_bpcore_imports_no_scikit_learn():
    import subprocess
    import sys

    code = "import bpcore, sys; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert bp.__version__
