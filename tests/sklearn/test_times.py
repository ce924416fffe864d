"""Dates, times and texts are no numbers, whatever scikit-learn's checks convert."""

import numpy as np
import pytest

from bpcore.sklearn import Classifier, MLPRegressor, Regressor

X = np.random.default_rng(0).normal(size=(20, 2))
Y = np.arange(20) % 2


def frames(kind):
    pd = pytest.importorskip("pandas")
    dates = pd.date_range("2020", periods=20)
    return pd.DataFrame({"a": dates - dates[0] if kind == "m" else dates, "b": X[:, 0]})


def polars_frame():
    pl = pytest.importorskip("polars")
    days = np.arange("2020-01-01", "2020-01-21", dtype="M8[D]")
    return pl.DataFrame({"a": days, "b": X[:, 0]})


TABLES = {
    "datetime64": lambda: X.astype("M8[s]"),
    "timedelta64": lambda: X.astype("m8[s]"),
    "list": lambda: list(X.astype("M8[s]")),
    "frame of dates": lambda: frames("M"),
    "frame of times": lambda: frames("m"),
    "frame of polars": polars_frame,
}


@pytest.mark.parametrize("estimator", [Classifier, Regressor])
@pytest.mark.parametrize("name", TABLES)
def test_times_in_a_table(name, estimator):
    table = TABLES[name]()
    model = estimator(hidden_layer_sizes=(3,), epochs=1, random_state=0)
    with pytest.raises(TypeError):
        model.fit(table, Y)
    model.fit(X, Y)
    with pytest.raises(TypeError):
        model.predict(table)
    with pytest.raises(TypeError):
        model.fit(X, Y, X_val=table, y_val=Y)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("dtype", ["M8[s]", "m8[s]", "U5", "S5"])
def test_targets_that_are_no_numbers(dtype, solver):
    model = MLPRegressor(hidden_layer_sizes=(3,), solver=solver, max_iter=2)
    with pytest.raises(TypeError, match="y must hold real numbers; got dtype"):
        model.fit(X, Y.astype(dtype))


@pytest.mark.parametrize("dtype", ["M8[s]", "m8[s]"])
def test_times_in_scores(dtype):
    times = Y.astype(dtype)
    model = Regressor(hidden_layer_sizes=(3,), epochs=1).fit(X, Y)
    with pytest.raises(TypeError, match="y must hold real numbers"):
        model.score(X, times)
    for estimator in (model, Classifier(hidden_layer_sizes=(3,), epochs=1).fit(X, Y)):
        with pytest.raises(TypeError, match="sample_weight must hold real numbers"):
            estimator.score(X, Y, times)


@pytest.mark.parametrize("value", ["False", 0.5, None, 1])
def test_warm_start_is_a_bool(value):
    model = Regressor(hidden_layer_sizes=(3,), epochs=1, warm_start=value)
    with pytest.raises(TypeError, match="warm_start must be a bool"):
        model.fit(X, Y)
