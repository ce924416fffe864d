"""The demo: what it trains, reports and draws."""

import importlib.util
import inspect
import re
import struct
import sys

import numpy as np
import pytest

import bpcore
from bpcore.cli import demo_picture, main
from bpcore.cli import demo_training as demo
from bpcore.datasets import load_digits

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None,
    reason="matplotlib, which draws the picture, is not installed",
)


@needs_matplotlib
@pytest.mark.parametrize("name", ["demo", "demo.docx"])
def test_picture_of_no_known_kind(name, tmp_path, capsys):
    assert main(["demo", "--picture", str(tmp_path / name)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert ".png" in err


def test_demo_trains_and_reports(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--epochs", "2"]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no bar outside of a terminal
    assert "64-64-10" in out
    assert "2 epochs" in out
    assert bpcore.config()["isa"] in out
    assert "of 599" in out
    assert "Timing plain NumPy, 2 epochs\n" in out
    assert re.search(r" in plain NumPy, on .*: [\d.]+ times as long\n", out)
    assert "(18 lines of NumPy: bpcore.cli.demo_training.numpy_epoch)" in out
    assert "bpcore-demo.png" in out or 'pip install "bpcore[demo]"' in out


@needs_matplotlib
def test_demo_leaves_a_picture(tmp_path, capsys):
    from matplotlib.image import imread

    path = tmp_path / "demo.png"
    assert main(["demo", "--epochs", "2", "--picture", str(path)]) == 0
    assert str(path) in capsys.readouterr().out
    image = imread(path)
    assert min(image.shape[:2]) > 500
    assert image[..., :3].std() > 0.1  # not a blank page


def test_demo_without_matplotlib(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    path = tmp_path / "demo.png"
    assert main(["demo", "--epochs", "1", "--picture", str(path)]) == 0
    out = capsys.readouterr().out
    assert 'matplotlib is not installed; pip install "bpcore[demo]"' in out
    assert "1 epoch of" in out
    assert not path.exists()


def test_demo_says_when_numpy_is_not_held_to_one_thread(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    demo.run(epochs=1, picture=tmp_path / "demo.png")
    out, err = capsys.readouterr()
    assert "epoch 1/1" in err  # the bar, or a line without tqdm
    assert "in plain NumPy, on the threads of its BLAS: " in out


@pytest.mark.parametrize("sizes", [(64, 64, 10), (64, 10), (64, 20, 30, 10)])
@pytest.mark.parametrize("batch_size", [32, 1, 50])
def test_the_demo_is_timed_against_the_same_training(sizes, batch_size):
    """All weights after two epochs of both, with the same order of rows."""
    X, y = load_digits()
    X, y = X[:100].astype(np.float64) - 0.3, y[:100]
    net = bpcore.Network(
        sizes,
        activation="relu",
        loss="cross_entropy",
        optimizer=bpcore.SGD(lr=0.01, momentum=0.9),
        dtype="float64",
        rng=0,
    )
    W, b = ([x.copy() for x in arrays] for arrays in (net.weights, net.biases))
    velocity = [np.zeros_like(array) for array in (*W, *b)]
    for _ in range(2):
        demo.numpy_epoch(
            W, b, velocity, X, y, np.arange(100), batch_size, lr=0.01, momentum=0.9
        )
    net.fit(X, y, epochs=2, batch_size=batch_size, shuffle=False, progress=False)
    for own, other in zip((*W, *b), (*net.weights, *net.biases), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-12)


def test_what_the_demo_says_of_its_lines():
    source = inspect.getsource(demo.numpy_epoch)
    body = source.split('"""')[2].strip("\n").splitlines()
    assert len(body) == 18 and "18 lines" in demo.run.__doc__


def test_demo_on_mnist(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for part, n in (("train", 64), ("t10k", 32)):
        images = rng.integers(256, size=n * 784, dtype=np.uint8).tobytes()
        header = struct.pack(">4B3I", 0, 0, 8, 3, n, 28, 28)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header + images)
        header = struct.pack(">4BI", 0, 0, 8, 1, n)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(header + bytes(n))
    arguments = ["--mnist", str(tmp_path), "--picture", str(tmp_path / "demo.png")]
    assert main(["demo", *arguments, "--epochs", "1"]) == 0
    out = capsys.readouterr().out
    assert "784-128-10" in out
    assert "64 to train on, 32 held back" in out
    assert "of 32" in out


def test_mosaic_shows_every_unit_upright():
    n_in, n_out = 9, 5  # images of 3 x 3 pixels, in one row of 6 with the last left out
    W = np.arange(n_in * n_out, dtype=np.float32).reshape(n_in, n_out)
    mosaic = demo_picture.mosaic(W)
    assert mosaic.shape == (3, 6 * 4 - 1)
    for unit in range(n_out):
        left = unit * 4
        assert np.array_equal(mosaic[:, left : left + 3], W[:, unit].reshape(3, 3))
        assert np.isnan(mosaic[:, left + 3]).all()
    assert np.isnan(mosaic[:, 20:]).all()


def test_demo_learns_and_repeats(tmp_path, capsys):
    picture = tmp_path / "demo.png"
    first, history = demo.run(picture=picture)
    again, _ = demo.run(picture=picture)
    other, _ = demo.run(picture=picture, seed=1)
    assert len(history.loss) == 30
    assert history.loss[-1] < 0.1
    assert np.array_equal(first.parameters, again.parameters)
    assert not np.array_equal(first.parameters, other.parameters)
    accuracy = capsys.readouterr().out.split("accuracy")[1].split("%")[0]
    assert float(accuracy) > 95
