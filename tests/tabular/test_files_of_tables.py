"""Estimators for tables in files: the same predictions, and strict reading."""

import decimal

import numpy as np
import pandas as pd
import polars
import pytest

import bpcore as bp
from bpcore.tabular import Classifier, Regressor
from helpers.files import mutations, parts_of, rewrite

RANDOM = np.random.default_rng(0)
N = 80
FRAME = pd.DataFrame(
    {
        "size": RANDOM.normal(size=N),
        "holes": np.where(RANDOM.random(N) < 0.2, np.nan, RANDOM.normal(size=N)),
        "colour": RANDOM.choice(["red", "blue", "gr\u00fcn"], N),
        "many": RANDOM.choice([f"t{i}" for i in range(30)], N),
        "flag": RANDOM.random(N) > 0.5,
        "code": RANDOM.choice([1, 2, 5], N),
        "constant": 1.0,
    }
)
ARRAY = FRAME[["size", "holes", "code", "constant"]].to_numpy()
NUMBER = FRAME["size"].to_numpy() + (FRAME["colour"] == "red")
SETTINGS = {"quick": True, "random_state": 0, "epochs": 2}

MODELS = {
    # estimator, X, y
    "texts": (Classifier(**SETTINGS), FRAME, np.where(NUMBER > 0, "yes", "no")),
    "objects": (
        Classifier(**SETTINGS), FRAME, np.array(["a", "bc"], object)[FRAME.flag * 1],
    ),
    "bools": (Classifier(**SETTINGS), ARRAY, NUMBER > 0),
    "whole numbers": (Classifier(**SETTINGS), ARRAY, FRAME["code"].to_numpy("int16")),
    "floats": (Classifier(**SETTINGS), ARRAY, FRAME["code"].to_numpy("float64") / 1),
    "polars": (Classifier(**SETTINGS), polars.DataFrame(FRAME.to_dict("list")),
               NUMBER > 0),
    "three networks": (
        Classifier(n_models=3, class_weight={"yes": 2.0}, **SETTINGS), FRAME,
        np.where(NUMBER > 0, "yes", "no"),
    ),
    "numbers": (Regressor(**SETTINGS), FRAME, NUMBER),
    "two targets": (Regressor(**SETTINGS), ARRAY, np.stack([NUMBER, -NUMBER], 1)),
    "quantiles": (Regressor(quantiles=(0.1, 0.9), **SETTINGS), ARRAY, NUMBER),
    "chosen columns": (
        Regressor(categorical=["code"], hidden_layer_sizes=[8], **SETTINGS), FRAME,
        NUMBER,
    ),
    "chosen places": (Regressor(categorical={2}, n_models=2, **SETTINGS), ARRAY,
                      NUMBER),
    "names that are numbers": (
        Regressor(**SETTINGS), FRAME.set_axis(range(7), axis=1), NUMBER,
    ),
}  # fmt: skip


def outputs(model, X):
    function = getattr(model, "predict_proba", model.predict)
    return function(X).tobytes(), model.predict(X).tolist()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.bpc"


@pytest.mark.parametrize("case", MODELS)
def test_a_loaded_estimator_is_the_same(case, path):
    model, X, y = MODELS[case]
    model.fit(X, y).save(path)
    same = bp.load(path)
    assert type(same) is type(model)
    assert outputs(same, X) == outputs(model, X)
    assert outputs(same, X[:1]) == outputs(model, X[:1])
    assert same.score(X, y) == model.score(X, y)
    assert [str(h) for h in same.histories_] == [str(h) for h in model.histories_]
    for name in ("recipe_", "n_features_in_", "target_name_"):
        assert getattr(same, name) == getattr(model, name)
    assert hasattr(same, "feature_names_in_") == hasattr(model, "feature_names_in_")
    if hasattr(model, "classes_"):
        assert same.classes_.dtype == model.classes_.dtype
    assert outputs(bp.load(path, mmap=True), X) == outputs(model, X)
    assert outputs(same.fit(X, y), X) == outputs(model, X)  # the same parameters
    same.save(path)
    assert outputs(bp.load(path), X) == outputs(model, X)


def test_unseen_values_after_loading(path):
    model, X, y = MODELS["texts"]
    model.fit(X, y).save(path)
    row = X[:1].assign(colour="pink", holes=np.nan, many=None)
    same = bp.load(path)
    assert outputs(same, row) == outputs(model, row)
    with pytest.raises(ValueError, match=r"X\['colour'\] must have texts"):
        same.predict(X[:1].assign(colour=3))
    with pytest.raises(ValueError, match="feature names"):
        same.predict(X.drop(columns="size"))


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (pd.Series(ARRAY[:, 0], name="price"), "price"),
        (polars.Series("gr\u00f6\u00dfe", ARRAY[:, 0]), "gr\u00f6\u00dfe"),
        (pd.Series(ARRAY[:, 0], name=3), None),
        (ARRAY[:, 0], None),
    ],
)
def test_the_name_of_the_target(y, expected, path):
    model = Regressor(**SETTINGS).fit(ARRAY, y)
    assert model.target_name_ == expected
    model.save(path)
    assert bp.load(path).target_name_ == expected


def test_parameters_that_a_file_cannot_hold_become_none(path):
    model = Regressor(**{**SETTINGS, "random_state": np.random.default_rng(0)})
    model.fit(ARRAY, NUMBER).save(path)
    same = bp.load(path)
    assert same.random_state is None and outputs(same, ARRAY) == outputs(model, ARRAY)


def test_values_that_a_file_cannot_hold(path):
    column = np.array([decimal.Decimal(1), decimal.Decimal(2)] * 20, object)
    model = Regressor(categorical=[0], **SETTINGS)
    model.fit(column[:, None], NUMBER[:40])
    with pytest.raises(TypeError, match=r"a category must be .* Decimal"):
        model.save(path)
    assert not path.exists()


def test_texts_that_utf_8_does_not_have(path):
    model = Classifier(**SETTINGS).fit(ARRAY, np.array(["a", "\ud800"])[[0, 1] * 40])
    with pytest.raises(ValueError, match="a class must be a text in UTF-8"):
        model.save(path)


def test_an_estimator_that_is_not_fitted(path):
    with pytest.raises(Exception, match="is not fitted yet"):
        Regressor().save(path)


@pytest.fixture
def saved(path):
    model, X, y = MODELS["texts"]
    model.fit(X, y).save(path)
    return path


def refused(path, match):
    with pytest.raises(bp.ModelFileError, match=match) as caught:
        bp.load(path)
    assert str(caught.value).startswith(str(path))


CONTENTS = {
    # keys, value, message
    "no parameters": (("parameters",), {}, "parameters must be an object"),
    "an unknown parameter": (("parameters", "more"), 1, "parameters must be an object"),
    "a recipe with more": (("recipe", "more"), 1, "recipe must be an object"),
    "a target that is a list": (("target",), ["y"], "target must be a text or null"),
    "no networks": (("networks",), [], "networks must be a list of at least one"),
    "networks as a text": (("networks",), "two", "networks must be a list"),
    "a name twice": (("encoder", "names"), ["a"] * 7, "7 different names"),
    "names too few": (("encoder", "names"), ["a"], "7 different names"),
    "a name that is a list": (("encoder", "names"), [[]] * 7, "must be a text"),
    "no columns": (("encoder", "n_columns"), 0, "n_columns must be"),
    "many columns": (("encoder", "n_columns"), 10**12, "different names"),
    "many columns without names": (("encoder",), None, "encoder must be an object"),
    "a category twice": (
        ("encoder", "categories", 0, "names"), ["a", "a", "b"], "must be different",
    ),
    "categories too few": (
        ("encoder", "categories", 0, "names"), ["a"], "must have shape",
    ),
    "a category that is a list": (
        ("encoder", "categories", 0, "names"), [[], 1, 2], "must be a text",
    ),
    "another place": (("encoder", "categories", 0, "place"), 0, "columns once"),
    "a place too far": (("encoder", "categories", 0, "place"), 70, "place"),
    "one class": (("targets", "values"), ["no"], "at least 2 values"),
    "three classes": (("targets", "values"), ["a", "b", "c"], "3 outputs"),
    "classes in another order": (("targets", "values"), ["yes", "no"], "ascending"),
    "classes of another dtype": (("targets", "dtype"), "int64", "invalid|must be"),
    "an unknown dtype": (("targets", "dtype"), "O8", "dtype of classes must not be"),
    "a network of another width": (
        ("networks", 0, "network", "sizes"), [3, 128, 128, 2], "must have shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTENTS)
def test_contents(case, saved):
    keys, value, match = CONTENTS[case]
    content, arrays = parts_of(saved)
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    rewrite(saved, content, arrays)
    refused(saved, match)


ARRAYS = {
    "a column twice": ("encoder.places", [0, 0, 5, 6], "no number twice"),
    "a column not there": ("encoder.places", [0, 1, 5, 9], "7 columns once"),
    "a column left out": ("encoder.places", [0, 1, 5], "must have shape|columns"),
    "places in a matrix": ("encoder.places", [[0, 1, 5, 6]], "of one dimension"),
    "marks of others": ("encoder.marked", [4], "below 4"),
    "a centre": ("encoder.centre", [np.nan] * 4, "encoder.centre must be finite"),
    "a factor": ("encoder.factor", [-1.0] * 4, "factor must be finite and not neg"),
    "too many marks": ("encoder.marks.centre", [0.0] * 2, "must have shape"),
    "rows of categories": ("encoder.categories.0", [[0.0]], "must have shape"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case, saved):
    name, values, match = ARRAYS[case]
    content, arrays = parts_of(saved)
    rewrite(saved, content, arrays | {name: np.array(values, arrays[name].dtype)})
    refused(saved, match)


TARGETS = {
    # array, value, message
    "no deviation": ("deviation", 0.0, "deviations above 0"),
    "bounds the wrong way": ("most", -1e9, "least below most"),
    "a mean that is NaN": ("mean", np.nan, "must be finite"),
}


@pytest.mark.parametrize("case", TARGETS)
def test_targets(case, path):
    name, value, match = TARGETS[case]
    model, X, y = MODELS["two targets"]
    model.fit(X, y).save(path)
    content, arrays = parts_of(path)
    rewrite(path, content, arrays | {f"targets.{name}": np.full(2, value)})
    refused(path, match)


def test_mutations(saved):
    data = saved.read_bytes()
    for mutated in mutations(data, 150, seed=0):
        saved.write_bytes(mutated)
        try:
            model = bp.load(saved)
        except bp.ModelFileError:
            continue
        model.predict(FRAME)
