"""Weights of rows and classes at the ends of float64: only their ratios matter."""

import warnings

import numpy as np
import pytest

import bpcore.sklearn
import bpcore.tabular

ROWS = 40
X = np.random.default_rng(0).normal(size=(ROWS, 2))
NUMBERS = X[:, 0] + X[:, 1] ** 2
NAMES = np.where(NUMBERS > 0.5, "yes", "no")
WEIGHTS = np.random.default_rng(1).integers(1, 9, ROWS) / 8.0
#: Powers of two, by which the weights are multiplied without rounding.
EXPONENTS = (-1060, 1020)


def classifier(**settings):
    return bpcore.tabular.Classifier(
        quick=True, epochs=3, hidden_layer_sizes=(4,), random_state=0, **settings
    )


def regressor(**settings):
    return bpcore.tabular.Regressor(
        quick=True, epochs=3, hidden_layer_sizes=(4,), random_state=0, **settings
    )


def network_classifier(**settings):
    return bpcore.sklearn.Classifier(
        hidden_layer_sizes=(4,), epochs=3, random_state=0, **settings
    )


CASES = {
    "classes": (classifier, NAMES, {}),
    "class weights": (classifier, NAMES, {"class_weight": {"yes": 2.0}}),
    "balanced": (classifier, NAMES, {"class_weight": "balanced"}),
    "numbers": (regressor, NUMBERS, {}),
    "quantiles": (regressor, NUMBERS, {"quantiles": (0.2, 0.8)}),
    "network": (network_classifier, NAMES, {}),
    "network, class weights": (
        network_classifier,
        NAMES,
        {"class_weight": {"yes": 2.0}},
    ),
}


def outcome(make, y, settings, weight):
    """Predictions and score."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = make(**settings).fit(X, y, weight)
        score = model.score(X, y, weight) if make is not network_classifier else 0
        return model.predict(X).tolist(), score


@pytest.mark.parametrize("name", CASES)
def test_a_factor_of_all_weights_changes_nothing(name):
    make, y, settings = CASES[name]
    expected = outcome(make, y, settings, WEIGHTS)
    for exponent in EXPONENTS:
        found = outcome(make, y, settings, np.ldexp(WEIGHTS, exponent))
        assert found == expected, exponent


@pytest.mark.parametrize("make", [classifier, network_classifier])
@pytest.mark.parametrize("exponent", [-1000, 1000])
def test_a_factor_of_all_class_weights_changes_nothing(make, exponent):
    several = [{"yes": 3.0 * factor, "no": factor} for factor in (1.0, 2.0**exponent)]
    expected, found = (
        outcome(make, NAMES, {"class_weight": weights}, np.ldexp(WEIGHTS, exponent))
        for weights in several
    )
    assert found == expected


@pytest.mark.parametrize("make", [classifier, network_classifier])
def test_weights_of_classes_too_far_apart_are_refused(make):
    model = make(class_weight={"yes": 1e-300, "no": 1.0})
    with pytest.raises(ValueError, match="class_weight must not differ by"):
        model.fit(X, NAMES, np.full(ROWS, 1e-300))
