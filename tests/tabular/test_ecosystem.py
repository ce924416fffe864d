"""Estimators for tables within scikit-learn's and other tools."""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import BaggingRegressor, VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from bpcore.tabular import Classifier, Regressor

X, Y = load_wine(return_X_y=True, as_frame=False)


def model(**settings):
    return Classifier(**{"quick": True, "epochs": 30, "random_state": 0} | settings)


def test_searches_and_cross_validation():
    search = GridSearchCV(model(), {"lr": [0.01, 0.04]}, cv=3).fit(X, Y)
    assert search.best_score_ > 0.9
    assert cross_val_score(model(), X, Y, cv=3).mean() > 0.9
    assert cross_val_predict(model(), X, Y, cv=3, method="predict_proba").shape == (
        178,
        3,
    )


def test_pipelines_votes_and_bags():
    pipeline = make_pipeline(FunctionTransformer(), model()).fit(X, Y)
    assert pipeline.score(X, Y) > 0.95
    votes = VotingClassifier(
        [("a", model()), ("b", model(random_state=1))], voting="soft"
    )
    assert votes.fit(X, Y).score(X, Y) > 0.95
    inputs, y = load_diabetes(return_X_y=True)
    bag = BaggingRegressor(
        Regressor(quick=True, epochs=20), n_estimators=2, random_state=0
    )
    assert bag.fit(inputs, y).score(inputs, y) > 0.3


def test_permutation_importance_agrees():
    fitted = model().fit(X, Y)
    theirs = permutation_importance(fitted, X, Y, n_repeats=20, random_state=0)
    ours = fitted.explain(X, Y, n_repeats=20)
    assert np.abs(theirs.importances_mean - ours.permutation).max() < 0.05


def test_clones_and_representation():
    settings = {"categorical": [0], "n_models": 2, "class_weight": "balanced"}
    twin = clone(model(**settings))
    assert twin.get_params() == model(**settings).get_params()
    assert "n_models=2" in repr(twin) and "<div" in twin._repr_html_()


def test_intervals_of_mapie():
    mapie = pytest.importorskip("mapie.regression", minversion=None)
    inputs, y = load_diabetes(return_X_y=True)
    fitted = Regressor(quick=True, random_state=0).fit(inputs[:200], y[:200])
    conformal = mapie.SplitConformalRegressor(fitted, confidence_level=0.9, prefit=True)
    conformal.conformalize(inputs[200:320], y[200:320])
    _, intervals = conformal.predict_interval(inputs[320:])
    low, high = intervals[:, 0, 0], intervals[:, 1, 0]
    inside = (low <= y[320:]) & (y[320:] <= high)
    assert 0.8 <= inside.mean() <= 1
