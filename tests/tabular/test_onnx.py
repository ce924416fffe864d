"""Estimators for tables as ONNX files: what onnxruntime computes from them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from bpcore.tabular import Classifier, Regressor

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

SMALL = {"hidden_layer_sizes": (8, 8), "epochs": 20, "batch_size": 16}
SMALL["random_state"] = 0


def table(n=120):
    """Every kind of column, with holes, and with rare categories."""
    rng = np.random.default_rng(0)
    words = np.array(["red", "blue", "grün", "pink"], object)
    many = rng.integers(0, 30, n) ** 2 // 40
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n) * 1e3,
            "colour": words[rng.integers(0, 4, n)],
            "year": 2e6 + rng.normal(size=n),  # float32 would round it
            "flag": rng.random(n) < 0.5,
            "constant": 7.0,
            "code": rng.integers(0, 3, n) * 10,
            "grade": rng.integers(0, 3, n) / 4,
            "many": np.array([f"no. {i}" for i in many], object),
            "two": np.where(rng.random(n) < 0.3, "yes", "no").astype(object),
            "empty": np.full(n, None, object),
        }
    )
    frame.loc[::7, "size"] = np.nan
    frame.loc[1::9, "colour"] = None
    frame.loc[2::9, "grade"] = np.nan
    y = np.nan_to_num(frame["size"].to_numpy()) / 1e3 + (frame["colour"] == "red") * 2.0
    return frame, y.to_numpy() if hasattr(y, "to_numpy") else y


CATEGORICAL = ["code", "grade"]
NUMBERS = ["size", "year", "constant", "empty"]


def feeds(frame):
    """The inputs of a file for rows of the table."""
    found = {"numbers": frame[NUMBERS].to_numpy(np.float64)}
    for name in ("colour", "many", "two"):
        texts = [x if isinstance(x, str) else "" for x in frame[name].tolist()]
        found[name] = np.array(texts, object)[:, None]
    found["flag"] = frame["flag"].to_numpy(bool)[:, None]
    found["code"] = frame["code"].to_numpy(np.int64)[:, None]
    found["grade"] = frame["grade"].to_numpy(np.float64)[:, None]
    return found


def unseen(frame):
    """Rows with extreme numbers and with categories that were not in the training."""
    frame = frame[:12].copy()
    frame["size"] = [0.0, -0.0, 1e300, -1e300, 1e308, -1e308, np.nan, 1, 2, 3, 4, 5]
    frame["constant"] = [7.0, 8.0, np.nan, -1e308, *[7.0] * 8]
    frame["year"] = 2e6 + np.arange(12) / 4096
    frame["colour"] = ["mauve", None, *["red"] * 10]
    frame["many"] = ["unseen", None, *["no. 0"] * 10]
    frame["two"] = ["maybe", None, "yes", "no"] * 3
    frame["code"] = [-1, 0, 10, 20] * 3
    frame["grade"] = [0.1, np.nan, 0.25, 0.5] * 3
    return frame


def session(path):
    onnx.checker.check_model(onnx.load(path), full_check=True)
    return runtime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("n_models", [1, 3])
@pytest.mark.parametrize(
    "names", [("a", "b", "c"), (10, 20, 30), (0.0, 1.0, 2.0), (False, True)]
)
def test_classifiers(names, n_models, tmp_path):
    frame, y = table()
    labels = np.array(names)[np.digitize(y, [0.0, 1.0][: len(names) - 1])]
    model = Classifier(n_models=n_models, categorical=CATEGORICAL, **SMALL)
    model.fit(frame, labels)
    model.to_onnx(tmp_path / "model.onnx")
    made = session(tmp_path / "model.onnx")
    for rows in (frame, unseen(frame), frame[:1]):
        label, probabilities = made.run(None, feeds(rows))
        assert np.abs(probabilities - model.predict_proba(rows)).max() < 1e-5
        assert label.tolist() == model.predict(rows).tolist()
    assert len(set(model.predict(frame).tolist())) > 1


@pytest.mark.parametrize(
    "targets, settings",
    [
        (1, {}),
        (2, {"n_models": 2}),
        (1, {"quantiles": (0.9, 0.1, 0.5)}),
        (1, {"quantiles": (0.1, 0.9), "n_models": 2}),
    ],
)
def test_regressors(targets, settings, tmp_path):
    frame, y = table()
    y = y * 1e4 + 1e6 if targets == 1 else np.stack([y, -3 * y], axis=1)
    model = Regressor(categorical=CATEGORICAL, **SMALL, **settings).fit(frame, y)
    model.to_onnx(tmp_path / "model.onnx", output_names=["y"])
    made = session(tmp_path / "model.onnx")
    for rows in (frame, unseen(frame), frame[:1]):
        (got,) = made.run(["y"], feeds(rows))
        expected = model.predict(rows)
        assert got.shape == expected.shape and got.dtype == np.float64
        assert np.abs(got - expected).max() < 1e-5 * np.abs(y).max()


def test_bounds_of_the_targets(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = Regressor(**SMALL).fit(X, X[:, 0])
    bounds = {"least": np.array([-0.1]), "most": np.array([0.2])}
    model.targets_ = dataclasses.replace(model.targets_, **bounds)
    model.to_onnx(tmp_path / "model.onnx")
    (got,) = session(tmp_path / "model.onnx").run(None, {"numbers": X})
    assert np.abs(got - model.predict(X)).max() < 1e-5
    assert got.min() == -0.1 and got.max() == 0.2


def test_arrays_of_numbers_and_of_categories(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    model = Regressor(**SMALL).fit(X, y)
    model.to_onnx(tmp_path / "model.onnx", numbers_name="X")
    (got,) = session(tmp_path / "model.onnx").run(None, {"X": X})
    assert np.abs(got - model.predict(X)).max() < 1e-5
    words = np.array(["a", "b", ""], object)[rng.integers(0, 3, 60)][:, None]
    model = Regressor(**SMALL).fit(words, y)
    model.to_onnx(tmp_path / "model.onnx")
    (got,) = session(tmp_path / "model.onnx").run(None, {"x0": words})
    assert np.abs(got - model.predict(words)).max() < 1e-5


def test_texts_that_are_all_rare(tmp_path):
    """Their column is the same for all but missing ones."""
    frame = pd.DataFrame({"x": [0.0, 1.0] * 20, "id": [f"id {i}" for i in range(40)]})
    frame.loc[3, "id"] = None
    with pytest.warns(UserWarning, match="is not used"):
        model = Regressor(**SMALL).fit(frame, frame["x"])
    model.to_onnx(tmp_path / "model.onnx")
    texts = np.array([["id 1"], ["new"], [""]], object)
    found = {"numbers": np.ones((3, 1)), "id": texts}
    (got,) = session(tmp_path / "model.onnx").run(None, found)
    rows = pd.DataFrame({"x": [1.0] * 3, "id": ["id 1", "new", None]})
    assert np.abs(got - model.predict(rows)).max() < 1e-5


def test_metadata(tmp_path):
    rng = np.random.default_rng(0)
    model = Regressor(n_models=2, **SMALL).fit(
        rng.normal(size=(40, 2)), rng.normal(size=40)
    )
    model.to_onnx(tmp_path / "model.onnx", name="rents", metadata={"author": "Ann"})
    loaded = onnx.load(tmp_path / "model.onnx")
    assert loaded.graph.name == "rents"
    found = {entry.key: entry.value for entry in loaded.metadata_props}
    assert found["estimator"] == "Regressor" and found["networks"] == "2"
    assert found["numbers"] == "x0, x1" and found["author"] == "Ann"


def test_what_onnx_does_not_have(tmp_path):
    y, path = [0.0, 1.0] * 20, tmp_path / "model.onnx"
    frame = pd.DataFrame({"when": [(1, 2), (3, 4)] * 20})
    model = Regressor(categorical=["when"], **SMALL).fit(frame, y)
    with pytest.raises(TypeError, match="column 'when' must have categories that are"):
        model.to_onnx(path)
    frame = pd.DataFrame({"numbers": ["a", "b"] * 20, "x": y})
    model = Regressor(**SMALL).fit(frame, y)
    with pytest.raises(ValueError, match="'numbers' is there twice"):
        model.to_onnx(path)
    model.to_onnx(path, numbers_name="others")
    with pytest.raises(ValueError, match="not fitted"):
        Regressor().to_onnx(path)
