"""Estimators in native files: the same predictions, and training that goes on."""

import contextlib

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import bpcore as bp
from bpcore.sklearn import Classifier, Regressor
from helpers import trained
from helpers.files import mutations, parts_of, rewrite

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 3)).astype("float32")
NUMBER = X @ [1.0, 2.0, -1.0]
TEXTS = np.array(["no", "yes", "maybe"])[np.digitize(NUMBER, [-1, 1])]
FEW = {"hidden_layer_sizes": (6,), "epochs": 3, "random_state": 0}

MODELS = {
    "two classes": (Classifier(**FEW), X, NUMBER > 0),
    "texts": (Classifier(patience=2, validation_fraction=0.2, **FEW), X, TEXTS),
    "softmax of two": (Classifier(output="softmax", **FEW), X, 1 * (NUMBER > 0)),
    "hinge": (Classifier(loss="hinge", **FEW), X, TEXTS),
    "labels": (Classifier(**FEW), X, 1 * (X > 0)),
    "numbers": (Regressor(optimizer=bp.SGD(0.01, momentum=0.9), **FEW), X, NUMBER),
    "two numbers": (Regressor(loss=bp.Huber(0.5), **FEW), X, X[:, :2]),
    "quantiles": (Regressor(quantiles=(0.1, 0.9), **FEW), X, NUMBER),
    "names": (
        Regressor(dtype=np.float64, lr=0.01, schedule="cosine", **FEW),
        pd.DataFrame(X, columns=["a", "b", "c"]), NUMBER,
    ),
    "parts": (Classifier(**FEW), X, TEXTS),
}  # fmt: skip


@pytest.mark.parametrize("case", MODELS)
def test_a_loaded_estimator_is_the_same(case, tmp_path):
    model, data, y = MODELS[case]
    if case == "parts":
        model.partial_fit(data, y, classes=np.unique(y))
    else:
        model.fit(data, y)
    path = tmp_path / "model.bpc"
    model.save(path)
    same = bp.load(path)
    assert type(same) is type(model)
    assert same.predict(data).tolist() == model.predict(data).tolist()
    if hasattr(model, "predict_proba"):
        proba = same.predict_proba(data), model.predict_proba(data)
        assert proba[0].tobytes() == proba[1].tobytes()
    for name in ("loss_curve_", "validation_loss_curve_", "n_iter_", "stopped_",
                 "n_features_in_", "n_outputs_", "loss_"):  # fmt: skip
        assert getattr(same, name) == getattr(model, name), name
    assert same.get_params().keys() == model.get_params().keys()
    for each in (same, model):
        if case == "parts":
            each.partial_fit(data, y)
        else:
            each.set_params(warm_start=True).fit(data, y)
    assert trained(same.network_) == trained(model.network_)


def test_names_of_features_stay(tmp_path):
    model, data, y = MODELS["names"]
    model.fit(data, y).save(tmp_path / "model.bpc")
    same = bp.load(tmp_path / "model.bpc")
    assert same.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        same.predict(data.rename(columns={"a": "z"}))


def test_not_fitted(tmp_path):
    with pytest.raises(NotFittedError):
        Classifier().save(tmp_path / "model.bpc")


CONTENTS = {
    "no targets": (("targets",), {}, "targets must be an object"),
    "another number of targets": (("targets", "n_targets"), 3, "must have 3 outputs"),
    "no names": (("names",), ["a"], "names must be a list of 3"),
    "names that are numbers": (("names",), [1, 2, 3], "a name must be"),
    "epochs": (("curves", "n_iter"), 1, "of at most 1 epochs"),
    "parameters": (("parameters", "more"), 1, "parameters must be an object"),
    "a parameter": (
        ("parameters", "loss"), {"settings": {"type": "X"}}, "settings must have a type"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTENTS)
def test_bad_contents(case, tmp_path):
    keys, value, match = CONTENTS[case]
    path = tmp_path / "model.bpc"
    MODELS["numbers"][0].fit(X, NUMBER).save(path)
    content, arrays = parts_of(path)
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    rewrite(path, content, arrays)
    with pytest.raises(bp.ModelFileError, match=match):
        bp.load(path)


def test_mutations(tmp_path):
    path = tmp_path / "model.bpc"
    MODELS["texts"][0].fit(X, TEXTS).save(path)
    for mutated in mutations(path.read_bytes(), 100, seed=1):
        path.write_bytes(mutated)
        with contextlib.suppress(bp.ModelFileError):
            bp.load(path).predict(X)


def test_drop_ins_have_no_such_files(tmp_path):
    path = tmp_path / "model.bpc"
    MODELS["numbers"][0].fit(X, NUMBER).save(path)
    content, arrays = parts_of(path)
    rewrite(path, content | {"kind": "sklearn.MLPClassifier"}, arrays)
    with pytest.raises(bp.ModelFileError, match="kind must be one of"):
        bp.load(path)
