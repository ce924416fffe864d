"""One rule of colours in all pictures: red above 0, blue below, white 0."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.show.colours import SIGNED, colour_of, text_colour_on


def redness(colour):
    """Red less blue, of numbers from 0 to 1 or of #rrggbb."""
    if isinstance(colour, str):
        colour = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return colour[0] - colour[2]


def test_pages_and_pictures_have_the_same_colours():
    matplotlib = pytest.importorskip("matplotlib")
    for share in np.linspace(-1, 1, 9):
        colour = matplotlib.colormaps[SIGNED](0.5 + share / 2)
        page = [int(colour_of(share)[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        near = 0.01 if share in (-1, 0, 1) else 0.2  # between them a little paler
        np.testing.assert_allclose(page, colour[:3], atol=near)
        assert np.sign(redness(colour_of(share))) == np.sign(share)


def test_numbers_that_cannot_be_negative_have_the_red_half():
    pytest.importorskip("matplotlib")
    from bpcore.show.figure import colours_of

    one_sided, signed = colours_of(2.0, signed=False), colours_of(2.0)
    assert (one_sided["vmin"], one_sided["vmax"]) == (0, 2)
    assert (signed["vmin"], signed["vmax"], signed["cmap"]) == (-2, 2, SIGNED)
    from matplotlib import colormaps

    for share in (0.0, 0.3, 1.0):
        expected = colormaps[SIGNED](0.5 + share / 2)
        np.testing.assert_allclose(one_sided["cmap"](share), expected, atol=0.02)


def test_text_is_measured_as_it_is_drawn():
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from bpcore.show.figure import figure_of_axes, text_extent

    axes = figure_of_axes(4, 2)
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    for text in ("-0.123", "1", "+1.2e-05"):
        drawn = axes.text(0, 0, text, fontsize=7.5).get_window_extent(
            canvas.get_renderer()
        )
        width, height = np.array(text_extent(text, 7.5)) * axes.figure.dpi
        assert width == pytest.approx(drawn.width, rel=0.1, abs=1)
        assert height == pytest.approx(drawn.height, rel=0.1, abs=2)


def test_the_demo():
    """Its weights and its counts."""
    pytest.importorskip("matplotlib")
    from bpcore.cli.demo_picture import draw
    from bpcore.show.figure import new_figure

    net = bp.Network([4, 3, 2], loss="cross_entropy", rng=0)
    data = {"validation": (np.eye(4), [0, 1, 0, 1]), "progress": False}
    history = net.fit(np.eye(4), [0, 1, 0, 1], epochs=2, **data)
    figure = new_figure(8, 6)
    draw(figure, net, history, np.array([[30, 1], [0, 20]]))
    counts, weights = (axes.images[0] for axes in figure.axes if axes.images)
    low, high = weights.get_clim()
    assert weights.get_cmap().name == SIGNED and low == -high < 0
    assert redness(weights.to_rgba(np.array([high]))[0]) > 0
    assert counts.get_clim() == (0, 1)
    (_, confusion, *_) = figure.axes
    assert [text.get_text() for text in confusion.texts] == ["30", "1", "", "20"]
    for text, share in zip(confusion.texts, counts.get_array().flat, strict=True):
        assert text.get_color() == text_colour_on(colour_of(share))
    assert confusion.texts[0].get_color() == "#ffffff"
    assert confusion.texts[1].get_color() == "#000000"


def test_confusion_and_explanation():
    pytest.importorskip("matplotlib")
    from bpcore.show.figure import new_figure
    from bpcore.tabular.explanation import Explanation
    from bpcore.tabular.plots import confusion

    axes = new_figure(4, 4).subplots()
    labels = np.array([0, 0, 0, 1])
    confusion(axes, np.array([0, 0, 0, 1]), labels, ["no", "yes"])
    image = axes.images[0]
    assert image.get_clim() == (0, 1) and redness(image.to_rgba(np.ones(1))[0]) > 0
    drop = np.array([0.5, -0.01])
    found = Explanation(("a", "b"), drop, abs(drop), abs(drop), "drop of the score")
    left, right = found.plot().axes
    colours = [redness(bar.get_facecolor()) for bar in left.patches]
    assert colours[0] < 0 < colours[1]  # the most important at the top
    assert all(redness(bar.get_facecolor()) > 0 for bar in right.patches)
