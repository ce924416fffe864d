"""Classifier and Regressor: what they promise beyond scikit-learn's own networks."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn.base")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import bpcore as bp
from bpcore.sklearn import Classifier, Regressor

IRIS = load_iris(return_X_y=True)
X, Y = StandardScaler().fit_transform(IRIS[0]), IRIS[1]
NUMBERS = X[:, :3], X[:, 3]
BOTH = [(Classifier, (X, Y)), (Regressor, NUMBERS)]


def same(a, b):
    """Whether two estimators have the same bits."""
    states = [e.network_.learner.state.arrays() for e in (a, b)]
    return states[0].keys() == states[1].keys() and all(
        np.array_equal(states[0][name], states[1][name]) for name in states[0]
    )


# --- the network ----------------------------------------------------------------------


def test_the_classifier_is_a_network():
    model = Classifier(
        hidden_layer_sizes=(8, 4),
        activation=["tanh", "relu"],
        dropout=0.1,
        norm=["layer", None],
        random_state=3,
        epochs=3,
    )
    model.fit(X, Y)
    net = bp.Network(
        [4, 8, 4, 3],
        activation=["tanh", "relu"],
        dropout=0.1,
        norm=["layer", None],
        loss="cross_entropy",
        optimizer=bp.Adam(),
        rng=3,
    )
    history = net.fit(X, Y, epochs=3, progress=False)
    assert np.array_equal(model.network_.parameters, net.parameters)
    assert model.loss_curve_ == history.loss.tolist() and model.n_iter_ == 3
    assert model.loss_ == history.loss[-1]
    assert np.array_equal(model.predict_proba(X), net.predict(X))


def test_the_regressor_is_a_network():
    model = Regressor(
        random_state=3,
        loss=bp.Huber(0.5),
        optimizer=bp.SGD(0.05),
        dtype="float64",
        batch_size=16,
    ).fit(*NUMBERS)
    net = bp.Network(
        [3, 100, 1], loss=bp.Huber(0.5), optimizer=bp.SGD(0.05), dtype="float64", rng=3
    )
    net.fit(*NUMBERS, epochs=100, batch_size=16, progress=False)
    assert np.array_equal(model.network_.parameters, net.parameters)
    assert np.array_equal(model.predict(NUMBERS[0]), net.predict(NUMBERS[0])[:, 0])


def test_settings_by_name():
    model = Regressor(
        optimizer="sgd", lr=0.01, schedule="cosine", random_state=0, epochs=4
    ).fit(*NUMBERS)
    assert model.network_.optimizer == bp.SGD(bp.schedules.CosineRestarts(0.01, 4))
    model = Regressor(optimizer="rmsprop", random_state=0, epochs=1).fit(*NUMBERS)
    assert model.network_.optimizer == bp.RMSprop()
    schedule = bp.schedules.Exponential(0.01, 0.9)
    model = Regressor(optimizer="sgd", schedule=schedule, random_state=0, epochs=1).fit(
        *NUMBERS
    )
    assert model.network_.optimizer == bp.SGD(schedule)


@pytest.mark.parametrize("settings, message", [
    ({"optimizer": "adamm"}, "optimizer must be one of.*did you mean 'adam'"),
    ({"optimizer": bp.Adam}, "optimizer must be settings"),
    ({"schedule": "cosin"}, "schedule must be one of.*did you mean 'cosine'"),
    ({"lr": 0.1, "schedule": bp.schedules.Constant(0.1)}, "lr must be None"),
    ({"lr": bp.schedules.Constant(0.1), "schedule": "cosine"}, "lr must be a number"),
    ({"optimizer": "lbfgs", "lr": 0.1}, "which has no learning rate"),
    ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes must be a whole number"),
    ({"activation": "logistic"}, "activation must be one of.*did you mean 'sigmoid'"),
    ({"init": ["zeros"]}, "init must be one name or one for each of the 2 layers"),
    ({"bias_init": "ones"}, "bias_init must be one of zeros, normal"),
    ({"parametrization": "mup"}, "parametrization must be one of standard, ntk"),
    ({"dtype": "float16"}, "dtype must be float32 or float64"),
    ({"patience": 0}, "patience must be"),
    ({"validation_fraction": 1.5}, "validation_fraction must be above 0"),
    ({"monitor": "validation_loss"}, "needs validation data"),
])  # fmt: skip
def test_wrong_settings(settings, message):
    model = Classifier(**settings)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, Y)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize("kind, data", BOTH)
def test_the_beginning_is_that_of_the_network(kind, data):
    beginning = {"parametrization": "ntk", "init": ["auto", "zeros"],
                 "bias_init": ["normal", "zeros"]}  # fmt: skip
    model = kind(hidden_layer_sizes=5, lr=0.0, epochs=1, random_state=3, **beginning)
    fitted = clone(model).fit(*data).network_
    net = bp.Network(fitted.sizes, optimizer=bp.Adam(), rng=3, **beginning)
    assert fitted.parameters.tobytes() == net.parameters.tobytes()
    assert fitted.lr_factors == net.lr_factors != ((1.0, 1.0),) * 2


# --- training further -----------------------------------------------------------------


@pytest.mark.parametrize("kind, data", BOTH)
@pytest.mark.parametrize("settings", [
    {},
    {"dropout": 0.2, "input_noise": 0.1, "optimizer": bp.SGD(0.05, momentum=0.9)},
    {"input_scale": 6.0},
    {"schedule": bp.schedules.Exponential(0.01, 0.8), "batch_size": 7},
    {"validation_fraction": 0.2, "norm": "batch", "patience": 100},
    {"schedule": "plateau", "dtype": "float64", "validation_fraction": 0.3},
], ids=str)  # fmt: skip
def test_ten_fits_of_one_epoch_are_one_fit_of_ten(kind, data, settings):
    whole = kind(random_state=0, epochs=10, **settings).fit(*data)
    by_one = kind(random_state=0, epochs=1, warm_start=True, **settings)
    parts = kind(random_state=0, **settings)
    more = {"classes": np.unique(data[1])} if kind is Classifier else {}
    for _ in range(10):
        by_one.fit(*data)
        parts.partial_fit(*data, **more)
    for other in (by_one, parts):
        assert same(whole, other)
        assert other.loss_curve_ == whole.loss_curve_
        assert other.validation_loss_curve_ == whole.validation_loss_curve_
        assert other.n_iter_ == 10


def test_patience_goes_on_from_fit_to_fit():
    settings = {"random_state": 0, "patience": 3, "min_delta": 0.05, "warm_start": True}
    whole = Classifier(epochs=100, **settings).fit(X, Y)
    assert whole.stopped_ == "patience" and whole.n_iter_ < 100
    by_one = Classifier(epochs=1, **settings)
    while by_one.fit(X, Y).stopped_ != "patience":
        assert by_one.n_iter_ < 100
    assert same(whole, by_one)
    assert by_one.fit(X, Y).n_iter_ == whole.n_iter_ + 1  # it counts anew
    assert by_one.stopped_ == "epochs"


@pytest.mark.parametrize("restore_best", [False, True])
def test_early_stopping_over_calls_of_partial_fit(restore_best):
    settings = {"lr": 0.03, "patience": 4, "restore_best": restore_best}
    model = Classifier(random_state=0, hidden_layer_sizes=(200,), **settings)
    rng = np.random.default_rng(0)
    noise = {"X_val": rng.normal(size=X.shape), "y_val": rng.integers(0, 3, len(X))}
    nets = []
    for _ in range(50):
        model.partial_fit(X, Y, classes=[0, 1, 2], **noise)
        nets.append(copy.copy(model.network_))
        if model.stopped_ == "patience":
            break
    curve = model.validation_loss_curve_
    best = int(np.argmin(curve))
    assert model.n_iter_ == len(curve) == best + 5
    if restore_best:
        found = model.network_.evaluate(noise["X_val"], noise["y_val"])
        assert found == curve[best]
    before = pickle.dumps(model.network_)
    model.partial_fit(X, Y, **noise)
    assert pickle.dumps(model.network_) == before and model.n_iter_ == len(curve)
    n = model.n_iter_
    model.set_params(patience=6).partial_fit(X, Y, **noise)
    assert model.stopped_ == "epochs" and model.n_iter_ == n + 1
    model.partial_fit(X, Y, **noise)
    assert model.stopped_ == "patience" and model.n_iter_ == n + 2
    assert not restore_best or pickle.dumps(model.network_) == before


def test_restore_best():
    rng = np.random.default_rng(0)
    X_val = X + rng.normal(size=X.shape)
    model = Classifier(random_state=0, lr=0.03, epochs=20, restore_best=True)
    model.fit(X, Y, X_val=X_val, y_val=Y)
    best = min(model.validation_loss_curve_)
    assert model.history_.restored == 1 + np.argmin(model.validation_loss_curve_)
    assert model.history_.restored < model.n_iter_ == 20
    assert model.network_.evaluate(X_val, Y) == best


def test_training_further_needs_the_same_network():
    model = Classifier(warm_start=True, epochs=1).fit(X, Y)
    before = pickle.dumps(model.network_)
    with pytest.raises(ValueError, match="warm_start=False"):
        model.set_params(hidden_layer_sizes=(3,)).fit(X, Y)
    with pytest.raises(ValueError, match="classes not in classes_"):
        model.set_params(hidden_layer_sizes=(100,)).fit(X, Y + 1)
    assert pickle.dumps(model.network_) == before
    with pytest.raises(ValueError, match="patience must be"):
        model.set_params(optimizer="sgd", patience=0).fit(X, Y)
    assert pickle.dumps(model.network_) == before
    model.set_params(patience=None).fit(X, Y)
    assert model.network_.optimizer == bp.SGD()


def test_a_failed_call_changes_nothing():
    for model in (Classifier(epochs=2), Classifier(epochs=2).fit(X, Y)):
        before = pickle.dumps(vars(model))
        for data in [(X[:, :2] * np.nan, Y), (X, np.full(len(X), 0.5)), (X[:5], Y)]:
            with pytest.raises(ValueError):
                model.fit(*data)
        with pytest.raises(ValueError):
            model.fit(X, Y, X_val=X)
        with pytest.raises(ValueError):
            model.fit(X, Y, X_val=X[:, :2], y_val=Y)
        assert pickle.dumps(vars(model)) == before


# --- validation and weights -----------------------------------------------------------


def test_own_validation_data_and_their_weights():
    weight, of_val = np.linspace(0, 2, 100), np.linspace(1, 3, 50)
    mixed = np.random.default_rng(0).permutation(150)
    A, B = mixed[:100], mixed[100:]
    model = Classifier(
        random_state=0, epochs=3, metrics="accuracy", class_weight={0: 2.0, 2: 0.5}
    )
    model.fit(X[A], Y[A], weight, X_val=X[B], y_val=Y[B], sample_weight_val=of_val)
    factors = np.array([2.0, 1.0, 0.5])
    loss = model.network_.evaluate(
        X[B], Y[B], of_val * factors[Y[B]], metrics="accuracy"
    )
    assert model.validation_loss_curve_[-1] == loss["loss"]
    assert model.history_["accuracy"][-1] == loss["accuracy"]
    assert len(model.validation_loss_curve_) == 3


@pytest.mark.parametrize("loss", [None, "squared_error", "hinge", "cross_entropy"])
def test_class_weights_are_sample_weights(loss):
    output = "sigmoid" if loss == "squared_error" else None
    settings = {"loss": loss, "output": output, "random_state": 0, "epochs": 2}
    names = np.array(["a", "b", "c"])[Y]
    for given in ({"a": 3.0, "c": 0.5}, [3.0, 1.0, 0.5]):
        one = Classifier(class_weight=given, **settings).fit(X, names)
        two = Classifier(**settings).fit(X, names, np.array([3.0, 1.0, 0.5])[Y])
        assert same(one, two)
    some = np.r_[0:50, 50:60]
    one = Classifier(class_weight="balanced", **settings).fit(X[some], names[some])
    two = Classifier(class_weight={"a": 0.6, "b": 3.0}, **settings)
    assert same(one, two.fit(X[some], names[some]))


def test_wrong_class_weights():
    for given, message in [
        ({7: 1.0}, "class_weight"),
        ("balance", "class_weight, if a str, must be one of balanced"),
        ([1.0, 2.0], "a weight for each of 3 classes; got 2"),
        ({1: -1.0}, "class_weight must not be negative"),
    ]:
        with pytest.raises(ValueError, match=message):
            Classifier(class_weight=given).fit(X, Y)
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(150,\)"):
        Classifier(class_weight={1: 2.0}).fit(X, Y, np.ones((150, 1)))
    with pytest.raises(ValueError, match="all data"):
        Classifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


# --- targets --------------------------------------------------------------------------


@pytest.mark.parametrize("loss, output", [
    (None, None), ("cross_entropy", None), ("binary_cross_entropy", None),
    ("hinge", None), ("squared_error", "sigmoid"), ("squared_error", "tanh"),
    ("squared_error", "softmax"), ("kl_divergence", None), (None, "softmax"),
    (bp.CrossEntropy(label_smoothing=0.1), None),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("n_classes", [2, 3])
def test_losses_of_classes(loss, output, n_classes):
    names = np.array(["u", "v", "w"])
    rows = n_classes > Y
    model = Classifier(loss=loss, output=output, epochs=40, lr=0.01, random_state=0)
    model.fit(X[rows], names[Y[rows]], X_val=X[rows], y_val=names[Y[rows]])
    assert model.classes_.tolist() == names[:n_classes].tolist()
    assert model.score(X[rows], names[Y[rows]]) > 0.9
    if hasattr(model, "predict_proba"):
        p = model.predict_proba(X)
        assert p.shape == (150, n_classes) and np.allclose(p.sum(1), 1, atol=1e-6)
        assert (names[p.argmax(1)] == model.predict(X)).all()
        with np.errstate(divide="ignore"):
            assert np.array_equal(np.log(p), model.predict_log_proba(X))
    assert hasattr(model, "predict_proba") != hasattr(model, "decision_function")
    if hasattr(model, "decision_function"):
        d = model.decision_function(X)
        at = (d > 0).astype(int) if d.ndim == 1 else d.argmax(1)
        assert (names[at] == model.predict(X)).all()


@pytest.mark.parametrize("loss", [None, "hinge"])
def test_several_labels_per_sample(loss):
    labels = np.c_[Y == 0, Y > 0, X[:, 0] > 0].astype(int)
    model = Classifier(
        loss=loss,
        epochs=60,
        lr=0.01,
        random_state=0,
        metrics="f1",
        class_weight="balanced",
    )
    model.fit(X, labels, X_val=X, y_val=labels)
    assert model.score(X, labels) > 0.8 and model.predict(X).shape == labels.shape
    assert model.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="softmax chooses one class"):
        Classifier(output="softmax").fit(X, labels)
    with pytest.raises(ValueError, match="y must have shape"):
        Classifier(warm_start=True).fit(X, labels).fit(X, labels[:, :2])


def test_targets_that_are_no_classes():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        Classifier().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="several columns of classes"):
        Classifier().fit(X, np.c_[Y, Y])
    with pytest.raises(ValueError, match="at least 2 classes; got 1 class"):
        Classifier().fit(X, np.ones(150))
    with pytest.warns(UserWarning, match="column-vector"):
        model = Classifier(epochs=1, random_state=0).fit(X, Y[:, None])
    assert same(model, Classifier(epochs=1, random_state=0).fit(X, Y))


def test_partial_fit_of_classes():
    model = Classifier(random_state=0)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, Y)
    model.partial_fit(X[:50], Y[:50], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes not in classes_.*got \[3\]"):
        model.partial_fit(X, Y + 1)
    assert not hasattr(Classifier(optimizer="lbfgs"), "partial_fit")
    assert model.n_iter_ == 1


def test_several_numbers():
    y = np.c_[X[:, 3], -X[:, 3]]
    model = Regressor(epochs=60, random_state=0).fit(X[:, :3], y)
    assert model.predict(X[:5, :3]).shape == (5, 2) and model.score(X[:, :3], y) > 0.9
    with pytest.raises(ValueError, match="2 numbers for each sample; got 1"):
        model.set_params(warm_start=True).fit(*NUMBERS)


def test_quantiles():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (2000, 1))
    y = x[:, 0] + rng.normal(size=2000)
    q = [0.1, 0.5, 0.9]
    model = Regressor(quantiles=q, epochs=15, lr=0.01, random_state=0).fit(x, y)
    found = model.predict(x)
    assert found.shape == (2000, 3)
    assert np.abs((y[:, None] < found).mean(0) - q).max() < 0.05
    assert 0 < model.score(x, y) < 1
    one = Regressor(quantiles=0.9, epochs=15, lr=0.01, random_state=0).fit(x, y)
    assert one.network_.loss == bp.Quantile(0.9)
    assert abs((y < one.predict(x)).mean() - 0.9) < 0.05
    assert same(model, pickle.loads(pickle.dumps(model)))
    with pytest.raises(ValueError, match="one number for each sample"):
        Regressor(quantiles=q).fit(x, np.c_[y, y])
    with pytest.raises(ValueError, match="loss must be 'quantile'"):
        Regressor(quantiles=q, loss="huber").fit(x, y)
    with pytest.raises(ValueError, match=r"quantiles\[1\] must be .* below 1"):
        Regressor(quantiles=[0.1, 1.0]).fit(x, y)


def test_several_quantiles_are_the_kernels_where_they_are_equal():
    joint = Regressor(quantiles=[0.3, 0.3], random_state=0, dtype="float64", epochs=5)
    joint.fit(*NUMBERS)
    net = bp.Network(
        [3, 100, 2], loss=bp.Quantile(0.3), optimizer=bp.Adam(), dtype="float64", rng=0
    )
    net.fit(NUMBERS[0], np.c_[NUMBERS[1], NUMBERS[1]], epochs=5, progress=False)
    np.testing.assert_allclose(joint.predict(NUMBERS[0]), net.predict(NUMBERS[0]))


# --- derivatives ----------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {}, {"norm": "batch"}, {"norm": "layer", "dropout": 0.3, "input_noise": 0.2},
    {"dropout": 0.5, "hidden_layer_sizes": (8, 8)}, {"hidden_layer_sizes": ()},
    {"input_scale": 6.0},
], ids=str)  # fmt: skip
def test_gradient_is_that_of_the_prediction(settings):
    settings = {"activation": "tanh", "dtype": "float64", "epochs": 3, **settings}
    for y in (Y, X[:, :2], X[:, 3]):
        kind = Classifier if y is Y else Regressor
        model = kind(random_state=0, **settings).fit(X, y)
        found = model.gradient(X[:7])
        assert np.array_equal(found[3:4], model.gradient(X[3:4]))
        assert found.shape == ((7, 4) if y.ndim == 1 and y is not Y else
                               (7, model.n_outputs_, 4))  # fmt: skip
        f = model.network_.predict
        h = 1e-6
        for i in range(4):
            step = np.eye(4)[i] * h
            difference = (f(X[:7] + step) - f(X[:7] - step)) / (2 * h)
            np.testing.assert_allclose(
                found[..., i].reshape(7, -1), difference, atol=1e-7
            )


def test_gradient_of_many_rows():
    model = Regressor(epochs=1, random_state=0).fit(*NUMBERS)
    rows = np.random.default_rng(0).normal(size=(2500, 3)).astype(np.float32)
    found = model.gradient(rows)
    assert np.array_equal(found[2400:], model.gradient(rows[2400:]))


# --- the usual ------------------------------------------------------------------------


@pytest.mark.parametrize("kind, data", BOTH)
def test_not_fitted(kind, data):
    model = kind()
    methods = ["predict", "gradient"]
    methods += ["predict_proba", "predict_log_proba"] if kind is Classifier else []
    for method in methods:
        with pytest.raises(NotFittedError):
            getattr(model, method)(data[0])
    with pytest.raises(NotFittedError):
        model.to_sklearn()


@pytest.mark.parametrize("kind, data", BOTH)
def test_copies(kind, data, tmp_path):
    joblib = pytest.importorskip("joblib")
    model = kind(epochs=2, random_state=0, warm_start=True).fit(*data)
    joblib.dump(model, tmp_path / "model")
    others = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model),
              joblib.load(tmp_path / "model"),
              joblib.load(tmp_path / "model", mmap_mode="r")]  # fmt: skip
    expected = model.predict(data[0])
    model.fit(*data)
    for other in others:
        assert np.array_equal(other.predict(data[0]), expected)
        assert same(other.fit(*data), model)
    assert not hasattr(clone(model), "network_")


@pytest.mark.parametrize("kind", [Classifier, Regressor])
def test_parameters(kind):
    model = kind()
    shown = kind.__init__.__signature__.parameters
    assert set(model.get_params()) == set(shown) - {"self"}
    documented = kind.__doc__
    assert "{" not in documented.split("Examples")[0].replace("{label", "")
    for name in model.get_params():
        assert name in documented
    options = bp.training.options.defaults()
    for name in set(options) & set(shown):
        assert shown[name].default == (100 if name == "epochs" else options[name])
    for name, near in (
        ("epoch", "'epochs'"),
        ("max_iter", "'epochs'"),
        ("alpha", "the weight_decay"),
        ("drop_out", "'dropout'"),
    ):
        message = f"{kind.__name__} has no parameter '{name}'; did you mean {near}"
        with pytest.raises(TypeError, match=message):
            kind(**{name: 3})
    with pytest.raises(
        TypeError, match=f"{kind.__name__} takes its parameters by name"
    ):
        kind((10,))


def test_random_states():
    a, b = (
        Classifier(random_state=np.random.RandomState(0), epochs=1).fit(X, Y)
        for _ in range(2)
    )
    assert same(a, b)
    np.random.seed(0)  # noqa: NPY002 (scikit-learn's default source)
    a = Classifier(epochs=1).fit(X, Y)
    assert not same(a, Classifier(epochs=1).fit(X, Y))
    np.random.seed(0)  # noqa: NPY002
    assert same(a, Classifier(epochs=1).fit(X, Y))


def test_callbacks_and_metrics():
    seen = []
    model = Classifier(
        epochs=5, metrics=["accuracy", "auc"], monitor="accuracy",
        callbacks=[lambda net, history: len(history) == 3],
        batch_callbacks=[lambda *batch: seen.append(batch[1:3])],
    ).fit(X, Y)  # fmt: skip
    assert model.stopped_ == "callback" and model.n_iter_ == 3
    assert len(seen) == 15 and model.history_["accuracy"].shape == (3,)


def test_real_data():
    A, B, a, b = train_test_split(*load_digits(return_X_y=True), random_state=0)
    assert Classifier(random_state=0).fit(A, a).score(B, b) > 0.9
    A, b = load_diabetes(return_X_y=True)
    model = Regressor(optimizer="lbfgs", dtype="float64", random_state=0, epochs=20)
    assert model.fit(StandardScaler().fit_transform(A), b / 100).score(
        StandardScaler().fit_transform(A), b / 100
    ) > 0.4  # fmt: skip
