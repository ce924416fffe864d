"""Classifier and Regressor for tables: scores, weights, ensembles, explanations."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import bpcore as bp
from bpcore.datasets import load_digits
from bpcore.tabular import Classifier, Regressor
from bpcore.tabular.calibration import best_factor
from bpcore.tabular.regressor import d2_of_quantiles

RNG = np.random.default_rng(0)
N = 400
NUMBERS = RNG.normal(size=(N, 3))
NAMES = RNG.choice(["red", "green", "blue"], N)
SIGNAL = np.sin(2 * NUMBERS[:, 0]) + (NAMES == "red") + 0.05 * RNG.normal(size=N)


def rows(holes=False):
    """Three columns of numbers and one of texts."""
    X = np.empty((N, 4), dtype=object)
    X[:, :3], X[:, 3] = NUMBERS, NAMES
    if holes:
        X[RNG.random((N, 4)) < 0.1] = None
    return X


def quick(kind, **settings):
    return kind(**{"quick": True, "random_state": 0} | settings)


def both(X):
    return X[:300], X[300:]


# --- what is learned ------------------------------------------------------------------


def test_numbers_and_texts():
    X, X_test = both(rows())
    y, y_test = both(SIGNAL)
    assert quick(Regressor).fit(X, y).score(X_test, y_test) > 0.93
    labels, labels_test = both(np.where(SIGNAL > 0.4, "high", "low"))
    model = quick(Classifier).fit(X, labels)
    assert model.score(X_test, labels_test) > 0.85
    assert model.classes_.tolist() == ["high", "low"]


def test_digits():
    X, y = load_digits()
    model = quick(Classifier).fit(X[:1400], y[:1400])
    assert model.score(X[1400:], y[1400:]) > 0.93
    p = model.predict_proba(X[1400:])
    assert p.shape == (len(X) - 1400, 10)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


def test_holes_are_no_obstacle():
    X, X_test = both(rows(holes=True))
    y, y_test = both(SIGNAL)
    assert quick(Regressor).fit(X, y).score(X_test, y_test) > 0.6


def test_several_targets():
    y = np.c_[SIGNAL, -10 * SIGNAL + 3]
    model = quick(Regressor).fit(rows(), y)
    assert model.predict(rows()).shape == (N, 2) and model.score(rows(), y) > 0.9
    assert quick(Regressor).fit(rows(), y[:, :1]).predict(rows()).shape == (N, 1)


def test_predictions_stay_within_the_range_of_the_training():
    model = quick(Regressor).fit(NUMBERS, NUMBERS[:, 0] ** 3)
    far = model.predict([[1e6, 0, 0], [-1e6, 0, 0]])
    low, high = (NUMBERS[:, 0] ** 3).min(), (NUMBERS[:, 0] ** 3).max()
    assert (far >= low).all() and (far <= high).all()


@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_the_unit_of_y_does_not_matter(factor):
    y = NUMBERS[:, 0]
    plain = quick(Regressor).fit(NUMBERS, y).predict(NUMBERS)
    scaled = quick(Regressor).fit(NUMBERS, y * factor).predict(NUMBERS)
    np.testing.assert_allclose(scaled / factor, plain, rtol=1e-3, atol=1e-4)


def test_constant_targets():
    assert np.allclose(
        quick(Regressor).fit(NUMBERS, np.full(N, 7.0)).predict(NUMBERS), 7
    )


def test_validation_chooses_the_best_epoch():
    model = quick(Classifier).fit(rows(), SIGNAL > 0.4)
    history = model.histories_[0]
    errors = history.metrics["validation_error"]
    assert history.best_epoch == int(np.argmin(errors)) + 1
    given = quick(Regressor).fit(
        rows()[:300], SIGNAL[:300], X_val=rows()[300:], y_val=SIGNAL[300:]
    )
    assert given.histories_[0].best_epoch == (
        int(np.argmin(given.histories_[0].validation_loss)) + 1
    )
    last = quick(Regressor, validation_fraction=None).fit(rows(), SIGNAL)
    assert len(last.histories_[0].validation_loss) == 0


def test_the_recipe():
    X = rows()
    model = Regressor(epochs=3, random_state=0).fit(X, SIGNAL)
    (net,) = model.networks_
    assert net.sizes[1:] == (256, 256, 256, 1) and net.activations[0] == "mish"
    fresh = model.recipe_.network(6, 2, "mean_squared_error", 400, seed=1)
    assert not fresh.weights[-1].any() and not fresh.biases[-1].any()
    assert fresh.biases[0].std() == pytest.approx(1, abs=0.2)
    assert fresh.weights[1].std() == pytest.approx(1 / 16, rel=0.05)
    assert model.set_params(hidden_layer_sizes=(5,), activation="relu", lr=0.1).fit(
        X, SIGNAL
    ).networks_[0].sizes == (6, 5, 1)


# --- weights --------------------------------------------------------------------------


def test_rows_of_weight_zero_do_not_count():
    X = np.r_[NUMBERS, NUMBERS]
    y = np.r_[NUMBERS[:, 0], -NUMBERS[:, 0]]
    weight = np.repeat([1.0, 0.0], N)
    model = quick(Regressor).fit(X, y, sample_weight=weight)
    assert model.score(X, y, sample_weight=weight) > 0.95
    assert quick(Regressor).fit(X, y).score(X, y, sample_weight=weight) < 0.5


def test_class_weights_move_the_border():
    y = np.where(NUMBERS[:, 0] + 3 * RNG.normal(size=N) > 3, "rare", "usual")
    few = (quick(Classifier).fit(NUMBERS, y).predict(NUMBERS) == "rare").mean()
    balanced = quick(Classifier, class_weight="balanced").fit(NUMBERS, y)
    given = quick(Classifier, class_weight={"rare": 9.0}).fit(NUMBERS, y)
    for model in (balanced, given):
        assert (model.predict(NUMBERS) == "rare").mean() > few + 0.05


# --- ensembles ------------------------------------------------------------------------


def test_members_and_their_spread():
    X, X_test = both(rows())
    y, _ = both(SIGNAL)
    model = quick(Regressor, n_models=3).fit(X, y)
    mean, std = model.predict(X_test, return_std=True)
    members = [
        quick(Regressor, n_models=i).fit(X, y).networks_[-1].parameters
        for i in (1, 2, 3)
    ]
    for network, alone in zip(model.networks_, members, strict=True):
        assert network.parameters.tobytes() == alone.tobytes()
    assert (std > 0).all() and std.mean() < 0.3
    assert np.array_equal(mean, model.predict(X_test))
    p = quick(Classifier, n_models=2).fit(X, y > 0.4).predict_proba(X_test)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_bits_do_not_depend_on_threads(n_threads):
    wanted = quick(Regressor, n_models=2, n_threads=1).fit(rows(), SIGNAL)
    model = quick(Regressor, n_models=2, n_threads=n_threads).fit(rows(), SIGNAL)
    assert model.predict(rows()).tobytes() == wanted.predict(rows()).tobytes()


def test_sources_of_random_numbers():
    X, y = NUMBERS, NUMBERS[:, 0]

    def weights(random_state):
        model = quick(Regressor, random_state=random_state, epochs=1).fit(X, y)
        return model.networks_[0].parameters.tobytes()

    assert weights(1) == weights(1) != weights(2)
    for make in (np.random.default_rng, np.random.RandomState):
        assert weights(make(1)) == weights(make(1)) != weights(make(2))
    assert weights(None) != weights(None)


# --- quantiles ------------------------------------------------------------------------


def test_quantiles_cover_and_do_not_cross():
    X = RNG.uniform(-1, 1, size=(3000, 1))
    y = X[:, 0] + RNG.normal(size=3000) * (0.2 + np.abs(X[:, 0]))
    model = quick(Regressor, quantiles=[0.9, 0.1, 0.5]).fit(X, y)
    found = model.predict(X)
    high, low, middle = found.T
    assert found.shape == (3000, 3) and (low <= middle).all() and (middle <= high).all()
    inside = (y > low) & (y < high)
    assert inside.mean() == pytest.approx(0.8, abs=0.06)
    assert 0.1 < model.score(X, y) < 1


def test_the_score_of_quantiles_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    y, a, weight = RNG.normal(size=50), RNG.normal(size=(50, 2)), RNG.uniform(size=50)
    for w in (None, weight):
        wanted = [
            metrics.d2_pinball_score(y, a[:, j], alpha=q, sample_weight=w)
            for j, q in enumerate((0.2, 0.7))
        ]
        assert d2_of_quantiles(a, y, (0.2, 0.7), w) == pytest.approx(
            np.mean(wanted), abs=0.02
        )


# --- explanations ---------------------------------------------------------------------


def test_what_matters():
    names = ("x0", "x3")
    model = quick(Regressor).fit(rows(), SIGNAL)
    for found in (model.explain(rows(), SIGNAL), model.explain(rows())):
        first = {found.names[j] for j in found.order[:2]}
        assert first == set(names) and found.permutation.shape == (4,)
        assert found.names[int(np.argmax(found.derivative))] in names
        assert "x3" in str(found)
    labels = quick(Classifier).fit(rows(), SIGNAL > 0.4).explain(rows(), SIGNAL > 0.4)
    assert {labels.names[j] for j in labels.order[:2]} == set(names)


def test_derivatives_are_differences():
    model = quick(Regressor).fit(NUMBERS, NUMBERS[:, 0] * 3)
    found = model.explain(NUMBERS).derivative
    Z = model.encoder_("X", NUMBERS).astype(np.float64)
    net, h = model.networks_[0].astype("float64"), 1e-5
    for j in range(3):
        step = np.eye(3)[j] * h
        slopes = (net.predict(Z + step) - net.predict(Z - step)) / (2 * h)
        wanted = np.abs(slopes * model.targets_.deviation).mean()
        assert found[j] == pytest.approx(wanted, rel=1e-3)


def test_pictures():
    pytest.importorskip("matplotlib")
    model = quick(Regressor, n_models=2).fit(rows(), SIGNAL)
    labels = quick(Classifier).fit(rows(), SIGNAL > 0.4)
    assert len(model.plot().axes) == 1
    assert len(model.plot(rows(), SIGNAL).axes) == 2
    assert len(labels.plot(rows(), SIGNAL > 0.4).axes) == 2
    assert len(model.explain(rows()).plot().axes) == 2
    for figure in (model.plot(), labels.plot(rows(), SIGNAL > 0.4)):
        assert figure._repr_png_()[:4] == b"\x89PNG"


def test_what_pictures_say():
    """Titles and labels, for few rows and for many."""
    pytest.importorskip("matplotlib")
    X, y = np.tile(rows(), (30, 1)), np.tile(SIGNAL, 30)
    numbers = quick(Regressor).fit(rows(), SIGNAL)
    losses, points = numbers.plot(X, y).axes
    assert losses.get_title() == "Loss by epoch"
    assert losses.get_xlabel() == "epoch (dotted: the best by validation loss)"
    assert points.get_xlabel() == "target"
    drawn = len(points.lines[0].get_xdata())
    score = f"R2 {numbers.score(X, y):.4f} of {len(y):,} rows"
    assert points.get_title() == f"{score}, {drawn:,} of them drawn" and drawn <= 2000
    (_, few) = numbers.plot(rows(), SIGNAL).axes
    assert "drawn" not in few.get_title()
    labels = quick(Classifier).fit(rows(), SIGNAL > 0.4)
    right = labels.predict(rows()) == (SIGNAL > 0.4)
    (losses, matrix) = labels.plot(rows(), SIGNAL > 0.4).axes
    assert losses.get_xlabel() == "epoch (dotted: the best by validation error)"
    assert [int(text.get_text()) for text in matrix.texts] == [
        ((SIGNAL > 0.4) == i)[labels.predict(rows()) == j].sum()
        for i in (False, True)
        for j in (False, True)
    ]
    assert matrix.get_title().startswith(f"Accuracy {right.mean():.4f}: {right.sum()}")
    money = np.where(SIGNAL > 0.4, r"$5 \x $", "b")  # no formula of matplotlib
    figure = quick(Classifier).fit(rows(), money).plot(rows(), money)
    assert figure._repr_png_()[:4] == b"\x89PNG"
    (_, curve) = labels.plot(X, y > 0.4).axes
    assert curve.get_title() == f"Accuracy {right.mean():.4f} of {len(y):,} rows"
    assert "mean of 10 bins" in curve.get_xlabel()


# --- errors ---------------------------------------------------------------------------

BAD = [
    ({"n_models": 0}, ValueError, "n_models must be"),
    ({"epochs": 0}, ValueError, "epochs must be"),
    ({"lr": -1.0}, ValueError, "lr must be"),
    ({"hidden_layer_sizes": 5}, TypeError, "hidden_layer_sizes must be"),
    ({"hidden_layer_sizes": (0,)}, ValueError, r"hidden_layer_sizes\[0\]"),
    ({"activation": "rellu"}, ValueError, "did you mean 'relu'"),
    ({"validation_fraction": 1.5}, ValueError, "validation_fraction must be"),
    ({"categorical": ["no"]}, ValueError, "categorical must"),
    ({"quick": "yes"}, TypeError, "quick must be"),
    ({"random_state": -1}, ValueError, "random_state must be"),
]


@pytest.mark.parametrize("settings, error, message", BAD)
def test_bad_settings_change_nothing(settings, error, message):
    model = quick(Regressor).fit(NUMBERS, SIGNAL)
    before = model.predict(NUMBERS)
    with pytest.raises(error, match=message):
        model.set_params(**settings).fit(NUMBERS, SIGNAL)
    assert np.array_equal(model.predict(NUMBERS), before)


@pytest.mark.parametrize(
    "kind, y, message",
    [
        (Classifier, np.zeros(N), "at least 2 classes; got 1 class"),
        (Classifier, SIGNAL, "Regressor predicts numbers"),
        (Classifier, np.array(["a", None] * 200, object), "no missing values"),
        (Regressor, np.array(["a", "b"] * 200), "y must have numbers; got 'a'"),
        (Regressor, np.where(SIGNAL > 0, SIGNAL, np.nan), "no missing values"),
        (Regressor, SIGNAL[:-1], "samples|rows|shape"),
        (Classifier, (SIGNAL > 0)[:-1], "samples|rows|shape|labels"),
    ],
)
def test_bad_targets(kind, y, message):
    with pytest.raises(ValueError, match=message):
        quick(kind).fit(NUMBERS, y)


def test_quantiles_of_one_target_only():
    with pytest.raises(ValueError, match="one number for each row"):
        quick(Regressor, quantiles=[0.5]).fit(NUMBERS, NUMBERS[:, :2])
    for wrong in ([0.0], [1.0], []):
        with pytest.raises(ValueError, match="quantiles"):
            quick(Regressor, quantiles=wrong).fit(NUMBERS, SIGNAL)


def test_before_fit():
    for call in ("predict", "explain", "plot"):
        arguments = () if call == "plot" else (NUMBERS,)
        with pytest.raises(ValueError, match="not fitted"):
            getattr(Regressor(), call)(*arguments)


def test_validation_data_are_checked():
    with pytest.raises(ValueError, match="given together"):
        quick(Regressor).fit(NUMBERS, SIGNAL, X_val=NUMBERS)
    with pytest.raises(ValueError, match="X_val has 2 features"):
        quick(Regressor).fit(NUMBERS, SIGNAL, X_val=NUMBERS[:, :2], y_val=SIGNAL)


# --- copies, and life without scikit-learn --------------------------------------------


def test_copies():
    model = quick(Classifier).fit(rows(), SIGNAL > 0.4)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(twin.predict_proba(rows()), model.predict_proba(rows()))


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import numpy as np
from bpcore.tabular import Classifier, Regressor
from bpcore.tabular.calibration import best_factor
X = np.random.default_rng(0).normal(size=(60, 2))
model = Regressor(quick=True, epochs=2, random_state=0).fit(X, X[:, 0])
labels = Classifier(quick=True, epochs=2, random_state=0).fit(X, X[:, 0] > 0)
print(model, model.get_params()["epochs"], labels.set_params(lr=0.1).lr)
try:
    Regressor().predict(X)
except ValueError as error:
    print(error)
try:
    model.set_params(wrong=1)
except ValueError as error:
    print(error)
print(np.abs(model.predict(X)).sum().hex(), labels.predict_proba(X).sum())
"""


def test_without_scikit_learn():
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )
    lines = found.stdout.splitlines()
    assert lines[0] == "Regressor(quick=True, epochs=2, random_state=0) 2 0.1"
    assert "not fitted" in lines[1] and "Invalid parameter 'wrong'" in lines[2]
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = Regressor(quick=True, epochs=2, random_state=0).fit(X, X[:, 0])
    assert lines[3].startswith(np.abs(model.predict(X)).sum().hex())


def test_one_row_is_that_row_of_many():
    model = quick(Regressor, n_threads=1).fit(rows(), SIGNAL)
    labels = quick(Classifier, n_threads=1).fit(NUMBERS, SIGNAL > 0.4)
    for i in (0, 7):
        assert model.predict(rows()[i : i + 1]) == model.predict(rows())[i]
        one = labels.predict_proba(NUMBERS[i : i + 1])
        assert one.tobytes() == labels.predict_proba(NUMBERS)[i].tobytes()


def test_it_is_a_network_of_this_library():
    model = quick(Regressor).fit(NUMBERS, SIGNAL)
    assert isinstance(model.networks_[0], bp.Network)
    assert isinstance(model.histories_[0], bp.History)


# --- calibration ----------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_factor_has_the_least_log_loss(n_classes, weighted):
    rng = np.random.default_rng(n_classes)
    logits = rng.normal(size=(4000, n_classes)) * 3
    p = np.exp(0.4 * logits)
    y = (rng.random((4000, 1)) < (p / p.sum(1, keepdims=True)).cumsum(1)).argmax(1)
    weight = rng.uniform(size=4000) if weighted else None
    assert best_factor(logits, y, weight) == pytest.approx(0.4, abs=0.06)


def test_few_rows_do_not_give_certainty():
    logits = np.array([[0.0, 5.0]] * 8)
    assert best_factor(logits, np.ones(8, np.int64)) < 1
    assert best_factor(np.zeros((8, 2)), np.ones(8, np.int64)) <= 10


def test_probabilities_are_calibrated():
    X, X_test = both(NUMBERS)
    y, y_test = both((NUMBERS[:, 0] > 0).astype(int))
    model = quick(Classifier).fit(X, y)
    p = model.predict_proba(X_test)[np.arange(100), y_test]
    (net,) = model.networks_
    factor = quick(Classifier, validation_fraction=None).fit(X, y)
    assert -np.log(p).mean() < 0.12  # 0.2 with smoothed labels alone
    smoothed = factor.predict_proba(X_test)
    assert smoothed.max() < 0.98 < model.predict_proba(X_test).max()
    assert net.biases[-1].any()


# --- other instances of what once was wrong -------------------------------------------


@pytest.mark.parametrize("first", ["texts", "holes", "nothing", "constant"])
def test_explanations_whatever_column_comes_first(first):
    column = {
        "texts": NAMES,
        "holes": np.where(RNG.random(N) < 0.2, np.nan, NUMBERS[:, 2]),
        "nothing": np.full(N, None),
        "constant": np.ones(N),
    }[first]
    X = np.empty((N, 2), object)
    X[:, 0], X[:, 1] = column, NUMBERS[:, 0]
    found = quick(Regressor).fit(X, NUMBERS[:, 0]).explain(X, NUMBERS[:, 0])
    assert found.order[0] == 1 and found.permutation.shape == (2,)
    assert np.isnan(found.derivative[0]) == (first == "texts")
    assert repr(found).count("\n") == 2


def test_one_row_is_that_row_of_many_for_many_networks():
    settings = {"n_models": 9, "epochs": 5, "n_threads": 1}
    model = quick(Regressor, **settings).fit(NUMBERS, SIGNAL)
    labels = quick(Classifier, **settings).fit(NUMBERS, SIGNAL > 0.4)
    mean, std = model.predict(NUMBERS, return_std=True)
    p = labels.predict_proba(NUMBERS)
    for i in range(40):
        one = NUMBERS[i : i + 1]
        assert model.predict(one, return_std=True) == (mean[i], std[i])
        assert labels.predict_proba(one).tobytes() == p[i].tobytes()


def test_balanced_weights_of_a_rare_class():
    """They are weights of rows, not of smoothed targets."""
    rng = np.random.default_rng(1)
    X, rare = rng.normal(size=(3000, 2)), np.arange(3000) % 40 == 0
    X[rare] += 2
    model = quick(Classifier, class_weight="balanced").fit(X, rare)
    found = model.predict(X)
    assert found[rare].mean() > 0.8 and found[~rare].mean() < 0.15
    weight = np.where(rare, 39.0, 1.0)
    given = quick(Classifier).fit(X, rare, sample_weight=weight).predict(X)
    assert (given == found).mean() > 0.97


def test_a_class_of_weight_0():
    y = NUMBERS[:, 0] > 0
    model = quick(Classifier, class_weight={False: 0}, epochs=3)
    assert model.fit(NUMBERS, y).predict(NUMBERS).all()
    with pytest.raises(ValueError, match="sample_weight_val times class_weight"):
        model.fit(NUMBERS, y, X_val=NUMBERS[~y], y_val=y[~y])


def test_many_classes_of_few_rows_are_calibrated():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(30), 20)
    X = rng.normal(size=(30, 4))[y] * 3 + 0.1 * rng.normal(size=(600, 4))
    model = quick(Classifier).fit(X[::2], y[::2])
    p = model.predict_proba(X[1::2])[np.arange(300), y[1::2]]
    assert -np.log(p).mean() < 0.15


def test_targets_and_weights_of_scores_are_checked():
    model = quick(Regressor, epochs=2).fit(NUMBERS, SIGNAL)
    labels = quick(Classifier, epochs=2).fit(NUMBERS, SIGNAL > 0.4)
    for call in (model.score, model.explain, model.plot):
        with pytest.raises(ValueError, match="y must have as many entries as X"):
            call(NUMBERS, SIGNAL[:1])
    for call in (labels.score, labels.explain, labels.plot):
        with pytest.raises(ValueError, match="y must have as many entries as X"):
            call(NUMBERS, [True])
    with pytest.raises(ValueError, match="must have shape"):
        model.score(NUMBERS, np.c_[SIGNAL, SIGNAL])
    with pytest.raises(ValueError, match="classes of the training, False, True"):
        labels.score(NUMBERS, np.full(N, 7))
    for weight in (np.ones(3), -np.ones(N), np.zeros(N)):
        with pytest.raises(ValueError, match="sample_weight"):
            model.score(NUMBERS, SIGNAL, sample_weight=weight)


def test_a_single_network_has_no_spread():
    model = quick(Regressor, epochs=2).fit(NUMBERS, SIGNAL)
    with pytest.raises(ValueError, match="return_std needs n_models of at least 2"):
        model.predict(NUMBERS, return_std=True)


def test_numbers_as_classes_are_doubted():
    with pytest.warns(UserWarning, match="400 different numbers.* Regressor"):
        quick(Classifier, epochs=1).fit(NUMBERS, np.arange(N))


@pytest.mark.parametrize("factor", [1e-310, 1e200, 1e305])
def test_numbers_at_the_limits_make_no_warnings(factor):
    y = NUMBERS[:, 0] * factor
    with np.errstate(all="raise"):
        model = quick(Regressor, n_models=2, epochs=20).fit(NUMBERS, y)
    assert np.isfinite(model.predict(NUMBERS, return_std=True)).all()
    assert model.score(NUMBERS, y) > 0.5


def test_masked_targets_are_refused():
    y = np.ma.masked_greater(SIGNAL, 1)
    with pytest.raises(ValueError, match="missing values; got a mask"):
        quick(Regressor).fit(NUMBERS, y)
