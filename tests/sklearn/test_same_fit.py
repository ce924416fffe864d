"""Drop-ins: the fitted model of scikit-learn, over a grid of every option."""

import io
import itertools
import pickle
from contextlib import redirect_stdout

import numpy as np
import pytest

pytest.importorskip("sklearn", "1.7")

from sklearn import neural_network
from sklearn.datasets import load_diabetes, load_digits

from bpcore import sklearn as drop_ins

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got `batch_size` less than 1",
    "ignore:.*divide by zero",
)
DIGITS, DIABETES = load_digits(), load_diabetes()
X_DIGITS, Y_DIGITS = DIGITS.data[:150] / 16, DIGITS.target[:150]
X_DIABETES, Y_DIABETES = DIABETES.data[:130] * 10, DIABETES.target[:130] / 100
SEVERAL = np.c_[Y_DIABETES, 3 - Y_DIABETES / 2, X_DIABETES[:, 2]]
CLASSES = {
    "binary": (X_DIGITS, Y_DIGITS > 4),
    "strings": (X_DIGITS, np.array(["a", "b", "c"])[Y_DIGITS % 3]),
    "ten": (X_DIGITS, Y_DIGITS),
    "labels": (X_DIGITS, np.c_[Y_DIGITS > 4, Y_DIGITS % 2, Y_DIGITS == 3].astype(int)),
}
NUMBERS = {
    "one": (X_DIABETES, Y_DIABETES),
    "several": (X_DIABETES, SEVERAL),
    "counts": (X_DIABETES, np.floor(Y_DIABETES)),
    "several counts": (X_DIABETES, np.floor(np.abs(SEVERAL))),
}
DATA = CLASSES | NUMBERS
FITTED = (
    "loss_", "best_loss_", "loss_curve_", "validation_scores_", "n_iter_", "t_",
    "best_validation_score_", "n_layers_", "n_outputs_", "out_activation_",
)  # fmt: skip
EPOCHS = 50


def pair(name, **settings):
    """An estimator of scikit-learn for this data, and its drop-in."""
    kind = "MLPClassifier" if name in CLASSES else "MLPRegressor"
    if "counts" in name:
        settings = {"loss": "poisson"} | settings
    settings = {"hidden_layer_sizes": (12,), "max_iter": EPOCHS} | settings
    return [
        getattr(module, kind)(**{"random_state": np.random.RandomState(7)} | settings)
        for module in (neural_network, drop_ins)
    ]


def close(a, b, rtol):
    """Whether arrays are within rtol of the largest of their elements."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    assert a.shape == b.shape
    largest = np.max(np.abs(a), initial=1e-30)
    np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol * largest)


def assert_same(theirs, ours, rtol=1e-9):
    """Fitted attributes, and the state of the random numbers, are those of `theirs`."""
    for a, b in zip(
        theirs.coefs_ + theirs.intercepts_, ours.coefs_ + ours.intercepts_, strict=True
    ):
        assert a.dtype == b.dtype
        close(a, b, rtol)
    for name in FITTED:
        a, b = getattr(theirs, name, "none"), getattr(ours, name, "none")
        if isinstance(a, list | float | np.floating):
            close(a, b, rtol)
        else:
            assert a == b, name
    if isinstance(theirs.random_state, np.random.RandomState):
        assert theirs.random_state.randint(1 << 30) == ours.random_state.randint(
            1 << 30
        )


def same_predictions(theirs, ours, X):
    a, b = theirs.predict(X), ours.predict(X)
    assert a.dtype == b.dtype
    if a.dtype.kind == "f":
        close(a, b, 1e-9)
    else:
        assert np.array_equal(a, b)


def check(name, sample_weight=None, rtol=1e-9, **settings):
    X, y = DATA[name]
    theirs, ours = pair(name, **settings)
    theirs.fit(X, y, sample_weight)
    ours.fit(X, y, sample_weight)
    assert_same(theirs, ours, rtol)
    same_predictions(theirs, ours, X)


def weights(n, seed=0):
    return np.random.default_rng(seed).uniform(0, 2, n)


SGD = {"solver": "sgd", "learning_rate_init": 0.05}
#: Options, one at a time and in pairs that meet in one line of the rules.
OPTIONS = [
    {},
    {"hidden_layer_sizes": ()},
    {"hidden_layer_sizes": 5},
    {"hidden_layer_sizes": [9, 7, 5]},
    {"alpha": 0},
    {"alpha": 3.0},
    {"batch_size": 1, "max_iter": 3},
    {"batch_size": 7},
    {"batch_size": 64},
    {"batch_size": 5000},
    {"shuffle": False},
    {"shuffle": False, "batch_size": 33},
    {"learning_rate_init": 0.02},
    {"beta_1": 0.0, "beta_2": 0.0},
    {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 0.1},
    {"tol": 0.5, "n_iter_no_change": 2},
    {"tol": 0.0},
    {"n_iter_no_change": np.inf},
    {"early_stopping": True},
    {"early_stopping": True, "validation_fraction": 0.4, "n_iter_no_change": 3},
    {"early_stopping": True, "tol": 0.1, "n_iter_no_change": 1, "batch_size": 16},
    {"activation": "identity"},
    {"activation": "logistic"},
    {"activation": "tanh"},
    {"random_state": 3},
    SGD,
    SGD | {"momentum": 0},
    SGD | {"momentum": 1, "learning_rate_init": 1e-3, "max_iter": 10},
    SGD | {"nesterovs_momentum": False},
    SGD | {"learning_rate": "invscaling"},
    SGD | {"learning_rate": "invscaling", "power_t": 0.2, "batch_size": 20},
    SGD | {"learning_rate": "adaptive", "tol": 0.2, "n_iter_no_change": 1},
    SGD | {"learning_rate": "adaptive", "learning_rate_init": 2e-6, "tol": 1.0,
           "n_iter_no_change": 1},
    SGD | {"learning_rate": "adaptive", "early_stopping": True, "tol": 0.1,
           "n_iter_no_change": 2, "nesterovs_momentum": False},
    SGD | {"batch_size": 32, "alpha": 0.5, "shuffle": False},
]  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", OPTIONS, ids=str)
@pytest.mark.parametrize("name", DATA)
def test_options(name, settings, weighted):
    check(name, weights(len(DATA[name][1])) if weighted else None, **settings)


GRID = {
    "solver": ["sgd", "adam"],
    "learning_rate": ["constant", "invscaling", "adaptive"],
    "activation": ["tanh", "relu"],
    "early_stopping": [False, True],
    "shuffle": [False, True],
    "batch_size": ["auto", 50],
}


@pytest.mark.parametrize("values", [*itertools.product(*GRID.values())], ids=str)
def test_every_combination(values):
    settings = dict(zip(GRID, values, strict=True))
    settings |= {"learning_rate_init": 0.01, "tol": 0.01, "n_iter_no_change": 2}
    check("ten", **settings)
    check("several", weights(130), alpha=0.1, **settings)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", DATA)
def test_the_real_sizes(name, seed):
    """100 units and 50 epochs of default settings."""
    check(name, hidden_layer_sizes=(100,), random_state=seed)


@pytest.mark.parametrize("settings", [{}, SGD, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize("name", DATA)
def test_float32(name, settings):
    X, y = DATA[name]
    X = X.astype("float32")
    y = y if name in CLASSES else y.astype("float32")
    theirs, ours = pair(name, max_iter=10, **settings)
    assert_same(theirs.fit(X, y), ours.fit(X, y), rtol=2e-4)
    assert ours.coefs_[0].dtype == np.float32
    assert theirs.predict(X).dtype == ours.predict(X).dtype


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", DATA)
def test_lbfgs(name, dtype, weighted):
    X, y = DATA[name]
    w = weights(len(y)) if weighted else None
    theirs, ours = pair(name, solver="lbfgs", max_iter=15, alpha=0.1)
    X = X.astype(dtype)
    theirs.fit(X, y, w)
    ours.fit(X, y, w)
    single = dtype == "float32"  # scikit-learn and SciPy compute in float32 too
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-2 if single else 1e-6)
    assert single or ours.n_iter_ == theirs.n_iter_
    assert [W.dtype for W in ours.coefs_] == [W.dtype for W in theirs.coefs_]


# --- loss that is clipped -------------------------------------------------------------


@pytest.mark.parametrize("factor", [1, 30, 3000])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CLASSES)
def test_probabilities_are_clipped_in_the_loss(name, dtype, factor):
    """The outputs of such weights are 0 and 1, and the losses 36 or 16 a row.

    Scikit-learn takes the logarithm of 1 - a, which has few digits where a is near 1.
    """
    X, y = DATA[name]
    fitted = pair(name, warm_start=True, max_iter=1, alpha=0, batch_size=150)
    for each in fitted:
        each.fit(X.astype(dtype), y)
        for W in each.coefs_:
            W *= factor
        for w in (None, weights(len(y))):
            each.fit(X.astype(dtype), y, w)
    theirs, ours = fitted
    exact = name in ("ten", "strings") or factor != 30
    rtol = 1e-9 if dtype == "float64" else 1e-5
    close(theirs.loss_curve_, ours.loss_curve_, rtol if exact else 1e-3)
    assert factor < 3000 or ours.loss_curve_[1] > 3


@pytest.mark.parametrize("name", CLASSES)
def test_losses_near_zero(name):
    X, y = DATA[name]
    theirs, ours = pair(name, max_iter=300, learning_rate_init=0.1, alpha=0, tol=0)
    assert_same(theirs.fit(X, y), ours.fit(X, y), rtol=1e-6)
    assert min(ours.loss_curve_) < 3e-3


# --- one fit after another ------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, SGD, SGD | {"learning_rate": "adaptive"}])
@pytest.mark.parametrize("name", DATA)
class TestAgain:
    def test_warm_start(self, name, settings):
        X, y = DATA[name]
        theirs, ours = pair(name, warm_start=True, **settings | {"max_iter": 7})
        for _ in range(3):
            assert_same(theirs.fit(X, y), ours.fit(X, y))

    def test_fit_without_warm_start(self, name, settings):
        X, y = DATA[name]
        theirs, ours = pair(name, **settings | {"max_iter": 7})
        for _ in range(2):
            assert_same(theirs.fit(X, y), ours.fit(X, y))

    @pytest.mark.parametrize("stored", [False, True])
    def test_partial_fit(self, name, settings, stored):
        X, y = DATA[name]
        more = {}
        if name in CLASSES:
            more = {"classes": np.unique(y) if y.ndim == 1 else np.arange(3)}
        theirs, ours = pair(name, **settings)
        for i in range(6):
            w = weights(len(y), i) if i % 2 else None
            part = slice(None) if i < 4 else slice(60)
            w = None if w is None else w[part]
            for each in (theirs, ours):
                each.partial_fit(X[part], y[part], w, **more)
            if stored:
                theirs, ours = pickle.loads(pickle.dumps((theirs, ours)))
            same_predictions(theirs, ours, X)
        assert_same(theirs, ours)

    def test_partial_fit_after_fit(self, name, settings):
        X, y = DATA[name]
        theirs, ours = pair(name, **settings | {"max_iter": 5})
        for each in (theirs, ours):
            each.fit(X, y)
            each.partial_fit(X, y)
            each.set_params(alpha=1.0, learning_rate_init=0.5, batch_size=11)
            each.partial_fit(X, y)
        assert_same(theirs, ours)

    def test_another_activation(self, name, settings):
        """It counts from the next prediction or step on."""
        X, y = DATA[name]
        theirs, ours = pair(name, **settings | {"max_iter": 5})
        for each in (theirs, ours):
            each.fit(X, y)
            each.set_params(activation="tanh")
        same_predictions(theirs, ours, X)
        assert_same(theirs.partial_fit(X, y), ours.partial_fit(X, y))

    def test_scikit_learn_goes_on(self, name, settings):
        """A plain estimator with the attributes of a drop-in trains on as it would."""
        X, y = DATA[name]
        theirs, ours = pair(name, **settings | {"max_iter": 5, "random_state": 1})
        theirs.fit(X, y)
        plain = type(theirs)(**ours.get_params())
        vars(plain).update(pickle.loads(pickle.dumps(ours.fit(X, y).__getstate__())))
        for each in (theirs, plain):
            each.partial_fit(X, y)
        assert_same(theirs, plain)


# --- sparse data ----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csr_matrix", "csc_matrix", "csr_array", "csc_array"])
@pytest.mark.parametrize(
    "settings", [{}, SGD, {"early_stopping": True}, {"solver": "lbfgs"}], ids=str
)
@pytest.mark.parametrize("name", ["ten", "labels", "several"])
def test_sparse(form, name, settings):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = DATA[name]
    X_sparse = getattr(sparse, form)(np.where(np.abs(X) > 0.3, X, 0))
    w = weights(len(y))
    theirs, ours = pair(name, batch_size=40, **settings | {"max_iter": 8})
    theirs.fit(X_sparse, y, w)
    ours.fit(X_sparse, y, w)
    assert_same(theirs, ours, 1e-6 if settings == {"solver": "lbfgs"} else 1e-9)
    a = ours.predict(X_sparse)
    assert np.array_equal(a, ours.predict(X_sparse.toarray()))


def test_sparse_data_is_never_dense_as_a_whole(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    X = sparse.random_array((3000, 40), density=0.05, format="csr", rng=0)
    y = np.arange(3000) % 3
    shapes = []
    dense = sparse.csr_array.toarray

    def noted(self, *arguments, **settings):
        shapes.append(self.shape[0] if self.shape[1] == 40 else 0)
        return dense(self, *arguments, **settings)

    monkeypatch.setattr(sparse.csr_array, "toarray", noted)
    for solver in ("adam", "lbfgs"):
        net = drop_ins.MLPClassifier((4,), solver=solver, max_iter=2)
        net.fit(X, y).predict(X)
    assert max(shapes) <= 256


# --- what is printed, and what goes wrong ---------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"tol": 10.0, "n_iter_no_change": 1},
        {"early_stopping": True, "tol": 10.0, "n_iter_no_change": 1},
        SGD | {"learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
    ],
    ids=str,
)
def test_verbose(settings):
    X, y = DATA["ten"]
    shown = []
    for each in pair("ten", verbose=True, **settings):
        with redirect_stdout(io.StringIO()) as text:
            each.fit(X, y)
        shown.append(text.getvalue())
    assert shown[0] == shown[1] != ""


@pytest.mark.filterwarnings("ignore:.*encountered in", "ignore:.*overflow")
class TestNotFinite:
    X = X_DIABETES * 1e150

    def test_weights(self):
        for each in pair("one", solver="sgd", learning_rate_init=1e10):
            with pytest.raises(ValueError, match="non-finite parameter weights"):
                each.fit(self.X, Y_DIABETES)

    def test_best_weights_come_back(self):
        settings = SGD | {"learning_rate_init": 1.0, "early_stopping": True}
        theirs, ours = pair("one", activation="identity", **settings)
        for each in (theirs, ours):
            each.fit(X_DIABETES * 30, Y_DIABETES * 100)
        assert np.isnan(ours.validation_scores_[-1])
        assert np.isnan(ours.loss_)
        close(theirs.coefs_[0], ours.coefs_[0], 1e-9)
        assert theirs.n_iter_ == ours.n_iter_


def test_weights_of_a_mini_batch_that_sum_to_zero():
    X, y = DATA["ten"]
    w = np.r_[np.zeros(50), np.ones(100)]
    for each in pair("ten", batch_size=50, shuffle=False):
        with pytest.raises(ZeroDivisionError, match="sum to zero"):
            each.fit(X, y, w)


def test_interrupted(monkeypatch):
    """Ctrl-C ends training with a warning; the epochs so far count."""
    X, y = DATA["ten"]
    net = drop_ins.MLPClassifier((5,), early_stopping=True, max_iter=20)

    def interrupt(*_, **__):
        if net.n_iter_ == 3:
            raise KeyboardInterrupt
        return 0.5

    monkeypatch.setattr(net, "_score", interrupt, raising=False)
    with pytest.warns(UserWarning, match="interrupted by user"):
        net.fit(X, y)
    assert net.n_iter_ == 3
    assert net.predict(X).shape == y.shape


@pytest.mark.filterwarnings("ignore:y_pred contains")
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("before, after", [(1, 2), (2, 1), (3, 2), (2, 3)])
def test_another_number_of_targets(solver, before, after):
    """Trained as by scikit-learn, or refused with its kind of error.

    With "lbfgs" scikit-learn gives SciPy a gradient of another size than the weights,
    and the process aborts: the drop-in alone is tried.
    """
    y = SEVERAL[:, :after] if after > 1 else SEVERAL[:, 0]
    found = []
    estimators = pair("several", solver=solver, warm_start=True, max_iter=3)
    for each in estimators[solver == "lbfgs" :]:
        first = SEVERAL[:, :before] if before > 1 else SEVERAL[:, 0]
        each.fit(X_DIABETES, first)
        try:
            found.append(each.fit(X_DIABETES, y).coefs_[0].copy())
        except ValueError:
            found.append(None)
    assert [coef is None for coef in found] == [after > 1] * len(found)
    if after == 1 and len(found) > 1:
        close(*found, 1e-6)


def test_an_optimizer_of_other_shapes():
    X, y = DATA["one"]
    for each in pair("one"):
        each.fit(X, y)
        each.set_params(hidden_layer_sizes=(3,), solver="lbfgs").fit(X, y)
        with pytest.raises(ValueError):
            each.set_params(solver="adam").partial_fit(X, y)
