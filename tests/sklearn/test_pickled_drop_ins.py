"""Drop-ins whose pickled attributes do not fit each other are refused."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from bpcore.sklearn import Classifier, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X[:, :2]


@pytest.fixture
def model():
    return MLPRegressor(
        hidden_layer_sizes=(4,), max_iter=2, random_state=0, warm_start=True
    ).fit(X, Y)


def with_optimizer(**changes):
    def altered(state):
        optimizer = copy.deepcopy(state["_optimizer"])
        vars(optimizer).update(changes)
        return {**state, "_optimizer": optimizer}

    return altered


def without(name):
    return lambda state: {key: state[key] for key in state if key != name}


ALTERED = {
    "a width of 0": (
        {"coefs_": [np.ones((3, 0)), np.ones((0, 2))],
         "intercepts_": [np.ones(0), np.ones(2)]}, "widths of at least 1",
    ),
    "no inputs": ({"coefs_": [np.ones((0, 4)), np.ones((4, 2))]}, "widths"),
    "no layers": ({"coefs_": []}, "must have|fitted one"),
    "a vector": ({"coefs_": [np.ones(3), np.ones((4, 2))]}, "widths"),
    "intercepts of one number": (
        {"intercepts_": [np.ones(1), np.ones(1)]}, "must have shapes",
    ),
    "texts": ({"intercepts_": [np.full(4, "x"), np.full(2, "x")]}, "real arrays"),
    "no activation": (without("activation"), "activation"),
    "steps beyond any": (with_optimizer(t=2**62), "t must be a whole number"),
    "negative steps": (with_optimizer(t=-1), "t must be a whole number"),
    "arrays of one number": (with_optimizer(vs=[np.ones(1)] * 4), "vs must have"),
    "no state": (lambda state: None, "must be a dict"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_pickle_is_refused(name, model):
    change, message = ALTERED[name]
    state = model.__getstate__()
    state = change(state) if callable(change) else {**state, **change}
    before = pickle.dumps(model)
    for target in (object.__new__(MLPRegressor), model):
        with pytest.raises((ValueError, TypeError), match=message):
            target.__setstate__(state)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_wrong_number_of_features_reads_no_other_memory(model, dtype):
    """`n_features_in_` says what scikit-learn lets pass."""
    model.n_features_in_ = 2
    rows = X[:, :2].astype(dtype)
    with pytest.raises(ValueError, match=r"shape \(n, 3\)"):
        model.predict(rows)
    with pytest.raises(ValueError, match=r"shape \(n, 3\)"):
        model.partial_fit(rows, Y)
    model.set_params(solver="lbfgs")
    with pytest.raises(ValueError, match=r"shape \(n, 3\)"):
        model.fit(rows, Y)


def test_a_wrong_number_of_features_of_derivatives():
    model = Classifier(hidden_layer_sizes=(4,), epochs=1, random_state=0)
    model.fit(X, (X[:, 0] > 0).astype(int))
    model.n_features_in_ = 2
    with pytest.raises(ValueError, match=r"X must have shape \(n, 3\)"):
        model.gradient(X[:, :2])


def test_a_pickle_of_a_classifier_is_read():
    model = MLPClassifier(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(
        X, X[:, 0] > 0
    )
    same = pickle.loads(pickle.dumps(model))
    assert (same.predict_proba(X) == model.predict_proba(X)).all()
    same.__setstate__(model.__getstate__())
    assert (same.predict_proba(X) == model.predict_proba(X)).all()
