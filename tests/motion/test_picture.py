"""Frames as pictures: the key of the classes, the colour bar, and the axes of E."""

import itertools

import numpy as np
import pytest

import bpcore as bp
from bpcore.motion import picture
from bpcore.motion.scene import PLANE, Frame

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 2))
TWO = (X[:, 0] > 0).astype(int)
DEEP = {"loss": "cross_entropy"}
P = "P(class 1) - 0.5"
PLANES = {  # outputs, settings, targets; label of the colour bar, classes in the key
    "sigmoid": (1, {"loss": "binary_cross_entropy"}, TWO, P, 2),
    "softmax": (2, DEEP, TWO, P, 2),
    "one-hot": (2, {}, np.eye(2)[TWO], "(a[1] - a[0]) / 2", 2),
    "tanh": (1, {"loss": "hinge", "output": "tanh"}, 2.0 * TWO - 1,
             "output a, class 1 above 0", 2),
    "identity": (1, {}, TWO, "output a - 0.5, class 1 above 0", 2),
    "three": (3, DEEP, np.arange(48) % 3, None, 3),
    "three one-hot": (3, {}, np.eye(3)[np.arange(48) % 3], None, 3),
    "eight": (8, DEEP, np.arange(48) % 8, None, 8),
    "ten": (10, DEEP, np.arange(48) % 10, None, 10),
    "twelve": (12, DEEP, np.arange(48) % 12, None, 10),
}  # fmt: skip


def drawn(monkeypatch, net, X, y, **settings):
    """The film of a fit, and the figure of its pictures."""
    from bpcore.show import figure

    figures, new = [], figure.new_figure
    monkeypatch.setattr(
        figure, "new_figure", lambda *size: figures.append(new(*size)) or figures[0]
    )
    film = bp.animate(net, X, y, progress=False, **settings)
    for _ in picture.pictures(film.scene, film.frames):
        pass
    return film, figures[0]


@pytest.mark.parametrize("kind", PLANES)
def test_the_key_has_the_colour_of_each_class(kind, monkeypatch):
    pytest.importorskip("matplotlib")
    n_out, settings, y, name, shown = PLANES[kind]
    net = bp.Network([2, 4, n_out], rng=0, **settings)
    film, figure = drawn(monkeypatch, net, X, y, epochs=2)
    main, _, *bars = figure.axes
    assert [bar.get_ylabel() for bar in bars] == ([] if name is None else [name])
    key = main.get_legend()
    texts = [text.get_text() for text in key.get_texts()]
    assert texts == [f"class {k}" for k in range(shown)]
    title = "first 10 of 12" if n_out == 12 else ""
    assert key.get_title().get_text().replace("None", "") == title
    (dots,) = [found for found in main.collections if len(found.get_offsets()) == 48]
    for k, line in enumerate(key.get_lines()):
        colours = dots.get_facecolors()[film.scene.y == k]
        assert len(colours) and colours == pytest.approx(
            np.broadcast_to(line.get_markerfacecolor(), colours.shape)
        )


@pytest.mark.parametrize("kind", ["sigmoid", "three", "twelve"])
def test_the_key_is_beside_the_title_and_within_the_picture(kind, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.text import Text

    n_out, settings, y, _, _ = PLANES[kind]
    net = bp.Network([2, 4, n_out], rng=0, **settings)
    _, figure = drawn(monkeypatch, net, X, y, epochs=2)
    draw, main = figure.canvas.get_renderer(), figure.axes[0]
    box = main.get_legend().get_window_extent(draw)
    words = main.get_title(loc="left")
    (found,) = [text for text in main.findobj(Text) if text.get_text() == words]
    title = found.get_window_extent(draw)
    assert not box.overlaps(title)
    assert not box.overlaps(main.patch.get_window_extent(draw).padded(-2))
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.bbox.y1


@pytest.mark.parametrize("factor", [1.5, 5, 20, 29, 31, 200, 900, 5e3, 1e6, 1e12])
def test_numbers_of_the_axis_of_E_do_not_touch(factor, monkeypatch):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.9), layout="constrained", dpi=picture.DPI)
    canvas = FigureCanvasAgg(figure)
    _, below = figure.subplots(2, 1, height_ratios=(4.2, 1))
    for low in (0.0013, 0.8):
        below.clear()
        losses = np.geomspace(low, low * factor, 9)
        frames = [Frame(k, "", E, np.zeros(0)) for k, E in enumerate(losses)]
        picture.draw_losses(below, frames)
        canvas.draw()
        draw, (y0, y1) = canvas.get_renderer(), below.get_ylim()
        ticks = [*below.yaxis.get_major_ticks(), *below.yaxis.get_minor_ticks()]
        boxes = [
            tick.label1.get_window_extent(draw)
            for tick in ticks
            if tick.label1.get_text() and y0 <= tick.get_loc() <= y1
        ]
        assert boxes
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_colours_of_many_classes_are_in_range(caplog):
    """matplotlib logs colours above 1, which rounding may give."""
    pytest.importorskip("matplotlib")
    film = bp.Animation(X, PLANES["twelve"][2])
    film.check(bp.Network([2, 4, 12], rng=0, **DEEP))
    values = np.linspace(0, 1, PLANE * PLANE, dtype="f4").reshape(PLANE, PLANE)
    winner = np.arange(PLANE * PLANE).reshape(PLANE, PLANE) % 12
    frame = Frame(0, "", 1.0, values, winner)
    assert len([*picture.pictures(film.scene, [frame])]) == 1
    assert not caplog.records
