"""Bad X, y and sample_weight: every call refuses them and changes nothing."""

import math

import numpy as np
import pytest

import bpcore as bp
from helpers.bad_input import (
    BINARY,
    LABEL_SHAPE,
    LABELS,
    TARGET_SHAPE,
    TARGETS,
    WEIGHTS,
    Sparse,
    X,
    assert_refused,
    small,
    spoilt,
    table,
)

# --- X, of every call that takes one --------------------------------------------------

TAKES_X = {
    "fit": lambda net, X: net.fit(X, LABELS),
    "partial_fit": lambda net, X: net.partial_fit(X, LABELS),
    "validation": lambda net, X_v: net.fit(X, LABELS, validation=(X_v, LABELS)),
    "train_step": lambda net, X: net.train_step(X, LABELS),
    "gradients": lambda net, X: net.gradients(X, LABELS),
    "evaluate": lambda net, X: net.evaluate(X, LABELS),
    "predict": lambda net, X: net.predict(X),
    "call": lambda net, X: net(X),
    "forward": lambda net, X: net.forward(X),
    "check_gradients": lambda net, X: bp.check_gradients(net, X, LABELS),
}
SHAPE = r"shape \(n, 3\)"
BAD_X = {
    "number": (0.5, ValueError, SHAPE, r"\(\)"),
    "row too wide": (np.zeros(4), ValueError, SHAPE, r"\(4,\)"),
    "cube": (np.zeros((6, 3, 1)), ValueError, SHAPE, r"\(6, 3, 1\)"),
    "too narrow": (np.zeros((6, 2)), ValueError, SHAPE, r"\(6, 2\)"),
    "too wide": (np.zeros((6, 4)), ValueError, SHAPE, r"\(6, 4\)"),
    "transposed": (X.T, ValueError, SHAPE, r"\(3, 6\)"),
    "no rows": (X[:0], ValueError, "n at least 1", r"\(0, 3\)"),
    "no columns": (X[:, :0], ValueError, SHAPE, r"\(6, 0\)"),
    "nothing": ([], ValueError, SHAPE, r"\(0,\)"),
    "nan": (spoilt(X, math.nan), ValueError, "finite", r"nan at \[3, 1\]"),
    "inf": (spoilt(X, math.inf), ValueError, "finite", r"inf at \[3, 1\]"),
    "-inf": (spoilt(X, -math.inf), ValueError, "finite", r"-inf at \[3, 1\]"),
    "overflow": (
        spoilt(X.astype("float64"), 1e39),
        *(ValueError, "finite in float32", r"1e\+39 at \[3, 1\]"),
    ),
    "ragged": ([[1, 2, 3], [1, 2]], ValueError, "regular array", "ragged"),
    "object": (
        spoilt(X.astype(object), None),
        TypeError,
        "real numbers",
        r"None at \[3, 1\]",
    ),
    "text": ([["1", "2", "3"]], TypeError, "real numbers", "dtype <U1"),
    "bytes": (X.astype("S3"), TypeError, "real numbers", r"dtype \|S3"),
    "complex": (X * 1j, TypeError, "real numbers", "dtype complex64"),
    "dates": (X.astype("M8[s]"), TypeError, "real numbers", r"dtype datetime64"),
    "record": (np.zeros(6, "f4,f4,f4"), TypeError, "real numbers", "dtype"),
    "masked": (np.ma.masked_equal(X, 1), TypeError, "real numbers", "MaskedArray"),
    "sparse": (Sparse(), TypeError, "real numbers", "Sparse"),
    "None": (None, TypeError, "real numbers", "None"),
}


@pytest.mark.parametrize("name", TAKES_X)
@table(BAD_X)
def test_bad_X(Network, name, bad, error, expected, got):
    net = small(Network)
    argument = "validation X" if name == "validation" else "X"
    call = TAKES_X[name]
    assert_refused(net, lambda: call(net, bad), argument, error, expected, got, bad)


# --- y and sample_weight, of every call that takes them -------------------------------

TAKES_Y = {
    "fit": lambda net, y, w: net.fit(X, y, sample_weight=w),
    "partial_fit": lambda net, y, w: net.partial_fit(X, y, sample_weight=w),
    "validation": lambda net, y, w: net.fit(X, TARGETS, validation=(X, y, w)),
    "train_step": lambda net, y, w: net.train_step(X, y, w),
    "gradients": lambda net, y, w: net.gradients(X, y, w),
    "evaluate": lambda net, y, w: net.evaluate(X, y, w),
    "check_gradients": lambda net, y, w: bp.check_gradients(net, X, y, w),
}
#: What takes the weights as they are: of a mini-batch they may all be 0.
AS_GIVEN = ("partial_fit", "train_step", "gradients", "check_gradients")
ENTROPIES = ["cross_entropy", BINARY, "kl_divergence"]
LOSSES = ["squared_error", "mean_squared_error", "huber", "poisson", *ENTROPIES]
NO_LABELS = "integer labels|real numbers"
BAD_LABELS = {
    "negative": (spoilt(LABELS, -1), ValueError, r"labels in 0 \.\. 1", "-1"),
    "too large": (spoilt(LABELS, 2), ValueError, r"labels in 0 \.\. 1", "2"),
    "very large": (
        np.full(6, 2**64 - 1, "u8"),
        *(ValueError, r"labels in 0 \.\. 1", "18446744073709551615"),
    ),
    "float": (LABELS * 1.0, TypeError, "integer labels", "float64"),
    "nan": (np.full(6, np.nan), TypeError, "integer labels", "float64"),
    "text": (["a"] * 6, TypeError, NO_LABELS, "<U1"),
    "object": (
        spoilt(LABELS.astype(object), "a"),
        TypeError,
        NO_LABELS,
        r"'a' at \[3\]",
    ),
    "complex": (LABELS * 1j, TypeError, NO_LABELS, "complex128"),
    "too few": (LABELS[:5], ValueError, LABEL_SHAPE, r"\(5,\)"),
    "too many": (np.zeros(7, int), ValueError, LABEL_SHAPE, r"\(7,\)"),
    "none": ([], ValueError, LABEL_SHAPE, r"\(0,\)"),
    "one": (1, ValueError, LABEL_SHAPE, r"\(\)"),
    "column": (LABELS.reshape(6, 1), ValueError, LABEL_SHAPE, r"\(6, 1\)"),
}
BAD_TARGETS = {
    "too few": (TARGETS[:5], ValueError, TARGET_SHAPE, r"\(5, 2\)"),
    "too wide": (np.zeros((6, 3)), ValueError, TARGET_SHAPE, r"\(6, 3\)"),
    "cube": (np.zeros((6, 2, 1)), ValueError, TARGET_SHAPE, r"\(6, 2, 1\)"),
    "number": (0.5, ValueError, TARGET_SHAPE, r"\(\)"),
    "no rows": (TARGETS[:0], ValueError, TARGET_SHAPE, r"\(0, 2\)"),
    "nan": (spoilt(TARGETS, math.nan), ValueError, "finite", r"nan at \[3, 1\]"),
    "inf": (spoilt(TARGETS, math.inf), ValueError, "finite", r"inf at \[3, 1\]"),
    "overflow": (
        spoilt(TARGETS.astype("float64"), -1e39),
        *(ValueError, "finite in float32", r"-1e\+39 at \[3, 1\]"),
    ),
    "ragged": ([[0, 1], [[1], 0]], ValueError, "regular array", "ragged"),
    "text": ([["a", "b"]] * 6, TypeError, "real numbers", "<U1"),
    "object": (
        spoilt(TARGETS.astype(object), None),
        TypeError,
        "real numbers",
        "object",
    ),
    "complex": (TARGETS * 1j, TypeError, "real numbers", "complex64"),
    "masked": (
        np.ma.masked_equal(TARGETS, 1),
        TypeError,
        "real numbers",
        "MaskedArray",
    ),
    "sparse": (Sparse(), TypeError, "real numbers", "Sparse"),
}
NOT_PROBABILITIES = {
    "above 1": (spoilt(TARGETS, 1.5), ValueError, r"in 0 \.\. 1", "0.0 to 1.5"),
    "below 0": (spoilt(TARGETS, -0.5), ValueError, r"in 0 \.\. 1", "-0.5 to 1.0"),
}
BAD_WEIGHTS = {
    "negative": (spoilt(WEIGHTS, -1.0), ValueError, "not be negative", "-1.0 to 1.0"),
    "all zero": (np.zeros(6), ValueError, "nor all zero", "0.0 to 0.0"),
    "too few": (WEIGHTS[:5], ValueError, r"shape \(6,\)", r"\(5,\)"),
    "column": (WEIGHTS.reshape(6, 1), ValueError, r"shape \(6,\)", r"\(6, 1\)"),
    "number": (1.0, ValueError, r"shape \(6,\)", r"\(\)"),
    "nan": (spoilt(WEIGHTS, math.nan), ValueError, "finite", r"nan at \[3\]"),
    "inf": (spoilt(WEIGHTS, math.inf), ValueError, "finite", r"inf at \[3\]"),
    "too far apart": (spoilt(WEIGHTS, 1e-310), ValueError, "a factor of", "1e-310"),
    "ragged": ([1, [1, 2]], ValueError, "regular array", "ragged"),
    "text": (["a"] * 6, TypeError, "real numbers", "<U1"),
    "name": ("balanced", TypeError, "real numbers", "str"),
    "object": (
        spoilt(WEIGHTS.astype(object), None),
        TypeError,
        "real numbers",
        "object",
    ),
    "complex": (WEIGHTS * 1j, TypeError, "real numbers", "complex128"),
    "masked": (
        np.ma.masked_equal(WEIGHTS, 0),
        TypeError,
        "real numbers",
        "MaskedArray",
    ),
}


def assert_y_refused(Network, loss, name, bad, *expected):
    net, call = small(Network, loss), TAKES_Y[name]
    argument = "validation y" if name == "validation" else "y"
    assert_refused(net, lambda: call(net, bad, None), argument, *expected, bad)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", LOSSES)
@table(BAD_TARGETS)
def test_bad_targets(Network, loss, name, bad, error, expected, got):
    assert_y_refused(Network, loss, name, bad, error, expected, got)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", ENTROPIES)
@table(NOT_PROBABILITIES)
def test_targets_of_the_entropies_are_probabilities(
    Network, loss, name, bad, error, expected, got
):
    assert_y_refused(Network, loss, name, bad, error, expected, got)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_y_must_be_given(Network, loss, name):
    assert_y_refused(Network, loss, name, None, TypeError, "be given", "None")


@pytest.mark.parametrize("name", TAKES_Y)
@table(BAD_LABELS)
def test_bad_labels(Network, name, bad, error, expected, got):
    assert_y_refused(Network, "cross_entropy", name, bad, error, expected, got)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "cross_entropy"])
def test_labels_are_for_cross_entropy(Network, loss, name):
    expected = (ValueError, TARGET_SHAPE, r"\(6,\)")
    assert_y_refused(Network, loss, name, LABELS, *expected)


@pytest.mark.parametrize("name", TAKES_Y)
@table(BAD_WEIGHTS)
def test_bad_sample_weight(Network, name, bad, error, expected, got):
    if name in AS_GIVEN and got == "0.0 to 0.0":
        pytest.skip("a mini-batch whose weights are all 0 makes no step")
    net = small(Network)
    argument = "(validation )?sample_weight"
    call = TAKES_Y[name]
    row = (argument, error, expected, got, bad)
    assert_refused(net, lambda: call(net, LABELS, bad), *row)
