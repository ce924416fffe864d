"""scikit-learn's own checks of estimators pass whole, without expected failures."""

import pytest

pytest.importorskip("sklearn.base")

from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from bpcore.sklearn import Classifier, Regressor

#: A weight is as good as a repetition only where each step is made from all rows: for
#: this check scikit-learn gives its own networks L-BFGS, and so it does here.
EQUIVALENCE = "check_sample_weight_equivalence_on_dense_data"
FULL_BATCH = {"optimizer": "lbfgs", "dtype": "float64", "epochs": 30, "norm": None}


@parametrize_with_checks(
    [
        Classifier(),
        Classifier(loss="squared_error", output="sigmoid", patience=10),
        Regressor(),
        Regressor(epochs=200, loss="huber", norm="batch", restore_best=True),
    ]
)
def test_checks(estimator, check):
    if check.func.__name__ == EQUIVALENCE:
        estimator = clone(estimator).set_params(**FULL_BATCH)
    check(estimator)
