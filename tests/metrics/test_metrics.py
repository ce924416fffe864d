"""Metrics, compared with the functions of scikit-learn."""

import math
import pickle
import re
from functools import partial

import numpy as np
import pytest
from sklearn import metrics as sk

import bpcore as bp
from bpcore.losses import CLASSES as ONE_CLASS
from bpcore.losses import TargetKind
from bpcore.metrics import ALIASES, METRICS, RESERVED, Metric, as_metrics
from helpers import softmax

N = 200
WEIGHTS = {
    "unweighted": None,
    "weighted": np.random.default_rng(0).exponential(size=N),
}


@pytest.fixture(params=WEIGHTS)
def weight(request):
    return WEIGHTS[request.param]


def measure(name, y, a, weight=None, targets=ONE_CLASS):
    (metric,) = as_metrics(name)
    return metric(y, a, weight, targets)


def close(value, dtype="float64"):
    tolerance = 1e-5 if np.dtype(dtype) == "float32" else 1e-12
    return pytest.approx(value, rel=tolerance, abs=tolerance, nan_ok=True)


# --- Classes --------------------------------------------------------------------------


def samples(kind, dtype):
    """Targets and outputs of a network, and the classes for scikit-learn.

    The outputs are multiples of a sixteenth, so that some are equal, and some 0.
    """
    rng = np.random.default_rng(1)
    of = 4 if kind in ("labels", "one-hot", "shares") else 2
    classes = rng.integers(of, size=N)
    one_hot = np.eye(of)[classes]
    if kind in ("one output", "hinge"):
        z = rng.normal(size=(N, 1)) + one_hot[:, 1:] - 0.5
        if kind == "hinge":
            return 2 * one_hot[:, 1:] - 1, np.round(z * 4).astype(dtype) / 4, classes
        a = np.floor(16 / (1 + np.exp(-2 * z))) / 16
        return one_hot[:, 1:].astype(dtype), a.astype(dtype), classes
    a = np.floor(16 * softmax(2 * rng.normal(size=(N, of)) + one_hot)) / 16
    a[:, 0] += 1 - a.sum(1)
    y = {
        "labels": classes,
        "two classes": classes,
        "one-hot": one_hot.astype(dtype),
        "shares": (0.5 * one_hot + 0.5 / of).astype(dtype),
    }[kind]
    return y, a.astype(dtype), classes


KINDS = ["labels", "one-hot", "shares", "two classes", "one output", "hinge"]


def meaning(kind):
    """The kind of targets of a loss."""
    return TargetKind(threshold=0.0 if kind == "hinge" else 0.5)


def answers(kind, a):
    if a.shape[1] > 1:
        return a.argmax(1)
    return (a[:, 0] > meaning(kind).threshold).astype(int)


def average(a):
    """The function of scikit-learn and its settings for one class."""
    if a.shape[1] > 2:
        return {"average": "macro", "zero_division": 0}
    return {"zero_division": 0}


CLASSES = {
    "accuracy": lambda y, a: (sk.accuracy_score, {}),
    "balanced_accuracy": lambda y, a: (sk.balanced_accuracy_score, {}),
    "precision": lambda y, a: (sk.precision_score, average(a)),
    "recall": lambda y, a: (sk.recall_score, average(a)),
    "f1": lambda y, a: (sk.f1_score, average(a)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CLASSES)
def test_of_answers(name, kind, dtype, weight):
    y, a, classes = samples(kind, dtype)
    function, settings = CLASSES[name](y, a)
    expected = function(classes, answers(kind, a), sample_weight=weight, **settings)
    assert measure(name, y, a, weight, meaning(kind)) == close(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_auc(kind, dtype, weight):
    y, a, classes = samples(kind, dtype)
    scores = a if a.shape[1] > 2 else a[:, -1]
    expected = sk.roc_auc_score(
        classes, scores, sample_weight=weight, multi_class="ovr"
    )
    assert measure("auc", y, a, weight) == close(expected)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("kind", ["labels", "one-hot", "shares"])
def test_top_k(kind, k, dtype, weight):
    y, a, classes = samples(kind, dtype)
    expected = sk.top_k_accuracy_score(classes, a, k=k, sample_weight=weight)
    assert measure(f"top_{k}", y, a, weight) == close(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_top_of_all_classes(kind):
    y, a, _ = samples(kind, "float32")
    assert measure(f"top_{max(a.shape[1], 2)}", y, a) == 1
    assert measure("top_1000", y, a) == 1


@pytest.mark.parametrize("kind", ["one output", "hinge"])
def test_top_of_one_output(kind, weight):
    y, a, classes = samples(kind, "float64")
    accuracy = sk.accuracy_score(classes, answers(kind, a), sample_weight=weight)
    assert measure("top_1", y, a, weight, meaning(kind)) == close(accuracy)


@pytest.mark.parametrize("k", (1, 2))
def test_top_k_of_equal_outputs(k):
    a, y = np.full((3, 3), 1 / 3), np.arange(3)
    expected = sk.top_k_accuracy_score(y, a, k=k)
    assert measure(f"top_{k}", y, a) == close(expected) == close(k / 3)


def test_top_k_takes_the_last_of_equal_outputs_first_and_accuracy_the_first():
    a, y = np.full((3, 3), 1 / 3), np.arange(3)
    assert measure("top_1", y[2:], a[2:]) == measure("accuracy", y[:1], a[:1]) == 1


PROBABLE = [kind for kind in KINDS if kind not in ("shares", "hinge")]


@pytest.mark.parametrize("kind", PROBABLE)
def test_of_probabilities(kind, dtype, weight):
    y, a, classes = samples(kind, dtype)
    assert 0 in a
    p = a if a.shape[1] > 1 else a[:, 0]
    expected = sk.log_loss(classes, p, sample_weight=weight)
    assert measure("log_loss", y, a, weight) == close(expected, dtype)
    expected = sk.brier_score_loss(classes, p, sample_weight=weight)
    assert measure("brier", y, a, weight) == close(expected, dtype)


def test_log_loss_of_shares_is_the_cross_entropy():
    y, a, _ = samples("shares", "float64")
    a = (a + 1) / (a + 1).sum(1, keepdims=True)
    assert measure("log_loss", y, a) == close(-(y * np.log(a)).sum(1).mean())


@pytest.mark.parametrize("name", ["log_loss", "brier"])
def test_probabilities_lie_in_0_to_1(name):
    y, a, _ = samples("hinge", "float32")
    with pytest.raises(ValueError, match=r"targets in 0 \.\. 1; got values from -1"):
        measure(name, y, a)
    with pytest.raises(ValueError, match=r"outputs in 0 \.\. 1; got values from -"):
        measure(name, y > 0, a)


@pytest.mark.parametrize("name", ("precision", "recall", "f1"))
def test_averages_over_classes_without_samples_or_answers(name):
    classes = np.array([0, 0, 1, 1, 3])
    a = np.eye(5, dtype="float32")[[0, 1, 1, 2, 2]]
    function, settings = CLASSES[name](classes, a)
    expected = function(classes, a.argmax(1), **settings)
    assert measure(name, classes, a) == close(expected)


def test_classes_without_samples_or_answers():
    classes = np.array([0, 0, 1, 1, 3])
    a = np.eye(5, dtype="float32")[[0, 1, 1, 2, 2]]
    expected = np.mean([1 / 2, 1 / 2, 0])
    assert measure("balanced_accuracy", classes, a) == close(expected)
    assert math.isnan(measure("auc", classes, a))


def of_one_class(outputs, one):
    """Targets that are all `one`, and an output for each class."""
    a = np.array([[0.25], [0.75]])
    if outputs == 1:
        return np.full((2, 1), one), a
    return np.full(2, one), np.hstack([1 - a, a])


@pytest.mark.parametrize("one", [0, 1])
@pytest.mark.parametrize("outputs", [1, 2])
def test_one_class_only(outputs, one):
    y, a = of_one_class(outputs, one)
    assert math.isnan(measure("auc", y, a))
    assert measure("accuracy", y, a) == measure("balanced_accuracy", y, a) == 0.5


@pytest.mark.parametrize("one", [0, 1])
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(
    "name, function",
    [
        ("precision", sk.precision_score),
        ("recall", sk.recall_score),
        ("f1", sk.f1_score),
    ],
    ids=["precision", "recall", "f1"],
)
def test_averages_of_one_class_only(outputs, one, name, function):
    y, a = of_one_class(outputs, one)
    expected = function(y.ravel(), [0, 1], zero_division=0)
    assert measure(name, y, a) == close(expected)


@pytest.mark.parametrize("target, right", ((-1.0, 1), (0.0, 1), (1.0, 0)))
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_an_output_at_the_threshold_is_answered_by_0(threshold, target, right):
    a = np.array([[threshold]], "float32")
    y, targets = np.array([[target]]), TargetKind(threshold=threshold)
    assert measure("accuracy", y, a, None, targets) == right
    assert measure("accuracy", y, a + 0.25, None, targets) == 1 - right


# --- Numbers --------------------------------------------------------------------------

NUMBERS = {
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": sk.root_mean_squared_error,
    "mape": sk.mean_absolute_percentage_error,
}


@pytest.mark.parametrize("n_out", [1, 3])
@pytest.mark.parametrize("name", NUMBERS)
def test_of_numbers(name, n_out, dtype, weight):
    rng = np.random.default_rng(2)
    y = rng.normal(size=(N, n_out)) * [1, 10, 100][:n_out] + 1
    a = y + rng.normal(size=(N, n_out)) + 0.3
    y[0], y, a = 0, y.astype(dtype), a.astype(dtype)
    expected = NUMBERS[name](
        y.astype("float64"), a.astype("float64"), sample_weight=weight
    )
    assert measure(name, y, a, weight) == close(expected)


def test_max_error(dtype):
    y, a = np.random.default_rng(3).normal(size=(2, N, 1)).astype(dtype)
    expected = sk.max_error(y.astype("float64"), a.astype("float64"))
    assert measure("max_error", y, a) == expected
    assert measure("max_error", np.hstack([a, y]), np.hstack([a, a])) == expected


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "y, a",
    {
        "answers right": ([2, 2, 2], [2, 2, 2]),
        "answers beside": ([2, 2, 2], [3, 3, 3]),
        "answers wrong": ([2, 2, 2], [2, 3, 4]),
        "all right": ([1, 2, 4], [1, 2, 4]),
        "one column": ([[2, 1], [2, 2], [2, 4]], [[2, 1], [3, 2], [4, 3]]),
    }.values(),
)
def test_constant_targets(name, y, a, weight):
    y, a = (np.reshape(x, (3, -1)).astype("float64") for x in (y, a))
    weight = None if weight is None else weight[:3]
    assert measure(name, y, a, weight) == close(
        NUMBERS[name](y, a, sample_weight=weight)
    )


def test_constant_targets_vary_by_exactly_0():
    y = np.full((3, 1), 0.1)
    a = y + np.array([[0.0], [0.1], [0.2]])
    assert measure("r2", y, a) == measure("explained_variance", y, a) == 0


def test_r2_of_one_sample_is_nan():
    assert math.isnan(measure("r2", np.ones((1, 1)), np.ones((1, 1))))


# --- What holds of all ----------------------------------------------------------------


@pytest.mark.parametrize("name", [*METRICS, "top_2"])
def test_labels_mean_their_one_hot_rows(name, weight):
    y, a, _ = samples("labels", "float32")
    assert measure(name, y, a, weight) == measure(name, np.eye(4)[y], a, weight)


@pytest.mark.parametrize("name", [*METRICS, "top_2"])
def test_targets_of_one_output_may_be_flat(name, weight):
    y, a, _ = samples("one output", "float32")
    assert measure(name, y, a, weight) == measure(name, y.ravel(), a, weight)


@pytest.mark.parametrize("kind", ["labels", "one output"])
@pytest.mark.parametrize("name", [*METRICS, "top_2"])
def test_a_weight_of_0_is_a_sample_less(name, kind):
    y, a, _ = samples(kind, "float32")
    counts = np.arange(N) % 3 > 0
    a[~counts] = np.roll(a[~counts], 1, axis=1) ** 2
    expected = measure(name, y[counts], a[counts], WEIGHTS["weighted"][counts])
    assert measure(name, y, a, counts * WEIGHTS["weighted"]) == expected


@pytest.mark.parametrize("kind", ["labels", "one-hot", "one output"])
@pytest.mark.parametrize("name", [*METRICS, "top_2"])
def test_float_of_arrays_left_alone(name, kind, dtype):
    y, a, _ = samples(kind, dtype)
    before = pickle.dumps((y, a))
    for array in (y, a):
        array.flags.writeable = False
    value = measure(name, y, a, np.ones(N))
    assert type(value) is float
    assert value == close(measure(name, y, a))
    assert pickle.dumps((y.copy(), a.copy())) == before


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_higher_is_better_if_said_so(metric):
    rng = np.random.default_rng(4)
    y = np.eye(3)[rng.integers(3, size=N)]
    worse = softmax(rng.normal(size=(N, 3)))
    better = (y + worse) / 2
    assert (metric(y, better) > metric(y, worse)) is metric.higher_is_better
    assert metric.formula


# --- By name --------------------------------------------------------------------------


def spread(y, a):
    return np.ptp(a)


def test_as_metrics():
    assert as_metrics(None) == as_metrics(()) == ()
    assert as_metrics("mae") == as_metrics(["mae"]) == (METRICS["mae"],)
    custom = Metric("mine", lambda y, a, weight: weight.sum(), True)
    chosen = as_metrics(["r2", "top_12", spread, custom])
    assert [m.name for m in chosen] == ["r2", "top_12", "spread", "mine"]
    assert [m.higher_is_better for m in chosen] == [True, True, None, True]
    assert as_metrics(custom) == (custom,)


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(alias):
    assert as_metrics(alias) == (METRICS[ALIASES[alias]],)
    assert alias not in METRICS


@pytest.mark.parametrize("alias", [alias for alias in ALIASES if alias != "acc"])
def test_aliases_are_names_of_scikit_learn(alias):
    known = {name.removeprefix("neg_") for name in sk.get_scorer_names()}
    assert alias in known | set(dir(sk))


@pytest.mark.parametrize(
    "function, name",
    [
        (spread, "spread"),
        (lambda y, a: np.ptp(a), "metric"),
        (partial(spread), "metric"),
    ],
    ids=["function", "lambda", "partial"],
)
def test_functions(function, name):
    (metric,) = as_metrics(function)
    assert metric.name == name and metric.higher_is_better is None
    y, a = np.zeros(3, int), np.arange(6.0).reshape(3, 2)
    assert metric(y, a) == metric(y, a, np.ones(3)) == 5
    assert metric(y, a, np.array([1.0, 0.0, 0.0])) == 1


def test_metrics_are_values():
    chosen = as_metrics(["f1", "top_5", spread])
    again = pickle.loads(pickle.dumps(chosen))
    assert [m.name for m in again] == [m.name for m in chosen]
    with pytest.raises(AttributeError):
        chosen[0].name = "other"


@pytest.mark.parametrize(
    "value", [1, True, 0.5, np.float32(0.5), np.int64(1), np.array(0.5), math.nan]
)
def test_numbers_are_returned(value):
    (metric,) = as_metrics(lambda y, a: value)
    result = metric(np.zeros(1), np.zeros((1, 1)))
    assert type(result) is float and result == close(float(value))


@pytest.mark.parametrize(
    "value, got",
    [
        (None, "None"),
        ("0.5", "'0.5'"),
        (1j, "1j"),
        (np.complex64(1), "complex64"),
        (np.zeros(1), "array"),
        ([0.5], r"\[0.5\]"),
        ([[1], [1, 2]], r"\[\[1\], \[1, 2\]\]"),
    ],
)
def test_what_is_not_a_number_is_refused(value, got):
    def mine(y, a):
        return value

    with pytest.raises(TypeError, match=f"metric 'mine' must return a number; .*{got}"):
        measure(mine, np.zeros(1), np.zeros((1, 1)))


@pytest.mark.parametrize(
    "metrics, near",
    [
        ("acuracy", "accuracy"),
        ("Accuracy", "accuracy"),
        (["r2", "AUC"], "auc"),
        ("top5", "top_5"),
        ("top_0", r"top_\d"),
        ("top_k", r"top_\d"),
        ("MSE", "mean_squared_error"),
        ("mean_absolut_error", "mean_absolute_error"),
        ("explained_varianze", "explained_variance"),
    ],
)
def test_unknown_names_get_a_suggestion(metrics, near):
    got = metrics[-1] if isinstance(metrics, list) else metrics
    message = (
        f"^metrics must be one of accuracy, .*; got '{got}'; did you mean '{near}'"
    )
    with pytest.raises(ValueError, match=message):
        as_metrics(metrics)


@pytest.mark.parametrize("metrics", [5, [5], [["r2"]], ["r2", None], b"r2"])
def test_neither_name_nor_function(metrics):
    expected = r"^metrics must be names or functions \(y, a\); got "
    with pytest.raises(TypeError, match=expected):
        as_metrics(metrics)


@pytest.mark.parametrize(
    "metrics, name",
    [
        (["r2", "mae", "r2"], "r2"),
        (["accuracy", "acc"], "accuracy"),
        (["top_3", "top_3"], "top_3"),
        ([spread, spread], "spread"),
        ([sk.r2_score, Metric("r2_score", spread)], "r2_score"),
    ],
)
def test_twice(metrics, name):
    expected = f"metrics must have different names; got '{name}' twice"
    with pytest.raises(ValueError, match=f"^{expected}$"):
        as_metrics(metrics)


def test_two_lambdas_must_have_names():
    one, other = (lambda y, a: 1), (lambda y, a: 2)
    expected = "got 'metric' twice; name functions by def, or set their __name__"
    with pytest.raises(ValueError, match=re.escape(expected)):
        as_metrics([one, other])
    other.__name__ = "other"
    assert [m.name for m in as_metrics([one, other])] == ["metric", "other"]


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names(name):
    def mine(y, a):
        return 0

    mine.__name__ = name
    expected = rf"^metrics must not be named loss, .*epoch.*; got '{name}'$"
    with pytest.raises(ValueError, match=expected):
        as_metrics(mine)
    with pytest.raises(ValueError, match=r"^metrics must be one of accuracy"):
        as_metrics(name)


def test_of_a_network():
    X = np.random.default_rng(5).normal(size=(N, 2))
    y = (X.sum(1) > 0).astype(int)
    net = bp.Network([2, 8, 2], loss="cross_entropy", rng=0)
    net.fit(X, y, epochs=20, progress=False)
    p = net.predict(X)
    for metric in as_metrics(["accuracy", "roc_auc", "f1"]):
        assert metric(y, p) > 0.9
    assert measure("log_loss", y, p) == close(net.evaluate(X, y), "float32")


@pytest.mark.parametrize("module", [bp.metrics, bp.schedules])
def test_dir_shows_the_public_names_alone(module):
    assert dir(module) == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
