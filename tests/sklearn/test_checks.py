"""scikit-learn's own checks of estimators pass whole."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from bpcore.sklearn import Classifier, Regressor

#: A weight is as good as a repetition only where a step is made from all rows, so
#: scikit-learn gives its own networks the solver L-BFGS for this check; so do we, in
#: `test_weights_are_repetitions`.
EQUIVALENCE = {
    "check_sample_weight_equivalence_on_dense_data": "mini-batches of other rows"
}


@parametrize_with_checks(
    [Classifier(epochs=100), Regressor(epochs=100)],
    expected_failed_checks=lambda estimator: EQUIVALENCE,
)
def test_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [Classifier, Regressor])
def test_weights_are_repetitions(kind):
    estimator = kind(optimizer="lbfgs", dtype="float64", epochs=30)
    check_sample_weight_equivalence_on_dense_data(kind.__name__, estimator)
