"""scikit-learn's own checks of estimators, of those for tables."""

import pytest

pytest.importorskip("sklearn", minversion="1.7")

from sklearn.utils.estimator_checks import parametrize_with_checks

from bpcore.tabular import Classifier, Regressor

ESTIMATORS = [
    Classifier(quick=True, random_state=0),
    Regressor(quick=True, random_state=0),
]


#: One that scikit-learn declares for its own networks too: shuffles and the rows held
#: back differ if a row is repeated.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "shuffles and held-back rows",
}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: EXPECTED)
def test_scikit_learns_checks(estimator, check):
    check(estimator)
