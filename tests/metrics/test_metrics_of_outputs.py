"""Metrics of a network: the arrays they get, and numbers of any size."""

import math
import pickle
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from sklearn import metrics as sk

import bpcore as bp
from bpcore.losses import TargetKind
from bpcore.metrics import METRICS, Metric, as_metrics

QUIET = {"progress": False}
NUMBERS = ["r2", "explained_variance", "mae", "mse", "rmse", "max_error", "mape"]


def measure(name, y, a, weight=None):
    (metric,) = as_metrics(name)
    return metric(y, a, weight)


def close(value):
    return pytest.approx(value, rel=1e-12, nan_ok=True)


# --- Targets as the caller gave them --------------------------------------------------


def constant(Network, values, **settings):
    """A network with the same outputs for every row, which learns nothing."""
    net = Network([1, len(values)], init="zeros", **settings)
    net.biases[0][...] = values
    net.frozen = [True]
    return net


OFFSETS = np.array([0.0, 10.0, 20.0, 30.0])
#: Targets that float32 cannot hold, and the constant prediction.
FINE = {
    "float64": (1e9 + OFFSETS, 1e9),
    "list": ((1e9 + OFFSETS).tolist(), 1e9),
    "int64": (10**9 + np.arange(4) * 10, 1e9),
    "int32": (np.arange(4, dtype="int32") + 2**24, 2.0**24),
    "uint64": (np.arange(4, dtype="uint64") + 2**40, 2.0**40),
    "column": ((1e9 + OFFSETS)[:, None], 1e9),
    "strided": (np.repeat(1e9 + OFFSETS, 2)[::2], 1e9),
    "float32": ((1e9 + 64 * OFFSETS).astype("float32"), 1e9),
    "small differences": (1 + 1e-9 * OFFSETS, 1.0),
}


def by_all_ways(net, X, y, metrics):
    """Metrics of evaluate, of a fit's validation data and of its training data."""
    names = [metric.name for metric in as_metrics(metrics)]
    yield net.evaluate(X, y, metrics=metrics)
    history = net.fit(X, y, epochs=1, validation=(X, y), metrics=metrics, **QUIET)
    yield {name: history[name][-1] for name in names}
    history = net.fit(X, y, epochs=1, metrics=metrics, **QUIET)
    yield {name: history[name][-1] for name in names}
    fitted = bp.fit_many([net], X, y, epochs=1, metrics=metrics)
    yield {name: fitted[0].history[name][-1] for name in names}


@pytest.mark.parametrize("y, value", FINE.values(), ids=FINE)
def test_targets_keep_their_digits(Network, y, value):
    net, X = constant(Network, [value]), np.zeros((4, 1))
    exact = [Fraction(float(number)) for number in np.ravel(y)]
    errors = [Fraction(float(net.predict([0.0])[0])) - number for number in exact]
    variance = sum((t - sum(exact) / 4) ** 2 for t in exact)
    expected = {
        "mae": float(sum(map(abs, errors)) / 4),
        "mse": float(sum(e * e for e in errors) / 4),
        "max_error": float(max(map(abs, errors))),
        "r2": float(1 - sum(e * e for e in errors) / variance),
    }
    for found in by_all_ways(net, X, y, list(expected)):
        assert {name: found[name] for name in expected} == close(expected)


def test_the_example_of_float32():
    y = 1e9 + OFFSETS
    net = constant(bp.Network, [1e9 + 15], dtype="float64")
    narrow = constant(bp.Network, [1e9])
    for found in by_all_ways(net, np.zeros((4, 1)), y, ["r2", "mae"]):
        assert found["r2"] == 0 and found["mae"] == 10
    for found in by_all_ways(narrow, np.zeros((4, 1)), y, ["r2", "mae"]):
        assert found["r2"] == close(-1.8) and found["mae"] == 15


def test_a_held_back_share_keeps_the_digits_of_its_targets(Network):
    X = np.arange(20.0)[:, None]
    y = 1e9 + X[:, 0]
    net = constant(Network, [1e9])
    history = net.fit(
        X, y.tolist(), epochs=1, validation=0.25, metrics=NUMBERS, **QUIET
    )
    seen = []

    def keep(y, a):
        seen.append(y)
        return 0.0

    net.fit(X, y, epochs=1, validation=0.25, metrics=keep, **QUIET)
    (held,) = seen
    assert len(held) == 5 and set(held) <= set(y)
    for name in NUMBERS:
        assert history[name][-1] == close(measure(name, held, np.full((5, 1), 1e9)))


def test_targets_of_pandas():
    pd = pytest.importorskip("pandas")
    y = 1e9 + OFFSETS
    net, X = constant(bp.Network, [1e9, 0.0]), np.zeros((4, 1))
    frame = pd.DataFrame({"a": y, "b": [0, 1, 2, 3]})
    for found in by_all_ways(net, X, frame, ["mae"]):
        assert found["mae"] == (15 + 1.5) / 2
    series = pd.Series(y, index=[3, 1, 2, 0])
    net = constant(bp.Network, [1e9])
    for found in by_all_ways(net, X, series, ["mae"]):
        assert found["mae"] == 15
    nullable = pd.Series([10**9, 10**9 + 10], dtype="Int64")
    assert net.evaluate(X[:2], nullable, metrics="mae")["mae"] == 5


def test_float64_targets_are_not_copied():
    seen = []

    def keep(y, a):
        seen.append(y)
        return 0.0

    X, y = np.zeros((4, 1)), 1e9 + OFFSETS
    for dtype in ("float32", "float64"):
        net = constant(bp.Network, [1e9], dtype=dtype)
        for _ in by_all_ways(net, X, y, keep):
            pass
    assert len(seen) == 8
    assert all(np.shares_memory(y, each) for each in seen)
    assert not any(each.flags.writeable for each in seen)


def test_parameters_as_targets_do_not_change_while_they_are_measured():
    net = bp.Network([1, 4, 1], dtype="float64", rng=0)
    y = net.weights[1]
    before, seen = y.copy(), []

    def keep(y, a):
        seen.append(y.copy())
        return 0.0

    net.fit(np.ones((4, 1)), y, epochs=2, metrics=keep, **QUIET)
    assert (y != before).any()
    assert all(np.array_equal(each, before) for each in seen)


# --- Numbers of any size --------------------------------------------------------------

SIZES = [1e-320, 1e-300, 1e-200, 1e-160, 1.0, 1e160, 1e200, 1e300]


def exactly(name, y, a, weight):
    """The metric in exact fractions: the mean over outputs, or the largest error."""
    w = [Fraction(x) for x in (np.ones(len(y)) if weight is None else weight)]
    columns = [[Fraction(x) for x in column] for column in (*y.T, *a.T)]
    pairs = zip(columns[: y.shape[1]], columns[y.shape[1] :], strict=True)
    results = [of_one_output(name, w, t, o) for t, o in pairs]
    if name == "max_error":
        return number(max(results))
    return number(sum(results) / len(results))


def of_one_output(name, w, t, o):
    def mean(values):
        return sum(x * v for x, v in zip(w, values, strict=True)) / sum(w)

    def variance(values):
        center = mean(values)
        return mean([(v - center) ** 2 for v in values])

    e = [v - u for v, u in zip(o, t, strict=True)]
    square = mean([v * v for v in e])
    match name:
        case "r2":
            return 1 - square / variance(t)
        case "explained_variance":
            return 1 - variance(e) / variance(t)
        case "mse":
            return square
        case "rmse":
            return root(square)
        case "mae":
            return mean([abs(v) for v in e])
        case "max_error":
            return max(abs(v) for v in e)
        case "mape":
            return mean([abs(v) / abs(u) for v, u in zip(e, t, strict=True)])


def root(square):
    """The square root with many more digits than a float."""
    scale = 10**700
    return Fraction(math.isqrt(int(square * scale * scale)), scale)


def number(fraction):
    try:
        return float(fraction)
    except OverflowError:
        return math.inf if fraction > 0 else -math.inf


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_any_size(name, size, weighted):
    rng = np.random.default_rng(1)
    if name == "mape" and size < 1e-15:
        pytest.skip("mape divides by at least the machine epsilon")
    y = rng.integers(1, 100, (9, 2)) * size
    a = y + rng.integers(-9, 9, (9, 2)) * size
    weight = rng.integers(1, 5, 9) * 1.0 if weighted else None
    value = measure(name, y, a, weight)
    expected = exactly(name, y, a, weight)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-323)


@pytest.mark.parametrize("name", NUMBERS)
def test_differences_and_sums_beyond_the_largest_number(name):
    y = np.array([[1.5e308, -1.0e308], [-1.5e308, 1.0e308], [1e308, 0.5e308]])
    for a in (y * 0.75, y * 0.5 + 1e307, -y):
        expected = exactly(name, y, a, None)
        assert measure(name, y, a) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NUMBERS)
def test_outputs_of_different_sizes(name):
    """Each output is scaled by itself."""
    y = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 1.0]]) * [1e-200, 1e200]
    a = y * 1.25
    if name == "mape":
        y[:, 0], a[:, 0] = [1, 2, 3], [1, 2, 4]
    assert measure(name, y, a) == pytest.approx(exactly(name, y, a, None), rel=1e-12)


@pytest.mark.parametrize("size", (1e200, 1e-200))
def test_errors_of_1e200_and_1e_200_by_a_network(Network, size):
    X = np.arange(4.0)[:, None]
    net = constant(Network, [2 * size], dtype="float64", loss="mean_absolute_error")
    y = np.array([1.0, 2.0, 3.0, 4.0]) * size
    found = net.evaluate(X, y, metrics=["rmse", "r2", "explained_variance"])
    assert found["rmse"] == pytest.approx(math.sqrt(1.5) * size, rel=1e-15)
    assert found["r2"] == close(-0.2) and found["explained_variance"] == 0


@pytest.mark.parametrize("scale", [1e-280, 1.0, 1e280, 1e305])
@pytest.mark.parametrize("name", [*METRICS, "top_2"])
def test_only_ratios_of_weights_count(name, scale):
    rng = np.random.default_rng(2)
    y, weight = rng.integers(3, size=30), rng.exponential(size=30)
    a = rng.dirichlet(np.ones(3), 30)
    expected = measure(name, y, a, weight)
    assert measure(name, y, a, weight * scale) == close(expected)


@pytest.mark.parametrize("name", [*METRICS, "top_2"])
def test_numpys_error_state_changes_nothing(name):
    y = np.array([0, 1, 1, 0])
    a = np.array([[1.0, 0.0], [1e-300, 1.0], [0.5, 0.5], [1.0, 1e-320]])
    expected = measure(name, y, a)
    with np.errstate(all="raise"):
        assert measure(name, y, a) == close(expected)
        assert math.isnan(measure("auc", y[:1], a[:1]))


# --- Outputs that are not numbers -----------------------------------------------------

SHAPES = {
    "one output": (np.array([[0.0], [1.0], [1.0]]), TargetKind()),
    "classes": (np.array([0, 1, 1]), TargetKind()),
    "labels": (np.array([[0, 1], [1, 1], [0, 0]]), TargetKind(several=True)),
}


@pytest.mark.parametrize("y, targets", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", [*METRICS, "top_1", "own", "own Metric"])
def test_of_nan_is_nan(name, y, targets, dtype):
    (metric,) = as_metrics(
        {
            "own": lambda y, a: 1.0,
            "own Metric": Metric("mine", lambda y, a, weight: 1.0),
        }.get(name, name)
    )
    if name == "top_1" and targets.several:
        pytest.skip("it has one class per sample")
    a = np.full((3, 1 if y.shape[1:] == (1,) else 2), 0.25, dtype)
    a[1, -1] = np.nan
    assert math.isnan(metric(y, a, None, targets))
    assert math.isnan(metric(y, a, np.array([1.0, 0.5, 0.0]), targets))
    # A row of weight 0 is a row less.
    weight = np.array([1.0, 0.0, 1.0])
    expected = metric(y[[0, 2]], a[[0, 2]], None, targets)
    assert metric(y, a, weight, targets) == close(expected)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_a_network_with_nan_outputs(Network):
    net = Network([1, 1, 1], loss="binary_cross_entropy", init="zeros")
    net.weights[0][...] = 3e38
    X = np.array([[1e9], [0.0]])  # infinity times 0
    assert np.isnan(net.predict(X)).ravel().tolist() == [True, False]
    names = ["accuracy", "auc", "f1", "mae", "log_loss"]
    found = net.evaluate(X, [1, 0], metrics=names)
    assert all(math.isnan(found[name]) for name in names)
    found = net.evaluate(X, [1, 0], [0.0, 1.0], metrics="accuracy")
    assert found["accuracy"] == 1


@pytest.mark.parametrize(
    "name, expected",
    [
        ("mae", math.inf),
        ("mse", math.inf),
        ("rmse", math.inf),
        ("max_error", math.inf),
        ("r2", -math.inf),
        ("accuracy", 0.5),
        ("auc", 0.0),
    ],
)
def test_infinite_outputs(name, expected):
    y, a = np.array([[0.0], [1.0]]), np.array([[np.inf], [1.0]])
    assert measure(name, y, a) == expected


# --- Metrics of one's own -------------------------------------------------------------


def shapes(Network, n_out, y, loss="squared_error"):
    """The shapes and dtypes that a function and a Metric get."""
    seen = []

    def mine(y, a):
        seen.append((y.shape, y.dtype.name, a.shape, a.dtype.name))
        return 0.0

    def by_weight(y, a, weight):
        assert weight is None
        return mine(y, a)

    metrics = (as_metrics(mine)[0], Metric("other", by_weight, True))
    net = Network([1, n_out], loss=loss, rng=0)
    X = np.zeros((len(y), 1))
    for _ in by_all_ways(net, X, y, metrics=metrics):
        pass
    assert len(seen) == 8 and len(set(seen)) == 1
    return seen[0]


GIVEN = {
    # y, outputs, loss: what a function gets
    "flat": (np.zeros(3), 1, ((3,), "float64", (3,))),
    "flat float32": (np.zeros(3, "float32"), 1, ((3,), "float64", (3,))),
    "flat list": ([0, 1, 1], 1, ((3,), "float64", (3,))),
    "column": (np.zeros((3, 1)), 1, ((3, 1), "float64", (3, 1))),
    "column list": ([[0], [1], [1]], 1, ((3, 1), "float64", (3, 1))),
    "rows": (np.zeros((3, 2)), 2, ((3, 2), "float64", (3, 2))),
}


@pytest.mark.parametrize("y, n_out, expected", GIVEN.values(), ids=GIVEN)
@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_targets_come_as_they_were_given(Network, y, n_out, expected, loss):
    y_shape, y_dtype, a_shape = expected
    assert shapes(Network, n_out, y, loss) == (y_shape, y_dtype, a_shape, "float32")


@pytest.mark.parametrize("labels", ["int8", "int32", "int64", "uint8", "bool"])
def test_labels_stay_integers(Network, labels):
    y = np.array([0, 1, 1], labels)
    got = shapes(Network, 2, y, "cross_entropy")
    assert got == ((3,), "int64", (3, 2), "float32")
    got = shapes(Network, 2, np.eye(2, dtype=labels)[[0, 1, 1]], "cross_entropy")
    assert got == ((3, 2), "float64", (3, 2), "float32")


def test_comparisons_do_not_broadcast(Network):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 2))
    y = (X.sum(1) + rng.normal(size=50) > 0).astype(float)
    net = Network([2, 1], loss="binary_cross_entropy", rng=0)

    def hits(y, a):
        return np.mean((a > 0.5) == y)

    metrics = ["accuracy", hits, sk.r2_score]
    for targets in (y, y[:, None]):
        found = net.evaluate(X, targets, metrics=metrics)
        assert found["hits"] == found["accuracy"]
        assert found["r2_score"] == close(measure("r2", y, net.predict(X)))
    called = as_metrics(hits)[0]
    assert called(y, net.predict(X)) == found["hits"]


@pytest.mark.parametrize("name", [*METRICS, "top_2", "own"])
def test_as_many_targets_as_outputs(name):
    (metric,) = as_metrics(name if name != "own" else lambda y, a: 1.0)
    with pytest.raises(ValueError, match="as many targets as outputs; got 1 and 3"):
        metric(np.zeros(1, int), np.zeros((3, 2)))


@pytest.mark.parametrize("name", METRICS)
def test_targets_of_another_width(name):
    with pytest.raises(ValueError, match=r"shape \(3, 2\), or \(3,\); got \(3, 4\)"):
        measure(name, np.zeros((3, 4)), np.zeros((3, 2)))


def test_metrics_with_settings_are_pickled():
    metric = as_metrics("f1")[0]
    again = pickle.loads(pickle.dumps(metric))
    y, a = SHAPES["labels"][0], np.eye(3)[:, :2]
    assert again(y, a) == metric(y, a)


# --- Losses that are one number -------------------------------------------------------

N = 1000
X = np.random.default_rng(4).normal(size=(N, 2))
Y = np.sort(X[:, 0] + X[:, 1] ** 2)[:, None]  # its first rows are unlike its last

SINGLE = {
    "rmse": lambda a, y: ((a - y) ** 2).mean() ** 0.5,
    "mean": lambda a, y: ((a - y) ** 2).mean(),
    "one less a ratio": lambda a, y: 1 - (a * y).sum() / ((a * a).sum() + 1),
}


def of_rows(a, y):
    return (a - y)[:, 0] ** 2, 2 * (a - y)


PER_SAMPLE = {"graph": lambda a, y: ((a - y) ** 2).sum(axis=1), "arrays": of_rows}


@pytest.mark.parametrize(
    "order",
    (np.arange(N), np.arange(N)[::-1], np.argsort(X[:, 0])),
    ids=["given", "reversed", "sorted"],
)
@pytest.mark.parametrize("loss", SINGLE.values(), ids=SINGLE)
def test_a_loss_that_is_one_number_is_of_all_rows(Network, loss, order):
    net = Network([2, 4, 1], loss=loss, dtype="float64", rng=0)
    expected = pytest.approx(float(loss(net.predict(X), Y)), rel=1e-12)
    assert net.evaluate(X[order], Y[order]) == expected
    assert net.evaluate(X[order], Y[order], np.full(N, 3.0)) == expected
    # Not evaluated before: the validation loss of a fresh network.
    fresh = Network([2, 4, 1], loss=loss, dtype="float64", rng=0)
    fresh.frozen = [True, True]
    history = fresh.fit(X, Y, epochs=1, validation=(X, Y), **QUIET)
    assert history.validation_loss[-1] == expected


@pytest.mark.parametrize(
    "y",
    (np.repeat([0.0, 1.0], 256), np.tile([0.0, 1.0], 256)),
    ids=["one after the other", "by turns"],
)
def test_the_example_of_a_root_mean_square(Network, y):
    """.5 by one order of the rows and .707 by the other, if 256 rows at a time."""
    net = Network([1, 1], loss=SINGLE["rmse"], init="zeros")
    value = net.evaluate(np.zeros((512, 1)), y)
    assert value == pytest.approx(math.sqrt(0.5), rel=1e-7)


def test_unequal_weights_of_a_loss_that_is_one_number(Network):
    net = Network([2, 1], loss=SINGLE["rmse"], rng=0)
    weight = np.ones(N)
    weight[-1] = 2  # in another chunk of rows than the first
    for _ in range(2):
        with pytest.raises(ValueError, match="one value per sample"):
            net.evaluate(X, Y, weight)
        net.evaluate(X, Y)


@pytest.mark.parametrize("loss", PER_SAMPLE.values(), ids=PER_SAMPLE)
def test_a_loss_function_is_called_with_all_rows_at_once(Network, loss):
    rows = []

    def counted(a, y):
        rows.append(len(y))
        return loss(a, y)

    net = Network([2, 1], loss=counted, dtype="float64", rng=0)
    value = net.evaluate(X, Y)
    assert value == pytest.approx(((net.predict(X) - Y) ** 2).mean(), rel=1e-12)
    assert max(rows) == N


def root_mean_square_of_each(a, y):
    r = np.sqrt(np.mean((a - y) ** 2))
    return np.full(len(a), r), (a - y) / (len(a) * max(r, 1e-9))


@pytest.mark.parametrize(
    "y",
    (np.repeat([0.0, 1.0], 512), np.tile([0.0, 1.0], 512)),
    ids=["one after the other", "by turns"],
)
@pytest.mark.parametrize(
    "loss",
    [
        root_mean_square_of_each,
        lambda a, y: ((a - y) ** 2).mean() ** 0.5 + 0 * (a - y)[:, 0],
    ],
    ids=["arrays", "graph"],
)
def test_values_per_sample_that_depend_on_the_other_rows(Network, loss, y):
    """A root mean square, as the value of every row: whole in every order."""
    net = Network([1, 1], loss=loss, init="zeros", optimizer=bp.SGD(0.0))
    zeros = np.zeros((1024, 1))
    assert net.evaluate(zeros, y) == pytest.approx(math.sqrt(0.5), rel=1e-7)
    history = net.fit(zeros, y, validation=(zeros, y), epochs=1, **QUIET)
    assert history.validation_loss[0] == pytest.approx(math.sqrt(0.5), rel=1e-7)


def test_lbfgs_with_a_loss_that_is_one_number():
    pytest.importorskip("scipy")
    many = np.tile(X, (3, 1))  # more rows than are differentiated at a time
    y = np.sort(many @ [1.0, -2.0] + 3)[:, None]
    found = []
    for loss in (SINGLE["rmse"], "mean_squared_error"):
        net = bp.Network([2, 1], loss=loss, optimizer=bp.LBFGS(), dtype="float64")
        net.fit(many, y, epochs=200, **QUIET)
        found.append(net.parameters.copy())
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-4)


# --- One prediction -------------------------------------------------------------------


def test_evaluate_and_fit_go_by_the_networks_own_outputs(Network):
    """A subclass may predict something else: labels, or in other units."""

    class Labels(Network):
        def predict(self, X, out=None):
            return super().predict(X).argmax(axis=1)

    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    found = []
    for kind in (Network, Labels):
        net = kind([3, 3], loss="cross_entropy", rng=0)
        history = net.fit(X, y, epochs=2, metrics=["accuracy", "auc"], **QUIET)
        names = ["accuracy", "log_loss"]
        values = net.evaluate(X, y, metrics=names)
        found.append(([*history["accuracy"], *history["auc"]], values))
    assert found[0] == found[1]


def test_a_custom_loss_is_tried_on_the_networks_own_outputs(Network):
    class Rounded(Network):
        def predict(self, X, out=None):
            raise AssertionError("it is not for fit to call")

    net = Rounded([2, 1], loss=PER_SAMPLE["graph"], rng=0)
    weight = np.arange(N) + 1.0
    net.fit(X, Y, epochs=1, sample_weight=weight, metrics="mae", **QUIET)


def test_evaluate_of_many_rows_takes_little_memory():
    net = bp.Network([1, 1], rng=0)
    X, y = np.zeros((200_000, 1), "float32"), np.zeros((200_000, 1), "float32")
    net.evaluate(X, y)
    tracemalloc.start()
    net.evaluate(X, y)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()
