"""Class metrics for every kind of target: several labels, signs, shares.

Whatever scikit-learn has a function for is compared with it.
"""

import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

import bpcore as bp
from bpcore.losses import CLASSES, TargetKind
from bpcore.metrics import METRICS, as_metrics
from helpers import each_library

QUIET = {"progress": False}
N, LABELS = 60, 4


def measure(name, y, a, weight=None, targets=CLASSES):
    (metric,) = as_metrics(name)
    return metric(y, a, weight, targets)


def close(value):
    return pytest.approx(value, rel=1e-12, abs=1e-12, nan_ok=True)


# --- Several labels per sample --------------------------------------------------------

PROBABILITIES, SIGNS = TargetKind(several=True), TargetKind(several=True, threshold=0.0)


def present(rate, seed=0):
    return np.random.default_rng(seed).random((N, LABELS)) < rate


def with_column(y, j, value):
    y = y.copy()
    y[:, j] = value
    return y


#: Which labels each sample has.
PRESENT = {
    "some": present(0.4),
    "few": present(0.05, 1),
    "one each": np.eye(LABELS, dtype=bool)[np.arange(N) % LABELS],
    "a label that no sample has": with_column(present(0.4), 1, False),
    "a label that every sample has": with_column(present(0.4), 2, True),
    "none at all": np.zeros((N, LABELS), bool),
    "two labels": present(0.5, 2)[:, :2],
}
#: Outputs in 0 .. 1 in steps of 1/8, so that some are equal and some at the threshold.
OUTPUTS = {
    "any": lambda y: np.random.default_rng(3).integers(0, 9, y.shape) / 8,
    "near": lambda y: np.clip(
        y * 0.5 + np.random.default_rng(4).integers(0, 5, y.shape) / 8, 0, 1
    ),
    "none present": lambda y: np.full(y.shape, 0.25),
    "all present": lambda y: np.full(y.shape, 0.75),
}
WEIGHTS = {
    "unweighted": None,
    "weighted": np.random.default_rng(5).exponential(size=N),
    "some of weight 0": np.random.default_rng(6).exponential(size=N)
    * (np.arange(N) % 3 > 0),
}


def mean_over_labels(function):
    def mean(y, a, **settings):
        columns = range(y.shape[1])
        return np.mean([function(y[:, j], a[:, j], **settings) for j in columns])

    return mean


MACRO = {"average": "macro", "zero_division": 0}

#: scikit-learn's function of labels and answers, or of labels and outputs.
OF_ANSWERS = {
    "accuracy": (sk.accuracy_score, {}),
    "precision": (sk.precision_score, MACRO),
    "recall": (sk.recall_score, MACRO),
    "f1": (sk.f1_score, MACRO),
    "balanced_accuracy": (mean_over_labels(sk.balanced_accuracy_score), {}),
}
OF_OUTPUTS = {
    "auc": (sk.roc_auc_score, {"average": "macro"}),
    "log_loss": (mean_over_labels(sk.log_loss), {"labels": [0, 1]}),
    "brier": (mean_over_labels(sk.brier_score_loss), {"labels": [0, 1]}),
}


def expected(name, y, a, weight):
    function, settings = (OF_ANSWERS | OF_OUTPUTS)[name]
    if weight is not None:  # scikit-learn counts samples of weight 0 among the labels
        y, a, weight = y[weight > 0], a[weight > 0], weight[weight > 0]
    y = y.astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels that no sample has
        return function(y, a, sample_weight=weight, **settings)


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("y", PRESENT.values(), ids=PRESENT)
@pytest.mark.parametrize("name", OF_ANSWERS)
def test_answers_of_several_labels(name, y, outputs, weight, dtype):
    a = outputs(y).astype(dtype)
    value = expected(name, y, a > 0.5, weight)
    assert measure(name, y.astype(dtype), a, weight, PROBABILITIES) == close(value)
    # The same by signs, whose threshold is 0.
    signs, scores = 2.0 * y - 1, 4 * a - 2
    assert measure(name, signs, scores, weight, SIGNS) == close(value)
    # What is above the threshold is present, how far above it does not matter.
    soft = np.where(y, 0.75, 0.25).astype(dtype)
    assert measure(name, soft, a, weight, PROBABILITIES) == close(value)


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("y", PRESENT.values(), ids=PRESENT)
@pytest.mark.parametrize("name", OF_OUTPUTS)
def test_outputs_of_several_labels(name, y, outputs, weight):
    a = outputs(y)
    value = expected(name, y, a, weight)
    assert measure(name, y.astype(float), a, weight, PROBABILITIES) == close(value)
    if name == "auc":
        signs, scores = 2.0 * y - 1, 4 * a - 2
        assert measure(name, signs, scores, weight, SIGNS) == close(value)


def test_log_loss_and_brier_of_soft_labels():
    rng = np.random.default_rng(7)
    y, a = rng.random((2, N, LABELS))
    losses = -(y * np.log(a) + (1 - y) * np.log(1 - a))
    assert measure("log_loss", y, a, None, PROBABILITIES) == close(losses.mean())
    assert measure("brier", y, a, None, PROBABILITIES) == close(((a - y) ** 2).mean())


@pytest.mark.parametrize("name", ["r2", "explained_variance", "mae", "rmse", "mape"])
def test_metrics_of_numbers_take_labels_as_numbers(name):
    y, a = PRESENT["some"] * 1.0, OUTPUTS["any"](PRESENT["some"])
    assert measure(name, y, a, None, PROBABILITIES) == measure(name, y, a)


@pytest.mark.parametrize("name", (*METRICS, "top_2"))
def test_integer_labels_are_classes_whatever_the_loss(name):
    """A custom loss of sigmoid outputs may take class labels (n,)."""
    y = np.arange(N) % LABELS
    a = OUTPUTS["any"](np.eye(LABELS)[y])
    assert measure(name, y, a, None, PROBABILITIES) == close(measure(name, y, a))


# --- What the loss says ---------------------------------------------------------------

KINDS = [
    # loss, output, outputs, whether several labels, threshold
    ("binary_cross_entropy", None, 1, False, 0.5),
    ("binary_cross_entropy", None, 3, True, 0.5),
    ("hinge", None, 1, False, 0.0),
    ("hinge", None, 3, True, 0.0),
    ("hinge", "tanh", 1, False, 0.0),
    ("cross_entropy", None, 3, False, None),
    ("kl_divergence", None, 3, False, None),
    ("squared_error", "identity", 1, False, 0.5),
    ("squared_error", "sigmoid", 1, False, 0.5),
    ("squared_error", "tanh", 1, False, 0.0),
    ("mean_squared_error", "softsign", 1, False, 0.0),
    ("squared_error", "identity", 3, False, None),
    (lambda a, y: ((a - y) ** 2).sum(axis=1), "sigmoid", 3, True, 0.5),
    (lambda a, y: ((a - y) ** 2).sum(axis=1), "tanh", 1, False, 0.0),
]


@each_library
@pytest.mark.parametrize("loss, output, n_out, several, threshold", KINDS)
def test_a_network_measures_by_its_loss(
    Network, loss, output, n_out, several, threshold
):
    """Every row alone too: the threshold does not depend on other rows."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(N, 3))
    net = Network([3, n_out], loss=loss, output=output, dtype="float64", rng=0)
    on = rng.random((N, n_out)) < 0.5
    if net.activations[-1] == "softmax":
        on = np.eye(n_out, dtype=bool)[on.argmax(1)]
    signs = loss == "hinge" or net.activations[-1] in ("tanh", "softsign")
    y = np.where(on, 1.0, -1.0 if signs else 0.0)
    a = net.predict(X)
    if several:
        right = ((a > threshold) == on).all(1)
    elif n_out == 1:
        right = (a > threshold)[:, 0] == on[:, 0]
    else:
        right = a.argmax(1) == y.argmax(1)
    assert 0 < right.mean() < 1
    found = net.evaluate(X, y, metrics="accuracy")["accuracy"]
    assert found == close(right.mean())
    for i in range(N):
        found = net.evaluate(X[i : i + 1], y[i : i + 1], metrics="accuracy")
        assert found["accuracy"] == right[i]
    history = net.fit(X, y, validation=(X, y), metrics="acc", epochs=1, **QUIET)
    assert history["accuracy"][-1] == net.evaluate(X, y, metrics="acc")["accuracy"]


def test_hinge_of_a_single_positive_row():
    net = bp.Network([1, 1], loss="hinge", init="zeros")
    net.biases[0][...] = 0.25
    assert net.evaluate([[0.0]], [1.0], metrics="accuracy")["accuracy"] == 1
    both = net.evaluate([[0.0], [0.0]], [1.0, -1.0], metrics="accuracy")
    assert both["accuracy"] == 0.5


@pytest.mark.parametrize("name", [*OF_ANSWERS, *OF_OUTPUTS])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "hinge"])
def test_evaluate_and_fit_of_several_labels(loss, name):
    if loss == "hinge" and name in ("log_loss", "brier"):
        pytest.skip("they are of probabilities")
    X, on = np.random.default_rng(9).normal(size=(N, 5)), PRESENT["some"]
    y = 2.0 * on - 1 if loss == "hinge" else 1.0 * on
    net = bp.Network([5, 8, LABELS], loss=loss, dtype="float64", rng=0)
    weight = WEIGHTS["some of weight 0"]
    history = net.fit(
        X, y, epochs=2, validation=(X, y, weight), metrics=name, monitor=name, **QUIET
    )
    a = net.predict(X)
    if name in OF_ANSWERS:
        a = a > net.learner.design.target_kind.threshold
    value = close(expected(name, on, a, weight))
    assert history[name][-1] == value
    assert net.evaluate(X, y, weight, metrics=name)[name] == value


# --- What cannot be measured is refused before training -------------------------------

SEVERAL_OF = "one class for each sample; .* sample may have several of the 4 labels"
REFUSED = [
    ("binary_cross_entropy", "top_2", SEVERAL_OF),
    ("binary_cross_entropy", "top_1", SEVERAL_OF),
    ("hinge", "top_2", SEVERAL_OF),
    ("hinge", "log_loss", "targets in 0 .. 1; got values from -1.0 to 1.0"),
    ("hinge", "brier", "targets in 0 .. 1; got values from -1.0 to 1.0"),
]
WHERE = {
    "training data": lambda X, y: {},
    "validation": lambda X, y: {"validation": (X, y)},
    "share": lambda X, y: {"validation": 0.5},
}


@pytest.mark.parametrize("argument", ["metrics", "monitor"])
@each_library
@pytest.mark.parametrize("settings", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("loss, name, message", REFUSED)
def test_metrics_that_are_not_defined(Network, loss, name, message, settings, argument):
    X, on = np.ones((N, 2)), PRESENT["some"]
    y = 2.0 * on - 1 if loss == "hinge" else 1.0 * on
    net = Network([2, LABELS], loss=loss, rng=0)
    before = net.parameters.tobytes()
    message = rf"^metric '{name}' must have {message}"
    with pytest.raises(ValueError, match=message):
        net.fit(X, y, **{argument: name}, **settings(X, y), **QUIET)
    assert net.parameters.tobytes() == before and net.learner.state.epochs == 0
    with pytest.raises(ValueError, match=message):
        net.evaluate(X, y, metrics=name)


def test_metrics_that_are_not_defined_of_a_stream():
    X, y = np.ones((N, 2)), PRESENT["some"] * 1.0
    net = bp.Network([2, LABELS], loss="binary_cross_entropy", rng=0)
    with pytest.raises(ValueError, match="one class for each sample"):
        net.fit([(X, y)], validation=(X, y), metrics="top_2", **QUIET)
    assert net.learner.state.epochs == 0


def test_top_k_of_one_output():
    net = bp.Network([1, 1], loss="binary_cross_entropy", rng=0)
    found = net.evaluate([[1.0], [2.0]], [0, 1], metrics=["top_1", "accuracy", "top_2"])
    assert found["top_1"] == found["accuracy"] and found["top_2"] == 1


def test_targets_that_round_to_1_are_probabilities():
    y = np.array([[1 + 2**-30], [0.0]])
    net = bp.Network([1, 1], loss="binary_cross_entropy", rng=0)
    found = net.evaluate([[0.0], [1.0]], y, metrics=["log_loss", "brier"])
    assert all(map(math.isfinite, found.values()))


# --- A held-back share ----------------------------------------------------------------


def held_back(net, X, y, fraction):
    """The targets of the rows that are held back."""
    seen = []

    def keep(y, a):
        seen.append(y.copy())
        return 0.0

    net.fit(X, y, epochs=1, validation=fraction, metrics=keep, **QUIET)
    return seen[0]


@each_library
@pytest.mark.parametrize("fraction", [0.2, 0.25, 0.5])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "hinge"])
def test_a_share_keeps_combinations_of_labels_in_proportion(Network, loss, fraction):
    rng = np.random.default_rng(10)
    rows = rng.permuted(np.repeat(range(8), [40, 8, 8, 20, 4, 12, 4, 64]))
    on = np.array([[k & 1, k & 2, k & 4] for k in range(8)], bool)[rows]
    y = np.where(on, 1.0, -1.0 if loss == "hinge" else 0.0)
    net = Network([1, 3], loss=loss, rng=0)
    held = held_back(net, np.zeros((len(y), 1)), y, fraction) > 0.5
    assert len(held) == round(fraction * len(y))
    for k, count in enumerate(np.bincount(rows)):
        combination = np.array([k & 1, k & 2, k & 4], bool)
        got = (held == combination).all(1).sum()
        assert abs(got - fraction * count) < 1


@pytest.mark.parametrize(
    "loss, y, groups",
    [
        # Shares of classes: the largest is the class.
        ("cross_entropy", [[0.6, 0.4, 0.0], [0.3, 0.5, 0.2]], [0, 1]),
        ("binary_cross_entropy", [[0.9], [0.2]], [1, 0]),
        ("binary_cross_entropy", [[0.9, 0.8], [0.2, 0.7]], [2, 1]),
        ("hinge", [[1.0], [-1.0]], [1, 0]),
    ],
)
def test_a_share_keeps_classes_in_proportion(loss, y, groups):
    y = np.repeat(np.array(y), [45, 15], axis=0)
    net = bp.Network([1, y.shape[1]], loss=loss, rng=0)
    held = held_back(net, np.zeros((60, 1)), y, 0.2)
    assert [(held == row).all(1).sum() for row in (y[0], y[-1])] == [9, 3]
