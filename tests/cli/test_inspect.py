"""`bpcore inspect`: what it says of files."""

import json
import pathlib
import re
import sys

import bpcore as bp
from bpcore.cli import facts, main


def inspected(path, capsys):
    assert main(["inspect", path]) == 0
    text, err = capsys.readouterr()
    assert err == ""
    assert main(["inspect", path, "--json"]) == 0
    return text, json.loads(capsys.readouterr().out)


def test_a_table(models, capsys):
    text, found = inspected(models["kind"], capsys)
    assert f"{models['kind']}: tabular.Classifier, " in text
    assert f"format 1, by bpcore {bp.__version__}\n" in text
    assert "self-test: passed, with the same bits\n" in text
    assert "target: kind\n" in text and "2 classes: no, yes\n" in text
    model = bp.load(models["kind"])
    (network,) = model.networks_
    assert f"{network.parameters.size:,} parameters in float32" in text
    assert "optimizer" not in text  # a file for predictions has none
    assert found["target"] == "kind" and found["classes"] == ["no", "yes"]
    columns = {column["name"]: column for column in found["columns"]}
    assert [*columns] == ["size", "holes", "colour", "flag", "zip"]
    scale = model.encoder_.numbers.scale
    assert columns["holes"] == {
        "name": "holes",
        "kind": "numbers",
        "centre": scale.centre[1],
        "scale": 1 / scale.factor[1],
        "had_missing_values": True,
    }
    assert columns["colour"]["categories"] == ["blue", "gr\u00fcn, hell", "red"]
    assert columns["flag"]["categories"] == [False, True]
    (of_network,) = found["networks"]
    assert of_network["training_loss"] == model.histories_[0].loss.tolist()
    assert of_network["epochs"] == 2
    by = model.histories_[0].metrics["validation_error"].tolist()
    assert of_network["metrics"] == {"validation_error": by}
    assert of_network["best_by"] == "validation_error"
    assert "History, of 2 epochs; the best by validation error\n" in text
    assert 'blue, "gr\u00fcn, hell", red' in text


def test_a_network(here, capsys):
    net = bp.Network(
        [3, 5, 2],
        norm="batch",
        dropout=0.25,
        optimizer=bp.Adam(0.01),
        dtype="float64",
        input_scale=2.0,
        rng=0,
    )
    net.fit([[1.0, 2.0, 3.0]] * 4, [[1.0, 0.0]] * 4, epochs=20, progress=False)
    net.save("n.bpc")
    text, found = inspected("n.bpc", capsys)
    assert "n.bpc: network, " in text and "optimizer: Adam(lr=0.01)" in text
    (network,) = found["networks"]
    assert [layer["parameters"] for layer in network["layers"]] == [25, 12]
    assert network["parameters"] == net.parameters.size == 25 + 12 + 3
    assert network["layers"][0]["norm"] == "batch"
    assert network["layers"][0]["dropout"] == 0.25
    assert network["dtype"] == "float64"
    assert "activation  norm   dropout  parameters\n" in text
    assert re.search(r"\n  scale +3\n  0 +3 +5 ", text)  # the parameters add up
    assert "History, of 20 epochs\n" in text  # nothing about what is not known
    for epoch in (1, 16, 17, 18, 19, 20):
        assert re.search(rf"\n  {epoch}\b", text)
    assert "\n  15 " not in text


def test_a_network_without_history(here, capsys):
    bp.Network([3, 1], rng=0).save("n.bpc")
    text, found = inspected("n.bpc", capsys)
    assert "\n  layer  inputs  outputs  activation  parameters\n" in text
    assert "History: none" in text and found["networks"][0]["epochs"] == 0


def test_a_file_of_another_kind_has_no_optimizer_or_loss(here, capsys):
    bp.Network([3, 2], loss="cross_entropy", rng=0).to_onnx("n.onnx")
    text, found = inspected("n.onnx", capsys)
    assert "optimizer" not in text and "loss" not in text
    assert "optimizer" not in found and found["networks"][0]["loss"] is None


def test_a_fit_that_can_go_on(here, capsys):
    net = bp.Network([1, 4, 1], rng=0)
    X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    how = {"epochs": 3, "batch_size": 1, "progress": False}
    net.fit(X, y, validation=(X, y), callbacks=[bp.Checkpoint("a.bpc")], **how)
    text, found = inspected("a.bpc", capsys)
    assert "\nfit: it can go on after epoch 3: fit(resume=...)\n" in text
    assert "History, of 3 epochs; the best by validation loss\n" in text
    assert found["fit"] == {"rows_of_epoch": 0, "monitor": "validation_loss"}
    net.fit(X, y, batch_callbacks=[bp.Checkpoint("b.bpc", every=8)], **how)
    text, found = inspected("b.bpc", capsys)
    assert "fit: it can go on after epoch 2, and 2 rows of the next: fit(re" in text
    net.save("c.bpc")
    assert "fit:" not in inspected("c.bpc", capsys)[0]


def test_several_networks(here, frame, capsys):
    from bpcore.tabular import Regressor

    model = Regressor(quick=True, epochs=9, n_models=2, random_state=0)
    model.fit(frame[["size"]], frame["price"]).save("m.bpc")
    text, found = inspected("m.bpc", capsys)
    assert "2 networks, each with" in text
    assert "History of network 2 of 2, of 9 epochs; the best by validation loss" in text
    assert len(found["networks"]) == 2


def test_a_self_test_that_passes_but_for_rounding(models, capsys, monkeypatch):
    import warnings

    def rounded(path):
        warnings.warn("within a tolerance", UserWarning, stacklevel=1)
        return bp.load(path)

    monkeypatch.setattr(facts, "loaded", rounded)
    text, _ = inspected(models["kind"], capsys)
    assert "self-test: passed, but for rounding\n" in text


def test_texts_are_shown_as_they_are(here, frame, capsys):
    """Brackets and colons mean colours and pictures to the library for tables.

    Characters that control a terminal are escaped.
    """
    from bpcore.tabular import Regressor

    X = frame[["size"]].set_axis(["[red]x[/] :smile: \x1b[31m"], axis=1)
    model = Regressor(quick=True, epochs=1, random_state=0).fit(X, frame["price"])
    model.save("m.bpc")
    text, _ = inspected("m.bpc", capsys)
    assert "\n  [red]x[/] :smile: \\x1b[31m  numbers" in text


def test_a_terminal_has_bold_titles_and_its_width(models, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "50")
    assert main(["inspect", models["price"]]) == 0
    out = capsys.readouterr().out
    assert "\x1b[1mLayers\x1b[0m\n" in out
    plain = re.sub(r"\x1b\[\d*m", "", out)
    assert "\x1b" not in plain
    lengths = [len(line) for line in plain.split("\n") if line.startswith("  ")]
    assert max(lengths) <= 50
    assert "\u2026" not in plain  # nothing is cut off


def test_a_damaged_file(here, models, capsys):
    data = pathlib.Path(models["price"]).read_bytes()
    (here / "m.bpc").write_bytes(data[:-100])
    assert main(["inspect", "m.bpc"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("bpcore: error: m.bpc: ") and err.count("\n") == 1
