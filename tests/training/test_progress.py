"""The progress bar and lines of a fit."""

import subprocess
import sys

import pytest

import bpcore as bp
from bpcore.training.progress import summary
from bpcore.training.record import Record
from helpers import recorded_bars
from helpers.fit import LABELS, TARGETS, X, diverging, python, small


@pytest.mark.parametrize("validation", [None, (X, LABELS)], ids=["plain", "validated"])
@pytest.mark.parametrize("tqdm", ["tqdm", None], ids=["bar", "lines"])
def test_progress_is_shown_on_stderr(tqdm, validation, monkeypatch, capsys):
    if tqdm is None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    else:
        pytest.importorskip("tqdm")
    history = small().fit(X, LABELS, epochs=3, validation=validation)
    out, err = capsys.readouterr()
    last = err.replace("\r", "\n").strip().splitlines()[-1]
    assert out == ""
    assert "epoch 3/3" in last and f"loss {history.loss[-1]:.4g}" in last
    assert ("validation" in last) == (validation is not None)
    assert ("100%|" in last) == (tqdm is not None)  # of the rows
    assert err.endswith("\n")


def test_the_bar_has_80_columns_for_both_losses(monkeypatch, capsys):
    pytest.importorskip("tqdm")
    monkeypatch.setenv("COLUMNS", "80")
    history = small().fit(X, LABELS, epochs=256, validation=(X, LABELS))
    last = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    losses = (
        f"loss {history.loss[-1]:.4g}, validation {history.validation_loss[-1]:.4g}"
    )
    assert last.endswith(f", {losses}") and len(last) <= 80
    assert last.startswith("epoch 256/256: 100%|") and last.count("\u2588") == 10


def test_a_bar_without_the_number_of_rows(capsys):
    pytest.importorskip("tqdm")
    small().fit(iter([(X, LABELS)] * 2), epochs=1)
    last = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith(f"epoch 1/1: {2 * len(X)} rows, ")


def test_silence(capfd):
    small().fit(X, LABELS, validation=(X, LABELS), progress=False)
    assert capfd.readouterr() == ("", "")


def test_lines_tell_of_the_last_epoch_however_it_ends(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    stop = [lambda net, history: len(history) == 3]
    small().fit(X, LABELS, epochs=100, callbacks=stop)
    assert "epoch 3/100" in capsys.readouterr().err.splitlines()[-1]


def test_an_error_closes_the_bar(monkeypatch, capsys):
    bars = recorded_bars(monkeypatch)
    with pytest.raises(bp.DivergenceError) as caught:
        diverging().fit(X, TARGETS, epochs=1000)
    assert caught.tb and bars and all(bar.disable for bar in bars)
    assert capsys.readouterr().err.endswith("\n")


def test_no_thread_outlives_the_fit():
    pytest.importorskip("tqdm")
    # In a process of its own, where no bar has been shown before.
    code = (
        "import threading, bpcore as bp; "
        "bp.Network([1, 1]).fit([[1.0]], [[1.0]]); "
        "print(threading.active_count())"
    )
    with python(code, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.read() == "1\n"


def test_a_line_of_many_metrics_is_short():
    names = ["x" * 10**6, *(f"m{i}" for i in range(1000))]
    record = Record.of({"loss": [1.0]} | {name: [2.0] for name in names})
    text = summary(record)
    assert len(text) < 1000
    assert text.startswith("loss 1, xxx") and text.endswith(", m999 2")
