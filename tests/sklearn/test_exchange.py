"""from_sklearn and to_sklearn: the same predictions in both libraries."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn.base")
pytest.importorskip("pandas")

import pandas as pd
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

import bpcore as bp
from bpcore.sklearn import Classifier, Regressor, from_sklearn

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.{ConvergenceWarning.__name__}"
)

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
NAMES = np.array(["u", "v", "w"])[Y]
TARGETS = {
    "binary": np.where(Y > 0, "yes", "no"),
    "classes": NAMES,
    "labels": np.c_[Y == 0, Y > 0, X[:, 0] > 0].astype(int),
    "one label": (Y == 0).astype(int)[:, None] * [1, 0] + [0, 1],
    "number": X[:, 0] * 3,
    "numbers": X[:, :2] * 3,
    "counts": Y.astype(float),
}
TOLERANCE = {"float64": 1e-12, "float32": 1e-6}


def is_number(kind):
    return kind in ("number", "numbers", "counts")


def assert_same(ours, theirs, data, kind, dtype):
    tolerance = TOLERANCE[dtype]
    if is_number(kind):
        expected = theirs.predict(data)
        scale = max(1.0, np.abs(expected).max())
        np.testing.assert_allclose(ours.predict(data), expected, 0, tolerance * scale)
        return
    p = theirs.predict_proba(data)
    np.testing.assert_allclose(ours.predict_proba(data), p, 0, tolerance)
    assert np.array_equal(ours.predict(data), theirs.predict(data))
    assert ours.predict(data).dtype == theirs.predict(data).dtype
    assert np.array_equal(ours.classes_, theirs.classes_)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_from_sklearn(kind, solver, activation, dtype):
    rows, y = X.astype(dtype), TARGETS[kind]
    more = {"loss": "poisson"} if kind == "counts" else {}
    MLP = MLPRegressor if is_number(kind) else MLPClassifier
    theirs = MLP(hidden_layer_sizes=(8, 5), activation=activation, solver=solver,
                 max_iter=15, random_state=0, **more)  # fmt: skip
    theirs.fit(rows, y)
    ours = from_sklearn(theirs)
    assert isinstance(ours, Regressor if is_number(kind) else Classifier)
    dtype = ours.network_.dtype.name  # float64 by L-BFGS
    assert dtype == theirs.coefs_[0].dtype and ours.n_iter_ == theirs.n_iter_
    assert_same(ours, theirs, rows, kind, dtype)
    assert_same(ours, ours.to_sklearn(), rows, kind, dtype)
    ours.set_params(warm_start=True, epochs=1).fit(rows, y)
    assert ours.n_iter_ in (theirs.n_iter_, theirs.n_iter_ + 1) and np.isfinite(
        ours.loss_
    )


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("settings", [
    {}, {"activation": "tanh", "norm": "batch"}, {"hidden_layer_sizes": ()},
    {"dropout": 0.2, "hidden_layer_sizes": (7, 7, 7)},
    {"input_scale": 6.0, "norm": "batch"},
], ids=str)  # fmt: skip
def test_to_sklearn(kind, settings, dtype):
    y = TARGETS[kind]
    table = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    if kind == "counts":
        settings = {**settings, "loss": "poisson"}
    ours = (Regressor if is_number(kind) else Classifier)(
        random_state=0, epochs=3, dtype=dtype, **settings
    ).fit(table, y)
    theirs = ours.to_sklearn()
    assert type(theirs) is (MLPRegressor if is_number(kind) else MLPClassifier)
    rows = table.astype(dtype)
    assert_same(ours, theirs, rows, kind, dtype)
    assert_same(from_sklearn(theirs), theirs, rows, kind, dtype)
    assert_same(ours, pickle.loads(pickle.dumps(theirs)), rows, kind, dtype)
    assert theirs.loss_curve_ == ours.loss_curve_ and theirs.n_iter_ == 3
    assert list(theirs.feature_names_in_) == ["a", "b", "c", "d"]
    before = [W.copy() for W in ours.network_.weights]
    theirs.partial_fit(table, y)
    assert all(map(np.array_equal, before, ours.network_.weights))
    assert not is_number(kind) or theirs.get_params()["loss"] in (
        "squared_error", "poisson")  # fmt: skip


def test_two_softmax_outputs_become_one(dtype):
    ours = Classifier(output="softmax", random_state=0, dtype=dtype)
    ours.fit(X, TARGETS["binary"])
    assert ours.n_outputs_ == 2
    theirs = ours.to_sklearn()
    assert theirs.n_outputs_ == 1
    assert_same(ours, theirs, X.astype(dtype), "binary", dtype)


def test_quantiles_become_outputs():
    ours = Regressor(quantiles=[0.1, 0.9], dtype="float64").fit(X, X[:, 0])
    np.testing.assert_allclose(ours.to_sklearn().predict(X), ours.predict(X))


@pytest.mark.parametrize("estimator, message", [
    (Classifier(activation=["relu", "tanh"], hidden_layer_sizes=(3, 3)),
     "one activation for all hidden layers.*got relu, tanh"),
    (Classifier(activation="gelu"), "got gelu"),
    (Classifier(norm="layer"), "no layer norm"),
    (Classifier(loss="hinge"), "3 outputs of identity"),
    (Classifier(loss="binary_cross_entropy"), "3 outputs of sigmoid"),
    (Regressor(output="tanh"), "identity or exp.*got tanh"),
], ids=str)  # fmt: skip
def test_what_scikit_learn_has_not(estimator, message):
    estimator.set_params(epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        estimator.to_sklearn()


def test_other_estimators():
    with pytest.raises(TypeError, match="got LogisticRegression"):
        from_sklearn(LogisticRegression())
    with pytest.raises(NotFittedError):
        from_sklearn(MLPClassifier())


def test_parameters_are_taken_over():
    theirs = MLPClassifier(solver="sgd", learning_rate_init=0.1, momentum=0.8,
                           nesterovs_momentum=False, max_iter=7, shuffle=False,
                           early_stopping=True, n_iter_no_change=3, tol=0.01,
                           batch_size=16, random_state=4)  # fmt: skip
    ours = from_sklearn(theirs.fit(X, Y))
    assert ours.optimizer == bp.SGD(0.1, momentum=0.8)
    wanted = {"epochs": 7, "shuffle": False, "validation_fraction": 0.1,
              "patience": 4, "min_delta": 0.01, "restore_best": True,
              "batch_size": 16, "random_state": 4, "activation": "relu"}  # fmt: skip
    assert wanted.items() <= ours.get_params().items()
    again = ours.to_sklearn()
    wanted = {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0.8,
              "nesterovs_momentum": False, "alpha": 0.0}  # fmt: skip
    assert wanted.items() <= again.get_params().items()
    assert again.max_iter == 7 and again.batch_size == 16 and not again.shuffle


def test_random_numbers_and_output_are_left_alone(capsys):
    source = np.random.RandomState(0)
    ours = Regressor(random_state=source, optimizer="lbfgs", epochs=3).fit(X, X)
    ours.set_params(verbose=True)
    before = source.get_state()[1].tolist()
    theirs = ours.to_sklearn()
    assert source.get_state()[1].tolist() == before
    assert theirs.random_state.get_state()[1].tolist() == before
    assert theirs.verbose and theirs.solver == "lbfgs"
    assert capsys.readouterr() == ("", "")


def test_a_classifier_of_one_class_is_refused():
    theirs = MLPClassifier(max_iter=2).fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="at least 2 classes; got 1 class"):
        from_sklearn(theirs)


def test_both_have_their_own_random_state():
    source = np.random.RandomState(0)
    theirs = MLPRegressor(random_state=source, max_iter=2).fit(X, Y)
    before = source.get_state()[2]
    ours = from_sklearn(theirs)
    ours.fit(X, Y)
    back = ours.to_sklearn()
    back.set_params(max_iter=2, batch_size=32).fit(X, Y)
    assert source.get_state()[2] == before
    assert len({id(net.random_state) for net in (theirs, ours, back)}) == 3


def test_momentum_of_one_goes_both_ways():
    theirs = MLPRegressor(
        solver="sgd", momentum=1.0, learning_rate_init=1e-5, max_iter=2
    ).fit(X, Y)
    ours = from_sklearn(theirs)
    assert ours.optimizer == bp.Momentum(1e-5, 1.0, nesterov=True)
    assert ours.to_sklearn().get_params()["momentum"] == 1
