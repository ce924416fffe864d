"""Estimators for tables as C headers, compiled: the bits of their predictions."""

import dataclasses
import re
import subprocess

import numpy as np
import pandas as pd
import pytest

import bpcore as bp
from bpcore.tabular import Classifier, Regressor
from helpers.c_compiler import assert_same_bits, compiled, compiler, outputs

SMALL = {"hidden_layer_sizes": (9, 8), "epochs": 20, "batch_size": 16}
SMALL["random_state"] = 0


def table(n=100):
    """Numbers, some of them missing, and a constant column."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4)) * [1.0, 1e3, 1e-3, 0.0] + [0.0, 2e6, 0.0, 5.0]
    y = X[:, 0] - (X[:, 1] - 2e6) / 1e3
    X[::5, 0] = np.nan
    X[1::7, 2] = np.nan
    return X, y


def new_rows():
    rng = np.random.default_rng(1)
    far = [[0, 1e300, -1e308, 5], [np.nan] * 4, [-0.0, 2e6, 1e-310, 6], [9e307] * 4]
    return np.vstack([np.array(far), table()[0][:20] + rng.normal(size=(20, 4))])


def models():
    X, y = table()
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [-0.7, 0.7])]
    both = np.stack([y, 1e5 + 1e4 * y], axis=1)
    narrow = Regressor(**SMALL).fit(X, y)
    bounds = {"least": np.array([-0.1]), "most": np.array([0.1])}
    narrow.targets_ = dataclasses.replace(narrow.targets_, **bounds)
    return {
        "narrow": narrow,
        "classes": Classifier(**SMALL).fit(X, labels),
        "classes3": Classifier(n_models=3, **SMALL).fit(X, labels),
        "numbers": Regressor(**SMALL).fit(X, 1e6 + 1e4 * y),
        "numbers2": Regressor(n_models=2, **SMALL).fit(X, both),
        "quantiles": Regressor(quantiles=(0.9, 0.1, 0.5), **SMALL).fit(X, y),
        "quantiles3": Regressor(quantiles=(0.1, 0.9), n_models=3, **SMALL).fit(X, y),
    }


def predicted(model, X):
    found = model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)
    return found.reshape(len(X), -1)


@pytest.mark.skipif(
    bp.config()["isa"] == "x86_64_v2", reason="predictions without fused multiply-add"
)
def test_same_bits(tmp_path):
    cc, X, expected = compiler("gcc"), new_rows(), {}
    for name, model in models().items():
        model.to_c(tmp_path / f"{name}.h", name=name)
        expected[name] = X, predicted(model, X)
    flags = ("-O2", "-fno-inline", "-march=native", "-std=gnu99")
    got, wrong = outputs(cc, expected, tmp_path, *flags)
    for name, (_, out) in expected.items():
        assert_same_bits(got[name], out, name)
    assert wrong == 0


def test_what_8_bits_cost(tmp_path):
    X, y = table()
    model = Classifier(**SMALL).fit(X, y > 0)
    report = model.to_c(tmp_path / "m.h", name="m", weights="int8", X=X, y=y > 0)
    assert 0 < report.mean_difference < report.largest_difference < 0.1
    assert report.before == {"accuracy": model.score(X, y > 0)}
    assert report.after["accuracy"] == pytest.approx(
        report.before["accuracy"], abs=0.05
    )
    before = model.predict_proba(X)
    source = '#include "m.h"\nint main(void) { return m_self_test(); }'
    program = compiled(compiler("gcc"), source, tmp_path, "-O1", "-march=native")
    assert subprocess.run([program], check=False).returncode == 0
    assert (model.predict_proba(X) == before).all()  # the model itself is as it was


def test_columns_and_classes_are_in_the_comment(tmp_path):
    X, y = table()
    frame = pd.DataFrame(X, columns=["a b", "c*/d/*", "line\nbreak", "größe"])
    Classifier(**SMALL).fit(frame, y > 0).to_c(tmp_path / "m.h")
    comment = (tmp_path / "m.h").read_text(encoding="utf-8").split("#ifndef")[0]
    assert comment.count("*/") == comment.count("/*") == 1
    assert re.search(r"x\[2\]  line break\n.*x\[3\]  größe\n", comment)
    assert re.search(r"Classes:\n.*0  False\n.*1  True", comment)


def test_test_vectors_of_very_large_numbers_are_finite(tmp_path):
    X = np.linspace(-1, 1, 40)[:, None] * 1.7e308
    model = Regressor(**SMALL).fit(X, X[:, 0] > 0)
    model.to_c(tmp_path / "m.h")
    assert "0x1.7e43c8800759cp+996" in (tmp_path / "m.h").read_text()  # 1e300


def test_columns_of_categories(tmp_path):
    frame = pd.DataFrame({"x": [0.0, 1.0] * 20, "colour": ["red", "blue"] * 20})
    model = Regressor(**SMALL).fit(frame, [0.0, 1.0] * 20)
    with pytest.raises(ValueError, match=r"column 'colour' has categories \(2\)"):
        model.to_c(tmp_path / "m.h")
    with pytest.raises(ValueError, match="not fitted"):
        Regressor().to_c(tmp_path / "m.h")
    model = Regressor(**SMALL).fit(frame[["x"]], [0.0, 1.0] * 20)
    with pytest.raises(ValueError, match="X must be given with y"):
        model.to_c(tmp_path / "m.h", y=[0.0])
    with pytest.raises(ValueError, match="weights must be"):
        model.to_c(tmp_path / "m.h", weights="int16")
    assert list(tmp_path.iterdir()) == []
