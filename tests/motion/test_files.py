"""Animations as GIF and as pages."""

import base64
import html
import io
import json
import re
import sys

import numpy as np
import pytest

import bpcore as bp
from bpcore.motion import animation
from bpcore.motion.page import page

DATA = {
    "fit": ([1, 4, 1], [[0.0], [1.0], [2.0]], [[1.0], [3.0], [2.0]]),
    "two": ([2, 4, 1], [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]),
    "three": ([2, 4, 3], [[0, 0], [0, 1], [1, 0]], [0, 1, 2]),
}
LOSSES = {"fit": None, "two": "binary_cross_entropy", "three": "cross_entropy"}


def film(kind="two", path=None, **settings):
    sizes, X, y = DATA[kind]
    net = bp.Network(sizes, activation="tanh", loss=LOSSES[kind], rng=0)
    settings = {"epochs": 1, "progress": False} | settings
    return bp.animate(net, X, y, path, **settings)


def constants(text):
    """The values in the script of a page."""
    found = re.findall(r"^const (images|labels|fps) = (.*);$", text, re.M)
    return {name: json.loads(value) for name, value in found}


@pytest.mark.parametrize("kind", DATA)
def test_a_gif(kind, tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    path = tmp_path / "a.gif"
    made = film(kind, path, fps=5)
    with Image.open(path) as image:
        assert (image.format, image.n_frames) == ("GIF", 2)
        pictures, durations = [], []
        for k in range(2):
            image.seek(k)
            durations.append(image.info["duration"])
            pictures.append(np.asarray(image.convert("RGB")))
    assert durations == [200, 2000]
    assert (pictures[0][2, 2] == 255).all()
    assert (pictures[0] != pictures[1]).any(axis=2).mean() > 0.001
    if kind == "two":  # the data keep their colours, however few they are
        for colour in ((140, 12, 37), (11, 63, 120)):
            apart = np.abs(pictures[1] - np.array(colour)).max(axis=2)
            assert (apart < 20).sum() > 100
    assert len(made) == 2 and [*tmp_path.iterdir()] == [path]


def test_a_page(tmp_path):
    pytest.importorskip("matplotlib")
    from PIL import Image

    path = tmp_path / "a.html"
    made = film(path=path, fps=4)
    text = path.read_text()
    found = constants(text)
    assert found["fps"] == 4
    labels = [f"epoch {k}, E = {made.loss[k]:#.4g}" for k in range(2)]
    assert found["labels"] == labels
    for encoded in found["images"]:
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            assert (image.format, image.width) == ("PNG", 640)
    assert len(found["images"]) == 2
    assert not re.search(r"https?:|src=|@import|url\(", text)  # one file, no network
    assert text.count("<script>") == text.count("</script>") == 1
    assert 'max="1"' in text


def test_texts_of_a_page_cannot_end_its_script():
    text = page("a <b> & </title>", [b"1"], ["</script><script>alert(1)"], 2)
    assert text.count("</script>") == 1 and "<title>a &lt;b&gt; &amp; " in text
    assert constants(text)["labels"] == ["</script><script>alert(1)"]


def test_what_a_notebook_shows():
    pytest.importorskip("matplotlib")
    made = film()
    shown = made._repr_html_()
    (inner,) = re.findall(r'srcdoc="([^"]*)"', shown)
    assert len(constants(html.unescape(inner))["images"]) == 2
    assert 'sandbox="allow-scripts"' in shown
    assert bp.Animation(*DATA["two"][1:])._repr_html_() == (
        "<pre>&lt;Animation of 0 frames&gt;</pre>"
    )


def test_a_file_stays_as_it_was_if_writing_fails(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.gif"
    path.write_bytes(b"old")
    made = film()

    def fails(*_):
        raise KeyError("mine")

    monkeypatch.setattr(animation, "gif", fails)
    with pytest.raises(KeyError):
        made.save(path)
    assert path.read_bytes() == b"old" and [*tmp_path.iterdir()] == [path]
    monkeypatch.setattr(animation, "gif", lambda *_: b"new")
    made.save(path)
    assert path.read_bytes() == b"new"


def test_bad_arguments_of_save(tmp_path):
    pytest.importorskip("matplotlib")
    made = film()
    with pytest.raises(ValueError, match=r"^the suffix of path must be one of"):
        made.save(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"^fps must be above 0"):
        made.save(tmp_path / "a.gif", fps=51)
    with pytest.raises(ValueError, match=r"^save needs at least one frame"):
        bp.Animation(*DATA["two"][1:]).save(tmp_path / "a.gif")
    assert not [*tmp_path.iterdir()]


def test_without_matplotlib(monkeypatch, tmp_path):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "bpcore.show.figure", raising=False)
    made = film()  # recorded all the same
    assert made._repr_html_().startswith("<pre>&lt;Animation of 2 frames")
    with pytest.raises(ImportError, match="pip install matplotlib"):
        film(path=tmp_path / "a.gif")
