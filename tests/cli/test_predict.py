"""`bpcore predict`: the predictions of the model, in parts, and what it refuses."""

import io
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import bpcore as bp
from bpcore import tabular
from bpcore.cli import main
from bpcore.cli.predicting import Settings, predict_table

COLUMNS = ["size", "holes", "colour", "flag", "zip"]


def predicted(capsys, *arguments):
    assert main(["predict", *map(str, arguments)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return pd.read_csv(io.StringIO(out), dtype=str, keep_default_na=False)


@pytest.mark.parametrize("chunk", [1, 7, 80, 10_000])
def test_numbers_to_the_last_digit(chunk, here, frame, models, capsys):
    frame.to_csv("d.csv", index=False)
    found = predicted(capsys, models["price"], "d.csv", "--chunk", chunk)
    expected = bp.load(models["price"]).predict(frame[COLUMNS])
    assert [*found.columns] == ["price"]
    assert [float(text) for text in found["price"]] == expected.tolist()


def test_classes_and_their_probabilities(here, frame, models, capsys):
    frame.to_csv("d.csv", index=False)
    model = bp.load(models["kind"])
    found = predicted(capsys, models["kind"], "d.csv")
    assert found["kind"].tolist() == model.predict(frame[COLUMNS]).tolist()
    found = predicted(capsys, models["kind"], "d.csv", "--proba")
    assert [*found.columns] == ["no", "yes"]
    expected = model.predict_proba(frame[COLUMNS])
    assert (found.to_numpy(np.float32) == expected).all()


def test_parquet_in_parts(here, frame, models, capsys):
    pytest.importorskip("pyarrow")
    frame.to_parquet("d.parquet", row_group_size=30)
    expected = bp.load(models["price"]).predict(frame[COLUMNS])
    for chunk in (7, 10_000):
        found = predicted(capsys, models["price"], "d.parquet", "--chunk", chunk)
        assert [float(text) for text in found["price"]] == expected.tolist()


def test_whole_numbers_of_parquet_where_the_training_had_texts(
    here, frame, models, capsys
):
    """The category 99999 is known, the number 4711 is not."""
    pytest.importorskip("pyarrow")
    frame.assign(zip=frame["zip"].astype(int)).to_parquet("d.parquet")
    known = frame.assign(zip=frame["zip"].where(frame["zip"] == "99999"))
    expected = bp.load(models["price"]).predict(known[COLUMNS])
    found = predicted(capsys, models["price"], "d.parquet")
    assert [float(text) for text in found["price"]] == expected.tolist()


def test_other_columns_and_another_order(here, frame, models, capsys):
    frame[COLUMNS].to_csv("a.csv", index=False)
    frame.assign(more="x")[["more", *COLUMNS[::-1]]].to_csv("b.csv", index=False)
    expected = predicted(capsys, models["price"], "a.csv")
    assert predicted(capsys, models["price"], "b.csv").equals(expected)


def test_to_a_file(here, frame, models, capsys):
    frame.to_csv("d.csv", index=False)
    expected = predicted(capsys, models["price"], "d.csv")
    assert main(["predict", models["price"], "d.csv", "--out", "p.csv"]) == 0
    assert capsys.readouterr() == ("", "bpcore: predicted 80 rows into p.csv\n")
    assert pd.read_csv("p.csv", dtype=str).equals(expected)


def test_no_rows(here, frame, models, capsys):
    frame[:0].to_csv("d.csv", index=False)
    assert len(predicted(capsys, models["price"], "d.csv")) == 0


BAD = {
    # change of the frame, message
    "one column missing": (
        lambda frame: frame.drop(columns="size"), "d.csv has no column 'size'; it has",
    ),
    "two columns missing": (
        lambda frame: frame.drop(columns=["size", "flag"]),
        "d.csv lacks 2 columns: 'size', 'flag'",
    ),
    "texts among numbers, late": (
        lambda frame: frame.astype({"size": object}).replace({"size": {
            frame["size"].iloc[-1]: "large"}}),
        "d.csv, row 80: column 'size' must have numbers; got 'large'",
    ),
    "texts in place of bools": (
        lambda frame: frame.assign(flag="maybe"),
        "d.csv, row 1: column 'flag' must have bools, as in the training; got 'maybe'",
    ),
    "a text beside bools": (
        lambda frame: frame.assign(flag=["True", None, "FALSE", "maybe"] * 20),
        "d.csv, row 4: column 'flag' must have bools, as in the training; got 'maybe'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_data(case, here, frame, models, capsys):
    change, message = BAD[case]
    change(frame).to_csv("d.csv", index=False)
    (here / "p.csv").write_text("old")
    arguments = ["predict", models["price"], "d.csv", "--chunk", "30"]
    assert main([*arguments, "--out", "p.csv"]) == 1
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert (here / "p.csv").read_text() == "old"
    assert sorted(os.listdir(here)) == ["d.csv", "p.csv"]
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert out.count("\n") == (61 if "late" in case else 0)  # two parts before it


def test_an_empty_line_of_the_only_column_is_a_missing_value(here, capsys):
    net = tabular.Regressor(quick=True, epochs=2, random_state=0)
    frame = pd.DataFrame({"x": [1.0, np.nan, 3.0, 4.0] * 9})
    net.fit(frame, np.arange(36.0)).save("m.bpc")
    (here / "d.csv").write_text("x\n1\n\n3\n")
    assert len(predicted(capsys, "m.bpc", "d.csv")) == 3


def test_probabilities_of_numbers(here, frame, models, capsys):
    frame.to_csv("d.csv", index=False)
    assert main(["predict", models["price"], "d.csv", "--proba"]) == 2
    assert "--proba needs a model that predicts classes" in capsys.readouterr().err


NETWORKS = {
    # sizes, loss, arguments, header, function of the outputs
    "one output": ((2, 3, 1), "mean_squared_error", [], "prediction", lambda a: a),
    "two outputs": (
        (2, 3, 2), "mean_squared_error", [], "prediction_0,prediction_1", lambda a: a,
    ),
    "classes": (
        (2, 3, 2), "cross_entropy", [], "prediction", lambda a: a.argmax(axis=1),
    ),
    "smoothed classes": (
        (2, 3, 2), bp.CrossEntropy(0.1), ["--proba"], "0,1", lambda a: a,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NETWORKS)
def test_networks(case, here, frame, capsys):
    sizes, loss, arguments, header, function = NETWORKS[case]
    net = bp.Network(sizes, loss=loss, rng=0)
    net.save("n.bpc")
    X = frame[["size", "price"]]
    X.to_csv("d.csv", index=False)
    assert main(["predict", "n.bpc", "d.csv", *arguments]) == 0
    first, *rows = capsys.readouterr().out.splitlines()
    assert first == header
    found = np.array([row.split(",") for row in rows], np.float32)
    expected = function(net.predict(X.to_numpy()))
    assert (found == expected.reshape(found.shape)).all()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["size"], "has 1 columns, but the model has 2 inputs, without names"),
        (["size", "holes"], "column 'holes' must have no missing values"),
        (["size", "colour"], "column 'colour' must have numbers; got"),
    ],
)
def test_bad_data_for_networks(columns, message, here, frame, capsys):
    bp.Network([2, 1], rng=0).save("n.bpc")
    frame[columns].to_csv("d.csv", index=False)
    assert main(["predict", "n.bpc", "d.csv"]) == 1
    assert message in capsys.readouterr().err


def test_columns_to_leave_out_for_a_network(here, frame, capsys):
    net = bp.Network([1, 1], rng=0)
    net.save("n.bpc")
    frame[["price", "size"]].to_csv("d.csv", index=False)
    found = predicted(capsys, "n.bpc", "d.csv", "--drop", "price")["prediction"]
    expected = net.predict(frame[["size"]].to_numpy())
    assert (found.to_numpy(np.float32) == expected[:, 0]).all()


def test_columns_that_cannot_be_left_out(here, frame, models, capsys):
    frame.to_csv("d.csv", index=False)
    assert main(["predict", models["price"], "d.csv", "--drop", "size"]) == 2
    assert "--drop names 'size', which the model needs" in capsys.readouterr().err
    assert main(["predict", models["price"], "d.csv", "--drop", "none"]) == 1
    assert "d.csv has no column 'none'" in capsys.readouterr().err


def test_the_wrong_number_is_named_in_its_notation(here, capsys):
    bp.Network([1, 1], rng=0).save("n.bpc")
    (here / "d.csv").write_text('x\n"1.234,5"\n?\n"1,x"\n')
    more = ["--decimal", ",", "--thousands", "."]
    assert main(["predict", "n.bpc", "d.csv", *more]) == 1
    assert "d.csv, row 2: column 'x' must have numbers; got '?'" in (
        capsys.readouterr().err
    )


def test_estimators_of_arrays(here, frame, capsys):
    from bpcore.tabular import Regressor

    X = frame[["size", "holes"]]
    model = Regressor(quick=True, epochs=1, random_state=0, quantiles=(0.1, 0.9))
    model.fit(X.to_numpy(), frame["price"]).save("m.bpc")
    X.to_csv("d.csv", index=False)
    found = predicted(capsys, "m.bpc", "d.csv")
    assert [*found.columns] == ["price_quantile_0.1", "price_quantile_0.9"]
    assert (found.to_numpy(float) == model.predict(X.to_numpy())).all()


def test_estimators_for_scikit_learn(here, frame, capsys):
    pytest.importorskip("sklearn")
    from bpcore.sklearn import Classifier, Regressor

    X = frame[["size", "price"]]
    X.to_csv("d.csv", index=False)
    model = Classifier(hidden_layer_sizes=(4,), random_state=0, epochs=2).fit(
        X, frame["kind"]
    )
    model.save("m.bpc")
    found = predicted(capsys, "m.bpc", "d.csv", "--proba")
    assert (found[["no", "yes"]].to_numpy(np.float32) == model.predict_proba(X)).all()
    found = predicted(capsys, "m.bpc", "d.csv")
    assert found["prediction"].tolist() == model.predict(X).tolist()
    model = Regressor(hidden_layer_sizes=(4,), random_state=0, epochs=2).fit(
        X, frame["size"]
    )
    model.save("m.bpc")
    found = predicted(capsys, "m.bpc", "d.csv")
    assert (found["prediction"].to_numpy(np.float32) == model.predict(X)).all()


@pytest.fixture
def long_file(here):
    """A function that writes a file of so many rows, and the 200 that it repeats."""
    X = np.random.default_rng(0).integers(1000, size=(200, 2))
    text = "".join(f"{a}.25,{b}.5\n" for a, b in X.tolist())

    def write(rows):
        with open("d.csv", "w") as file:
            file.write("a,b\n" + text * (rows // len(X)))

    return write, X + np.array([0.25, 0.5])


def test_a_long_file_in_parts_is_the_same(long_file):
    write, X = long_file
    net = bp.Network([2, 1], rng=0)
    net.save("n.bpc")
    write(200_000)
    predict_table(Settings("n.bpc", "d.csv", "p.csv", chunk=3000))
    found = pd.read_csv("p.csv", dtype=np.float32)["prediction"].to_numpy()
    assert (found == np.tile(net.predict(X)[:, 0], 1000)).all()


def test_memory_does_not_depend_on_the_length(long_file):
    write, _ = long_file
    bp.Network([2, 1], rng=0).save("n.bpc")
    most = []
    for rows in (10_000, 20_000, 40_000):  # the first to have everything imported
        write(rows)
        tracemalloc.start()
        try:
            predict_table(Settings("n.bpc", "d.csv", "p.csv", chunk=500))
            most.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert most[2] < 1.1 * most[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE")
def test_pipes(here, frame, models, capsys):
    """Standard input, and a reader that reads two lines only."""
    pd.concat([frame] * 30).to_csv("d.csv", index=False)
    first = predicted(capsys, models["price"], "d.csv")["price"][0]
    command = f"{sys.executable} -m bpcore predict {models['price']} - --chunk 20"
    done = subprocess.run(
        ["bash", "-c", f"{command} < d.csv | head -2; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["price", first, "1"]
    assert done.stderr == ""
