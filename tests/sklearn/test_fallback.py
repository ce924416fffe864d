"""What the engine cannot do: scikit-learn trains the drop-in, and a line says so."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")

from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import _base

import bpcore.sklearn as drop_ins

NAMES = ["MLPClassifier", "MLPRegressor"]
NEGATIVE = "some sample weights are negative"


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    weight = rng.uniform(0.1, 1, size=60)
    weight[:10] = -0.1  # the sum of the first mini-batch is below 0
    return X, y, weight


def fitted(module, name, data, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        X, y, weight = data
        net = getattr(module, name)(
            hidden_layer_sizes=(5,), max_iter=6, random_state=0, **settings
        )
        return net.fit(X, y, sample_weight=weight)


def said(caplog):
    """The only logged line."""
    (record,) = caplog.records
    assert record.name == "bpcore.sklearn" and record.levelname == "WARNING"
    return record.getMessage()


def assert_same(own, theirs):
    assert own.n_iter_ == theirs.n_iter_
    assert own.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
    for a, b in zip(
        own.coefs_ + own.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "sgd", "batch_size": 10, "shuffle": False},
        {"solver": "adam", "batch_size": 10},
        {"solver": "adam", "early_stopping": True, "batch_size": 7},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
def test_a_fit_is_that_of_scikit_learn(name, settings, data, caplog):
    own = fitted(drop_ins, name, data, **settings)
    theirs = fitted(neural_network, name, data, **settings)
    assert_same(own, theirs)
    np.testing.assert_allclose(own.predict(data[0]), theirs.predict(data[0]), rtol=1e-9)
    assert said(caplog) == f"{name} is trained by scikit-learn: {NEGATIVE}"


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_between_fits_with_other_weights(solver, data):
    X, y, weight = data
    nets = [
        module.MLPRegressor(
            hidden_layer_sizes=(5,), solver=solver, batch_size=10, random_state=0
        )
        for module in (drop_ins, neural_network)
    ]
    for net in nets:
        for weights in (None, weight, abs(weight), weight, None):
            net.partial_fit(X, y, sample_weight=weights)
    assert_same(*nets)


def test_a_fit_after_one_with_another_architecture(data):
    for solver in ("adam", "lbfgs"):
        nets = [
            fitted(module, "MLPRegressor", data, solver="adam")
            for module in (drop_ins, neural_network)
        ]
        for net in nets:
            net.set_params(hidden_layer_sizes=(3, 2), solver=solver)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                net.fit(*data)
        assert_same(*nets)


def test_by_lbfgs_after_another_solver_and_architecture(data):
    X, y, _ = data
    nets = [
        fitted(module, "MLPRegressor", (X, y, None), solver="sgd")
        for module in (drop_ins, neural_network)
    ]
    for net in nets:
        net.set_params(hidden_layer_sizes=(3, 2), solver="lbfgs")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net.fit(X, y)
    own, theirs = nets
    assert own.loss_ == pytest.approx(theirs.loss_, rel=1e-6)


def test_the_loss_and_gradient_of_lbfgs(data):
    X, y, weight = data
    nets = [
        fitted(module, "MLPRegressor", data, solver="lbfgs")
        for module in (drop_ins, neural_network)
    ]
    packed = np.random.default_rng(1).normal(size=4 * 5 + 5 + 5 + 1)
    y = y.reshape(-1, 1).astype(float)
    found = [
        net._loss_grad_lbfgs(  # noqa: SLF001
            packed, X, y, weight, [X, None, None], *([None, None] for _ in range(3))
        )
        for net in nets
    ]
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-9, atol=1e-12)


def derived(parent, **methods):
    return type("Mine", (parent,), methods)


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("name", ["_backprop", "_compute_loss_grad", "_forward_pass"])
def test_a_subclass_with_gradients_of_its_own(name, solver, data, caplog):
    """Each method of the two subclasses does what its parent's does, and counts."""
    X, y, _ = data
    nets = []
    for module in (drop_ins, neural_network):
        parent, calls = module.MLPRegressor, []

        def counted(self, *arguments, parent=parent, calls=calls):
            calls.append(name)
            return getattr(parent, name)(self, *arguments)

        kind = derived(parent, **{name: counted})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net = kind(hidden_layer_sizes=(5,), solver=solver, max_iter=3)
            nets.append(net.set_params(random_state=0).fit(X, y))
        assert calls
    assert_same(*nets)
    assert (
        said(caplog) == f"Mine is trained by scikit-learn: the class has its own {name}"
    )


def test_a_subclass_with_a_loss_of_its_own_for_lbfgs(data, caplog):
    X, y, _ = data

    def doubled(self, packed, X, *arguments):
        loss, gradient = parent._loss_grad_lbfgs(  # noqa: SLF001
            self, packed, X, *arguments
        )
        return 2 * loss, 2 * gradient

    nets = []
    for module in (drop_ins, neural_network):
        parent = module.MLPRegressor
        kind = derived(parent, _loss_grad_lbfgs=doubled)
        nets.append(fitted_by(kind, X, y))
    assert_same(*nets)
    assert said(caplog).endswith("the class has its own _loss_grad_lbfgs")


def fitted_by(kind, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net = kind(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=5, random_state=0)
        return net.fit(X, y)


def test_a_subclass_with_outputs_of_its_own(data):
    X, y, _ = data

    def halved(self, X, check_input=True):
        a = parent._forward_pass_fast(self, X, check_input)  # noqa: SLF001
        return a / 2

    parent = drop_ins.MLPRegressor
    kind = derived(parent, _forward_pass_fast=halved)
    net, plain = fitted_by(kind, X, y), fitted_by(parent, X, y)
    np.testing.assert_allclose(net.predict(X), plain.predict(X) / 2)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "table, name", [("ACTIVATIONS", "tanh"), ("ACTIVATIONS", "mine"),
                    ("DERIVATIVES", "tanh"), ("LOSS_FUNCTIONS", "squared_error")]
)  # fmt: skip
def test_functions_that_a_user_has_put_into_the_tables(
    table, name, solver, data, caplog, monkeypatch
):
    X, y, weight = data

    def activate(z):
        np.multiply(np.tanh(z), 0.5, out=z)

    def multiply_by_derivative(z, delta):
        delta *= 0.5 - 2 * z**2

    def loss(y_true, y_pred, sample_weight=None):
        return 2 * np.average(((y_true - y_pred) ** 2)[:, 0], weights=sample_weight)

    functions = {"ACTIVATIONS": activate, "DERIVATIVES": multiply_by_derivative}
    monkeypatch.setitem(getattr(_base, table), name, functions.get(table, loss))
    if name == "mine":
        monkeypatch.setitem(_base.DERIVATIVES, name, multiply_by_derivative)
        parent = neural_network.MLPRegressor
        constraints = parent._parameter_constraints  # noqa: SLF001
        monkeypatch.setitem(constraints, "activation", [str])
    activation = name if name != "squared_error" else "relu"
    settings = {"activation": activation, "solver": solver}
    nets = [
        fitted(module, "MLPRegressor", (X, y, abs(weight)), **settings)
        for module in (drop_ins, neural_network)
    ]
    assert_same(*nets)
    assert said(caplog).endswith(f"the table {table} has another function")
    again = pickle.loads(pickle.dumps(nets[0]))
    for net in (nets[0], again):
        np.testing.assert_allclose(net.predict(X), nets[1].predict(X), rtol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["_predict", "_update_no_improvement_count"])
def test_a_subclass_that_watches_the_fit(name, method, data):
    """Such a method sees the weights of every epoch, as in scikit-learn."""
    X, y, _ = data
    seen = []
    for module in (drop_ins, neural_network):
        parent = getattr(module, name)

        def watched(self, *arguments, parent=parent, **more):
            self.norms.append(sum(float(abs(W).sum()) for W in self.coefs_))
            return getattr(parent, method)(self, *arguments, **more)

        kind = derived(parent, norms=[], **{method: watched})
        early_stopping = method == "_predict"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net = kind(hidden_layer_sizes=(5,), max_iter=4, random_state=0)
            net.set_params(early_stopping=early_stopping).fit(X, y).predict(X)
        seen.append(net.norms)
    assert len(seen[0]) == 4 + early_stopping
    np.testing.assert_allclose(*seen, rtol=1e-9)


def test_another_output_activation(data, caplog):
    X, y, _ = data
    nets = [
        module.MLPRegressor(hidden_layer_sizes=(5,), random_state=0)
        for module in (drop_ins, neural_network)
    ]
    for net in nets:
        net.partial_fit(X, y / 2)
        net.out_activation_ = "logistic"
        net.partial_fit(X, y / 2)
    assert_same(*nets)
    np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X))
    assert said(caplog).endswith("loss 'squared_error' with out_activation_ 'logistic'")


BEFORE = """
import numpy as np
from sklearn import neural_network
from sklearn.neural_network import _base

def halved(z):
    np.maximum(z / 2, 0, out=z)

_base.ACTIVATIONS["relu"] = halved
_base.LOSS_FUNCTIONS["mine"] = halved
import bpcore.sklearn
X = np.random.default_rng(0).normal(size=(40, 3))
nets = [
    module.MLPRegressor(max_iter=3, random_state=0).fit(X, X[:, 0])
    for module in (bpcore.sklearn, neural_network)
]
print(np.abs(nets[0].predict(X) - nets[1].predict(X)).max() < 1e-9)
"""


def test_tables_that_were_changed_before_the_import():
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BEFORE],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout == "True\n" and "trained by scikit-learn" in found.stderr


def test_a_loss_of_another_name_is_no_obstacle(data, caplog, monkeypatch):
    monkeypatch.setitem(_base.LOSS_FUNCTIONS, "mine", None)
    X, y, _ = data
    fitted(drop_ins, "MLPRegressor", (X, y, None))
    assert not caplog.records
