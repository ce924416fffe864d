"""`bpcore train`: what it learns, reports and refuses."""

import gzip
import io
import os
import sys

import numpy as np
import pandas as pd
import pytest

import bpcore as bp
from bpcore.cli import main
from bpcore.tabular import Classifier, Regressor

QUICK = ["--quick", "--epochs", "2", "--out", "m.bpc", "--threads", "1"]


def train(target, *more, data="d.csv"):
    return main(["train", data, "--target", target, *QUICK, *more])


def test_numbers(here, frame, capsys):
    frame.to_csv("d.csv", index=False)
    assert train("price") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "regression: price has 80 different numbers\n" in out
    assert "16 rows held out of the training\n" in out
    for measure in ("R2", "root mean squared error", "mean absolute error"):
        assert f"\n  {measure}" in out
    assert "trained on 64 rows, without the 16 held out (--test 0 trains on all)" in out
    model = bp.load("m.bpc")
    assert isinstance(model, Regressor)
    assert model.target_name_ == "price"
    assert model.encoder_.names == ("size", "holes", "colour", "flag", "zip", "kind")


def test_the_scores_are_those_of_the_rows_held_out(here, frame, capsys):
    frame.to_csv("d.csv", index=False)
    assert train("kind", "--test", "0.25", "--drop", "price") == 0
    out = capsys.readouterr().out
    held, accuracy, baseline = _scores(out, "accuracy")
    assert held == 20
    trained = _trained_rows(frame, 20)
    model = Classifier(quick=True, epochs=2, random_state=0, n_threads=1)
    X, y = frame.drop(columns=["kind", "price"]), frame["kind"]
    # Leading zeros are lost: the column is one of numbers.
    X = X.assign(zip=X["zip"].astype(int))
    model.fit(X[trained], y[trained])
    assert accuracy == pytest.approx(model.score(X[~trained], y[~trained]), abs=1e-4)
    most = y[trained].mode()[0]
    assert baseline == pytest.approx((y[~trained] == most).mean(), abs=1e-4)
    assert f"baseline: always {most}" in out
    saved = bp.load("m.bpc")
    assert (saved.predict_proba(X) == model.predict_proba(X)).all()


def _scores(out, measure):
    held = int(out.split(" rows held out")[0].split("\n")[-1])
    (line,) = [line for line in out.split("\n") if line.startswith(f"  {measure}")]
    return held, *map(float, line.split()[-2:])


def _trained_rows(frame, count):
    """By the description: a random order, by class, at equal distances."""
    n = len(frame)
    order = np.random.default_rng(0).permutation(n)
    labels = np.unique(frame["kind"], return_inverse=True)[1]
    order = order[np.argsort(labels[order], kind="stable")]
    trained = np.ones(n, bool)
    trained[order[((np.arange(count) + 0.5) * n / count).astype(int)]] = False
    return trained


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_model_that_is_no_better_than_the_baseline(task, here, capsys):
    """The targets of the rows held out are not those of equal rows of the training."""
    frame = pd.DataFrame({"x": [1.0] * 40, "y": [1] * 20 + [2] * 20})
    frame.to_csv("d.csv", index=False)
    assert train("y", "--task", task) == 0
    measure = {"classification": "accuracy", "regression": "R2"}[task]
    expected = f"the model is no better than the baseline by {measure}\n"
    assert expected in capsys.readouterr().out
    frame.assign(x=frame["y"]).to_csv("d.csv", index=False)
    assert train("y", "--task", task, "--epochs", "20") == 0
    assert expected not in capsys.readouterr().out


def test_columns_without_values(here, frame, capsys):
    frame.assign(a=None, b=None)[["a", "b", "size", "price"]].to_csv("d.csv")
    assert train("price") == 0
    expected = "bpcore: warning: no values, so nothing to learn from: 'a', 'b'\n"
    assert capsys.readouterr().err == expected


def test_all_rows(here, frame, capsys):
    frame.to_csv("d.csv", index=False)
    assert train("price", "--test", "0") == 0
    out = capsys.readouterr().out
    assert "held out" not in out
    assert "trained on 80 rows\n" in out


def test_too_few_rows_for_a_report(here, frame, capsys):
    frame[:6].to_csv("d.csv", index=False)
    assert train("price") == 0
    out = capsys.readouterr().out
    assert "no report: 6 rows are too few to hold out some" in out


def test_rows_without_target_are_left_out(here, frame, capsys):
    frame.loc[:9, "price"] = np.nan
    frame.to_csv("d.csv", index=False)
    assert train("price") == 0
    out = capsys.readouterr().out
    assert "10 rows left out, whose price is missing\n" in out
    assert "14 rows held out" in out


def test_codes_are_texts(here, frame):
    frame.to_csv("d.csv", index=False)
    assert train("price", "--categorical", "zip") == 0
    categories = {
        column.place: column.categories.names
        for column in bp.load("m.bpc").encoder_.categories
    }
    assert categories[4] == ("01234", "04711", "99999")


@pytest.mark.parametrize("kind", ["csv", "tsv", "semicolons", "gz", "parquet", "-"])
def test_the_same_model_from_each_kind_of_file(kind, here, frame, monkeypatch):
    frame = frame.drop(columns=["zip", "kind"])
    separator = {"tsv": "\t", "semicolons": ";"}.get(kind, ",")
    text = frame.to_csv(index=False, sep=separator).encode()
    name = {"-": "-", "gz": "d.csv.gz"}.get(kind, f"d.{kind}")
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(name)
    elif kind == "-":
        stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(text)))
        monkeypatch.setattr(sys, "stdin", stdin)
    else:
        (here / name).write_bytes(gzip.compress(text) if kind == "gz" else text)
    assert train("price", "--test", "0", data=name) == 0
    model = Regressor(quick=True, epochs=2, random_state=0, n_threads=1)
    X = frame.drop(columns="price")
    model.fit(X, frame["price"])
    assert (bp.load("m.bpc").predict(X) == model.predict(X)).all()


def test_several_networks_and_a_plot(here, frame, capsys):
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    frame.to_csv("d.csv", index=False)
    assert train("kind", "--models", "2", "--plot", "p.png") == 0
    assert "saved p.png\n" in capsys.readouterr().out
    assert len(bp.load("m.bpc").networks_) == 2
    image = imread("p.png")
    assert min(image.shape[:2]) > 500
    assert image[..., :3].std() > 0.1


def test_the_plot_names_the_file_and_the_target(here, frame, monkeypatch):
    pytest.importorskip("matplotlib")
    titles = []
    plot = Regressor.plot

    def kept(model, *rows):
        figure = plot(model, *rows)
        monkeypatch.setattr(figure, "savefig", lambda file, **settings: titles.append(
            (figure.get_suptitle(), figure.axes[1].get_xlabel())))  # fmt: skip
        return figure

    monkeypatch.setattr(Regressor, "plot", kept)
    frame.rename(columns={"price": "$ price"}).to_csv("d.csv", index=False)
    assert train("$ price", "--plot", "p.png") == 0
    assert titles == [(r"d.csv: \$ price", r"\$ price")]


TARGETS = {
    # values, arguments, expected
    "texts": (["a", "b"] * 20, [], "classification: y has 2 different texts"),
    "bools": ([True, False] * 20, [], "classification: y has 2 different bools"),
    "few whole numbers": (
        [1, 2, 3, 4] * 10, [], "classification: y has 4 different whole numbers",
    ),
    "few whole numbers and holes": (
        [1, 2, 3, None] * 10, [], "classification: y has 3 different whole numbers",
    ),
    "a whole number for each row": (
        range(40), [], "regression: y has 40 different whole numbers",
    ),
    "many whole numbers": (
        [*range(11)] * 10, [], "regression: y has 11 different whole numbers",
    ),
    "numbers": ([0.5, 1.5] * 20, [], "regression: y has 2 different numbers"),
    "one number": ([0.5] * 40, [], "regression: y has the same number everywhere"),
    "whole numbers as numbers": (
        [1, 2] * 20, ["--task", "regression"],
        "regression: y has 2 different whole numbers",
    ),
    "bools as numbers": (
        [True, False] * 20, ["--task", "regression"], "regression: y has 2 different",
    ),
    "many classes": (
        [*range(20)] * 3, ["--task", "classification"],
        "classification: y has 20 different whole numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TARGETS)
def test_the_task(case, here, capsys):
    values, arguments, expected = TARGETS[case]
    frame = pd.DataFrame({"x": np.arange(len(values)) % 7, "y": [*values]})
    frame.to_csv("d.csv", index=False)
    assert train("y", "--epochs", "1", *arguments) == 0
    assert expected in capsys.readouterr().out
    classes = expected.startswith("classification")
    assert isinstance(bp.load("m.bpc"), Classifier if classes else Regressor)


def test_classes_that_are_whole_numbers_stay_so(here):
    frame = pd.DataFrame({"x": np.arange(40), "y": [1, 2, None, 3] * 10})
    frame.to_csv("d.csv", index=False)
    assert train("y") == 0
    assert bp.load("m.bpc").classes_.dtype == np.int64


def test_a_rare_class_is_trained_on(here):
    frame = pd.DataFrame({"x": np.arange(40), "y": ["a"] * 39 + ["rare"]})
    frame.to_csv("d.csv", index=False)
    for seed in range(3):
        assert train("y", "--test", "0.9", "--seed", str(seed)) == 0
        assert bp.load("m.bpc").classes_.tolist() == ["a", "rare"]


def test_parquet_without_pyarrow(here, capsys, monkeypatch):
    (here / "d.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert train("y", data="d.parquet") == 1
    expected = "bpcore: error: this needs pyarrow, which is not installed: pip install"
    assert capsys.readouterr().err == f"{expected} pyarrow\n"


NOTATIONS = {
    # texts of numbers, a text of a missing value, options, warning without them
    "decimal commas": (
        lambda x: f"{x:.3f}".replace(".", ","), "", ["--decimal", ","],
        "numbers: --decimal ,",
    ),
    "thousands": (
        lambda x: f"{5000 + 1000 * x:,.3f}", "", ["--thousands", ","],
        "numbers: --thousands ,",
    ),
    "a sign for missing values": (
        lambda x: f"{x:.3f}", "?", ["--missing", "?"],
        "if others are missing values, --missing '?'",
    ),
    "percentages": (lambda x: f"{x:.1f}%", "", None, "without the sign %"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTATIONS)
def test_numbers_in_another_notation(case, here, frame, capsys):
    text_of, missing, options, warning = NOTATIONS[case]
    texts = frame["size"].map(text_of)
    texts[3] = missing
    frame = pd.DataFrame({"x": texts, "price": frame["price"].astype(int)})
    frame.to_csv("d.csv", index=False)
    assert train("price") == 0
    err = capsys.readouterr().err
    assert warning in err and err.count("\n") == 1 and "column 'x'" in err
    assert not len(bp.load("m.bpc").encoder_.numbers.places)
    if options is not None:
        assert train("price", *options) == 0
        assert capsys.readouterr().err == ""
        assert bp.load("m.bpc").encoder_.numbers.places == [0]
        assert bp.load("m.bpc").encoder_.numbers.marked == [0]
        assert main(["predict", "m.bpc", "d.csv", *options]) == 0
        assert capsys.readouterr().out.count("\n") == 81


def test_an_identifier_has_one_warning(here, frame, capsys):
    frame["id"] = [f"a{i}" for i in range(len(frame))]
    frame.to_csv("d.csv", index=False)
    assert train("price") == 0
    assert capsys.readouterr().err == (
        "bpcore: warning: column 'id' has another text in every row, so nothing can be "
        "learned from it: leave it out by --drop 'id'\n"
    )


@pytest.mark.parametrize("target", ["price", "kind"])
def test_the_model_is_saved_where_nobody_reads_the_report(
    target, here, frame, monkeypatch, capsys
):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def fileno(self):
            return os.open(os.devnull, os.O_WRONLY)

    frame.to_csv("d.csv", index=False)
    monkeypatch.setattr(sys, "stdout", Gone())
    assert train(target) == 1
    assert bp.load("m.bpc").target_name_ == target
    assert capsys.readouterr().err == ""


def test_divergence(here, frame, capsys, monkeypatch):
    def diverge(*_, **__):
        raise bp.DivergenceError("the loss is NaN")

    monkeypatch.setattr(Regressor, "fit", diverge)
    frame.to_csv("d.csv", index=False)
    (here / "m.bpc").write_text("old")
    assert train("price") == 1
    assert capsys.readouterr().err == "bpcore: error: the loss is NaN\n"
    assert (here / "m.bpc").read_text() == "old"


@pytest.mark.parametrize(
    ("more", "bar"),
    [([], True), (["--no-progress"], False), (["--models", "2"], False)],
)
def test_a_bar_in_a_terminal_only(more, bar, here, frame, capsys, monkeypatch):
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    frame.to_csv("d.csv", index=False)
    assert train("price", *more) == 0
    out, err = capsys.readouterr()
    assert ("epoch 2/2" in err) == bar and (err != "") == bar
    assert "saved m.bpc" in out
