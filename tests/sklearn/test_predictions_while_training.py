"""Predictions of an estimator that another thread uses: whole, or InUseError."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from bpcore.errors import InUseError
from bpcore.model.state import State
from bpcore.network import learner_of
from bpcore.sklearn import Classifier, MLPClassifier, MLPRegressor, Regressor
from bpcore.sklearn.drop_in import trained as module
from bpcore.sklearn.drop_in.trained import Trained, as_trained, trained

X = np.linspace(-1, 1, 60).reshape(20, 3)
LABELS = np.where(X[:, 0] > 0, "b", "a")
SMALL = {"hidden_layer_sizes": (5,), "epochs": 2, "random_state": 0}
MODELS = {
    "classifier": (Classifier(**SMALL), LABELS),
    "hinge": (Classifier(**SMALL, loss="hinge"), LABELS),
    "regressor": (Regressor(**SMALL), X[:, 1]),
}
CALLS = [
    ("classifier", "predict"),
    ("classifier", "predict_proba"),
    ("classifier", "predict_log_proba"),
    ("classifier", "score"),
    ("classifier", "gradient"),
    ("hinge", "decision_function"),
    ("regressor", "predict"),
    ("regressor", "score"),
    ("regressor", "gradient"),
]


def fitted(model):
    estimator, y = MODELS[model]
    return estimator.fit(X, y)


def called(model, name, rows):
    y = MODELS[model][1]
    return getattr(fitted(model), name)(*((rows, y) if name == "score" else (rows,)))


@pytest.mark.parametrize("rows", [X, X.tolist()], ids=["array", "list"])
@pytest.mark.parametrize(("model", "name"), CALLS)
def test_while_another_thread_changes_the_network(model, name, rows):
    estimator = fitted(model)
    y = (MODELS[model][1],) if name == "score" else ()
    want = getattr(estimator, name)(rows, *y)
    engine = learner_of(estimator.network_).engine
    with ThreadPoolExecutor(1) as pool:
        with engine:  # as a step does
            found = pool.submit(getattr(estimator, name), rows, *y)
            assert isinstance(found.exception(), InUseError)
        with engine.reading():  # as a prediction or a copy does
            found = pool.submit(getattr(estimator, name), rows, *y).result()
    assert np.array_equal(found, want)


@pytest.mark.parametrize("call", ["predict", "predict_proba"])
def test_a_fit_with_other_classes_within_a_prediction(call, monkeypatch):
    """Outputs of the network before have the meaning that they had before."""
    model = Classifier(**SMALL).fit(X, LABELS)
    want, before = getattr(model, call)(X), type(model.network_).predict

    def predict(network, rows):
        monkeypatch.undo()
        found = before(network, rows)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(model.fit, X, np.arange(20) % 3).result()
        return found

    monkeypatch.setattr(type(model.network_), "predict", predict)
    assert np.array_equal(getattr(model, call)(X), want)
    assert [*model.classes_] == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("rows", [X, X.astype("float32")], ids=["float64", "float32"])
def test_predictions_of_the_drop_ins_wait(kind, rows):
    y = LABELS if kind is MLPClassifier else X[:, 1]
    model = kind(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
    own, reverse = trained(model), [W.copy() for W in model.coefs_]
    for W in model.coefs_:
        W *= -1
    want = model.predict(rows)
    for W, was in zip(model.coefs_, reverse, strict=True):
        W[...] = was

    def half():  # a step in slow motion
        model.coefs_[0][...] *= -1
        found = pool.submit(model.predict, rows)
        time.sleep(0.05)
        model.coefs_[1][...] *= -1
        return found

    with ThreadPoolExecutor(1) as pool:
        with own.learner.engine:
            found = half()
        assert np.array_equal(found.result(), want)


def drop_in():
    model = MLPRegressor(hidden_layer_sizes=(5,), random_state=0)
    return model.partial_fit(X, X[:, 1])


@pytest.mark.parametrize("rows", [X, X.astype("float32")], ids=["float64", "float32"])
def test_a_prediction_by_a_copy_in_which_steps_fall_ends(rows, monkeypatch):
    model, copies, before = drop_in(), [], State.copy
    engine, want = trained(model).learner.engine, model.predict(rows)

    def step():
        with suppress(InUseError), engine:
            pass

    def copied(state, *arguments):
        copies.append(before(state, *arguments))
        assert len(copies) < 5, "a step falls into every copy"
        pool.submit(step).result()
        return copies[-1]

    monkeypatch.setattr(State, "copy", copied)
    monkeypatch.setattr(Trained, "outputs_at_once", lambda own, X: None)
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(1) as other:
        with engine.reading():  # as another prediction does
            found = other.submit(model.predict, rows)
            while not copies:
                time.sleep(0.001)
        assert np.array_equal(found.result(), want)


def test_steps_without_a_pause_let_a_prediction_come_first():
    own, steps = trained(model := drop_in()), 200

    def step():
        with own.learner.engine:
            time.sleep(0.001)

    with ThreadPoolExecutor(1) as pool:
        with own.learner.engine:
            found = pool.submit(model.predict, X)
            time.sleep(0.01)
        while steps and not found.done():
            own.train(step)
            steps -= 1
        assert steps


def test_a_thread_that_ended_while_it_waited_stops_no_step():
    """As in a child process, after a fork."""
    own = trained(drop_in())
    waiting = vars(own)["_waiting"]
    waiting.add(-1)
    assert own.train(lambda: 1) == 1 and not waiting


def test_a_learner_that_another_thread_replaces_is_found(monkeypatch):
    model = drop_in()
    first, belongs_to = trained(model), Trained.belongs_to

    def replaced_first(own, estimator):
        if own is first:
            with ThreadPoolExecutor(1) as pool:
                new = pool.submit(Trained, estimator).result()
            new.give_to(estimator)
        return belongs_to(own, estimator)

    monkeypatch.setattr(Trained, "belongs_to", replaced_first)
    found = as_trained(model)
    assert found is getattr(model, module.ATTRIBUTE) is not first
