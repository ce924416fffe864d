"""Masked arrays are refused by the estimators, which check with scikit-learn's help."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from bpcore.sklearn import Classifier, Regressor
from bpcore.tabular import Regressor as TableRegressor

X, LABELS = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 1, 0])
ARGUMENTS = {"X": X, "y": LABELS, "X_val": X, "y_val": LABELS}
SMALL = {"hidden_layer_sizes": (2,), "epochs": 1, "random_state": 0}
estimators = pytest.mark.parametrize("kind", [Classifier, Regressor])


def masked(array):
    """A copy whose first element is masked."""
    found = np.ma.array(array.copy(), mask=np.zeros(array.shape, bool))
    found[(0,) * array.ndim] = np.ma.masked
    return found


@estimators
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_fit(kind, argument):
    data = {**ARGUMENTS, argument: masked(ARGUMENTS[argument])}
    model = kind(**SMALL).fit(X, LABELS)
    before = model.predict(X)
    with pytest.raises(TypeError, match=rf"^{argument} must .*none masked"):
        model.fit(**data)
    assert np.array_equal(model.predict(X), before)


@estimators
def test_predictions_and_scores(kind):
    model = kind(**SMALL).fit(X, LABELS)
    for call in (
        lambda: model.predict(masked(X)),
        lambda: model.predict(list(masked(X))),
        lambda: model.gradient(masked(X)),
        lambda: model.score(X, masked(LABELS)),
        lambda: model.score(X, LABELS, masked(np.ones(6))),
    ):
        with pytest.raises(TypeError, match="none masked"):
            call()


def test_rows_of_tables():
    """In a table a mask means missing values, but not in a list of rows."""
    model = TableRegressor(epochs=1, n_models=1, random_state=0)
    with pytest.raises(TypeError, match=r"^X must .*none masked"):
        model.fit(list(masked(X)), LABELS)
    with pytest.raises(TypeError, match=r"^y must .*none masked"):
        model.fit(X, [*masked(LABELS)[:1], *LABELS[1:]])


@estimators
def test_numbers_beyond_float32_raise_without_a_warning(kind):
    with warnings.catch_warnings(), pytest.raises(ValueError, match="infinity"):
        warnings.simplefilter("error")
        kind(**SMALL).fit(np.where(X == 0, 1e39, X), LABELS)
