"""Estimators in searches, ensembles and pipelines of scikit-learn; tables as data."""

import numpy as np
import pytest

pytest.importorskip("sklearn.base")

import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bpcore as bp
from bpcore.sklearn import Classifier, Regressor

X, Y = load_iris(return_X_y=True)
QUICK = {"epochs": 40, "lr": 0.01, "random_state": 0, "hidden_layer_sizes": (16,)}
CLASSIFIER = make_pipeline(StandardScaler(), Classifier(**QUICK))
REGRESSOR = make_pipeline(StandardScaler(), Regressor(**QUICK))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search(backend):
    joblib = pytest.importorskip("joblib")
    grid = {
        "classifier__optimizer": ["adam", bp.SGD(0.1)],
        "classifier__lr": [None, 0.02],
        "classifier__loss": ["cross_entropy", "squared_error"],
    }
    search = GridSearchCV(CLASSIFIER, grid, n_jobs=2, cv=3)
    with joblib.parallel_backend(backend):
        search.fit(X, Y)
    assert search.best_score_ > 0.9
    alone = GridSearchCV(CLASSIFIER, grid, cv=3).fit(X, Y)
    assert np.array_equal(
        alone.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_cross_validation():
    p = cross_val_predict(CLASSIFIER, X, Y, method="predict_proba")
    assert (p.argmax(1) == Y).mean() > 0.9
    found = cross_validate(REGRESSOR, X[:, :3], X[:, 3], scoring=["r2"])
    assert np.isfinite(found["test_r2"]).all()


def test_ensembles():
    calibrated = CalibratedClassifierCV(CLASSIFIER, cv=3).fit(X, Y)
    assert calibrated.score(X, Y) > 0.9
    others = [
        ("a", CLASSIFIER),
        ("b", make_pipeline(StandardScaler(), LogisticRegression())),
    ]
    assert VotingClassifier(others, voting="soft").fit(X, Y).score(X, Y) > 0.9
    hinge = Classifier(loss="hinge", **QUICK)
    assert OneVsRestClassifier(hinge).fit(X, Y).score(X, Y) > 0.7
    stacked = StackingRegressor([("a", REGRESSOR)], cv=3).fit(X[:, :3], X[:, 3])
    assert stacked.score(X[:, :3], X[:, 3]) > 0.8
    scaled = TransformedTargetRegressor(REGRESSOR, transformer=StandardScaler())
    assert scaled.fit(X[:, :3], 1e4 + X[:, 3]).score(X[:, :3], 1e4 + X[:, 3]) > 0.8
    model = CLASSIFIER.fit(X, Y)
    importance = permutation_importance(model, X, Y, random_state=0)
    assert importance.importances_mean.shape == (4,)


def test_metadata_routing():
    weight = np.linspace(0, 2, 150)
    with sklearn.config_context(enable_metadata_routing=True):
        model = Classifier(**QUICK).set_fit_request(
            sample_weight=True, X_val=True, y_val=True
        )
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        pipeline.fit(X, Y, sample_weight=weight, X_val=X[:30], y_val=Y[:30])
    scaled = StandardScaler().fit_transform(X)
    alone = Classifier(**QUICK).fit(scaled, Y, weight, X_val=X[:30], y_val=Y[:30])
    assert np.array_equal(model.network_.parameters, alone.network_.parameters)
    assert model.validation_loss_curve_ == alone.validation_loss_curve_


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables(library):
    tables = pytest.importorskip(library)
    names = ["a", "b", "c", "d"]
    table = tables.DataFrame(dict(zip(names, X.T, strict=True)))
    y = tables.Series(np.array(["u", "v", "w"])[Y])
    plain = Classifier(**QUICK).fit(X, np.array(["u", "v", "w"])[Y])
    model = Classifier(**QUICK).fit(table, y, X_val=table, y_val=y)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)
    assert np.array_equal(model.predict(table), plain.predict(X))
    numbers = Regressor(**QUICK).fit(table, tables.Series(X[:, 0]))
    assert numbers.predict(table).shape == (150,)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_of_features(library):
    tables = pytest.importorskip(library)
    names = ["a", "b", "c", "d"]
    table = tables.DataFrame(dict(zip(names, X.T, strict=True)))
    if not hasattr(StandardScaler().fit(table), "feature_names_in_"):
        pytest.skip(f"this scikit-learn has no names of features of {library}")
    model = Classifier(**QUICK).fit(table, Y)
    assert list(model.feature_names_in_) == names
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[["d", "b", "c", "a"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library):
    pytest.importorskip(library)
    pipeline = make_pipeline(StandardScaler(), Classifier(**QUICK))
    pipeline.set_output(transform=library).fit(X, Y)
    assert pipeline.score(X, Y) > 0.9
    assert pipeline[-1].n_features_in_ == 4
