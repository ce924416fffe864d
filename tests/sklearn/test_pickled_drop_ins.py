"""Drop-ins whose pickled attributes do not fit each other are refused."""

import copy
import io
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn")

from bpcore.sklearn import Classifier, MLPClassifier, MLPRegressor
from bpcore.sklearn.drop_in.trained import trained

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X[:, :2]
CLASSES = {"classes": [False, True]}


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


def joblib_copy(model):
    joblib = pytest.importorskip("joblib")
    joblib.dump(model, file := io.BytesIO())
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "joblib": joblib_copy,
    "to_sklearn": lambda model: model.to_sklearn(),
}


def arrays_of(model, of_optimizer):
    lists = [model.coefs_, model.intercepts_]
    lists += [getattr(vars(model)["_optimizer"], name) for name in of_optimizer]
    return [array for arrays in lists for array in arrays]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_beside_a_step_is_whole(name, kind, solver):
    model = kind(hidden_layer_sizes=(4,), random_state=0, solver=solver)
    model.partial_fit(X, X[:, 0] > 0, **({} if kind is MLPRegressor else CLASSES))
    names = ("ms", "vs") if solver == "adam" else ("velocities",)
    learner, arrays = trained(model).learner, arrays_of(model, names)
    want = [array + 1 for array in arrays]
    with ThreadPoolExecutor(1) as pool:
        with learner.engine:  # a step in slow motion
            for array in arrays[::2]:
                array += 1
            found = pool.submit(COPIES[name], model)
            time.sleep(0.05)
            for array in arrays[1::2]:
                array += 1
            learner.state.counters[0] += 1
        other = found.result()
    copied = arrays_of(other, names)
    assert all(map(np.array_equal, copied, want))
    assert not any(map(np.shares_memory, copied, arrays))
    assert getattr(vars(other)["_optimizer"], "t", 2) == 2


def test_a_shallow_copy_leaves_the_optimizer_of_the_model(model):
    before = vars(model)["_optimizer"]
    rows = before.ms
    copy.copy(model)
    assert vars(model)["_optimizer"] is before and before.ms is rows
