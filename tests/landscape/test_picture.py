"""Loss surfaces as pictures."""

import sys

import numpy as np
import pytest

import bpcore as bp

DATA = [[0.0], [1.0], [2.0]], [[1.0], [3.0], [5.0]]


def surface(loss="squared_error", **settings):
    net = bp.Network([1, 1], loss=loss, dtype="float64", rng=0)
    optimizers = {"SGD": bp.SGD(0.1), "Adam": bp.Adam(0.1)}
    settings = {"points": 9, "optimizers": optimizers, "steps": 5} | settings
    return bp.loss_surface(net, *DATA, **settings)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_contours_and_paths():
    pytest.importorskip("matplotlib")
    found = surface(parameters=[("W", 0, 0, 0), ("b", 0, 0)])
    figure = found.plot()
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("W[0][0, 0]", "b[0][0]")
    assert axes.get_xlim() == pytest.approx(found.axes[0][[0, -1]])
    for name, path in found.paths.items():
        drawn = [line for line in axes.lines if line.get_label().startswith(name)]
        assert np.array_equal(drawn[0].get_xydata(), path.points)
        assert f"E = {path.loss[-1]:.4g} after 5 steps" in drawn[0].get_label()
    assert f"the network: E = {found.loss:.4g}" in texts(figure)
    assert axes.get_legend().get_title().get_text() in ("", "None")
    assert found._repr_png_().startswith(b"\x89PNG")
    # E cannot be below 0: the red half of the colours, on its own range.
    colours = axes.collections[0].get_cmap()(np.linspace(0, 1, 9))
    assert (colours[:, 0] >= colours[:, 2] - 0.01).all()


def test_projected_paths_are_named_so():
    pytest.importorskip("matplotlib")
    figure = surface().plot()
    title = figure.axes[0].get_legend().get_title().get_text()
    assert title == "paths: training of all parameters, projected"


def test_losses_below_0_have_both_colours():
    pytest.importorskip("matplotlib")
    found = surface(lambda a, y: ((a - y) ** 2).mean() - 2)
    norm = found.plot().axes[0].collections[0].norm
    assert found.E.min() < 0 and norm.vmin == -norm.vmax


def test_infinite_losses_are_left_out():
    pytest.importorskip("matplotlib")
    found = surface(parameters=[("W", 0, 0, 0), ("b", 0, 0)],
                    ranges=[(0, 1e160), (0, 1)], optimizers=None)  # fmt: skip
    assert np.isinf(found.E).any() and np.isfinite(found.E).any()
    found.plot()._repr_png_()
    assert "inf" not in repr(found)
    nothing = surface(ranges=[(1e200, 1e201), (1e200, 1e201)], optimizers=None)
    assert "no E" in repr(nothing)
    with pytest.raises(ValueError, match=r"^plot needs at least one finite E"):
        nothing.plot()


def test_a_flat_surface_is_drawn():
    pytest.importorskip("matplotlib")
    found = surface(lambda a, y: ((a - a) * y).mean(), optimizers=None)
    assert not found.E.any()
    assert found._repr_png_().startswith(b"\x89PNG")


NAMES = ["_a", "$x^{$", "$x$", "a_b^c", r"\alpha", "%", "", "__", "Adam & SGD"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_optimizers_are_shown_as_they_are(name):
    pytest.importorskip("matplotlib")
    found = surface(optimizers={name: bp.SGD(0.1), "other": bp.SGD(0.2)})
    figure = found.plot()
    first, second, last = texts(figure)
    assert first == f"{name}: E = {found.paths[name].loss[-1]:.4g} after 5 steps"
    assert second.startswith("other: ") and last.startswith("the network: ")
    shown = figure.axes[0].get_legend().get_texts()
    assert not any(text.get_parse_math() for text in shown)
    assert found._repr_png_().startswith(b"\x89PNG")


def test_into_given_axes():
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert surface().plot(axes) is axes.figure


@pytest.mark.parametrize("axes", [3, "3d", "polar"])
def test_other_axes_raise(axes):
    pytest.importorskip("matplotlib")
    if isinstance(axes, str):
        from matplotlib.figure import Figure

        axes = Figure().add_subplot(projection=axes)
    found = surface()
    with pytest.raises(TypeError, match=r"^axes must be Axes of matplotlib's, not 3-D"):
        found.plot(axes)


def test_without_matplotlib(monkeypatch):
    found = surface()
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "bpcore.show.figure", raising=False)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        found.plot()
    assert found._repr_png_() is None
