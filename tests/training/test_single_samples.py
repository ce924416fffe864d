"""Single samples that learn_one and predict_one refuse."""

import numpy as np
import pytest

from helpers.refusals import (
    EITHER,
    FINITE,
    IN_0_TO_1,
    INF,
    NAN,
    RNG,
    TARGETS,
    TYPE,
    VALUE,
    X,
    made,
    table,
)

OF_X = "x must have shape (3,); got "
BAD_SAMPLES = {
    "row": (X[:1], VALUE(OF_X + "(1, 3)")),
    "narrow": (X[0, :2], VALUE(OF_X + "(2,)")),
    "number": (0.5, VALUE(OF_X + "()")),
    "empty": ([], VALUE(OF_X + "(0,)")),
    "text": ("abc", TYPE("x must hold real numbers; got str")),
    "None": (None, TYPE("x must hold real numbers; got NoneType")),
    "complex": (X[0] * 1j, TYPE("x must hold real numbers; got dtype complex64")),
    "ragged": ([1, [2], 3], VALUE("x must be a regular array...; got a ragged...")),
    "nan": (X[0] * NAN, VALUE(FINITE.format("x", "nan at [0]"))),
    "inf": ([0, 0, INF], VALUE(FINITE.format("x", "inf at [2]"))),
    "overflow": ([0, 1e39, 0], VALUE(FINITE.format("x", "1e+39 at [1]"))),
}
BAD_LABELS = {
    "too large": (2, VALUE("y must hold labels in 0 .. 1; got 2")),
    "too small": (-1, VALUE("y must hold labels in 0 .. 1; got -1")),
    "int8": (np.int8(7), VALUE("y must hold labels in 0 .. 1; got 7")),
    **{f"2^{power}": (2**power, EITHER("y must ...")) for power in (31, 63, 64, 70)},
    "-2^70": (-(2**70), EITHER("y must ...; got ...")),
    "uint64": (np.uint64(2**64 - 1), EITHER("y must ...; got ...")),
    "float": (1.0, TYPE("y ...must ...integer label...; got ...")),
    "None": (None, TYPE("y must ...; got None...")),
    "text": ("a", TYPE("y must ...; got str")),
    "timedelta": (np.timedelta64(1), TYPE("y must ...; got timedelta64")),
    "wide": (np.zeros(3), VALUE("y must ...shape (2,)...; got (3,)")),
    "rows": (TARGETS, VALUE("y must ...shape (2,)...; got (6, 2)")),
    "row": (TARGETS[:1], VALUE("y must ...shape (2,)...; got (1, 2)")),
    "nan": ([0, NAN], VALUE(FINITE.format("y", "nan at [1]"))),
    "above 1": ([0, 1.5], VALUE(IN_0_TO_1.format("cross_entropy", "0.0 to 1.5"))),
}
BAD_NUMBERS = {
    "10^400": (10**400, EITHER("y must ...; got ...")),
    "nan": (NAN, VALUE(FINITE.format("y", "nan..."))),
    "overflow": (1e39, VALUE(FINITE.format("y", "1e+39..."))),
    "wide": ([0.5, 0.5], VALUE("y must ...shape (1,)...; got (2,)")),
    "text": ("a", TYPE("y must ...; got str")),
    "timedelta": (np.timedelta64(1), TYPE("y must ...; got timedelta64")),
}


@table(BAD_SAMPLES)
def test_bad_sample(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.learn_one(bad, 1), net)
    refusal.of(lambda: net.predict_one(bad), net)


@table(BAD_LABELS)
def test_bad_label_of_a_sample(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.learn_one(X[0], bad), net)


@table(BAD_NUMBERS)
def test_bad_number_of_a_sample(Network, bad, refusal):
    net = made(Network, "squared_error", 1)
    refusal.of(lambda: net.learn_one(X[0], bad), net)


@pytest.mark.parametrize("loss, y", [("hinge", 0), ("hinge", 0.5), ("poisson", -1.0)])
def test_number_of_a_sample_that_the_loss_does_not_take(Network, loss, y):
    net = made(Network, loss, 1)
    refusal = VALUE(f"y must be ... for {loss}; got ...{float(y)}...")
    refusal.of(lambda: net.learn_one(X[0], y), net)


@pytest.mark.parametrize("n", [2, 200])
@pytest.mark.parametrize("hidden", [[], [4]], ids=str)
def test_a_prediction_may_be_predicted_from(Network, n, hidden):
    # It lies where the next one will.
    net = Network([n, *hidden, n], rng=0)
    x = RNG.standard_normal(n).astype("float32")
    expected = net.predict(net.predict(x))
    assert np.array_equal(net.predict_one(net.predict_one(x)), expected)
