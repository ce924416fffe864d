"""Pictures of traces."""

import io
import sys

import numpy as np
import pytest

import bpcore as bp
from helpers.trace import problem


def texts(figure):
    """All that is written in a figure."""
    from matplotlib.text import Text

    return [found.get_text() for found in figure.findobj(Text) if found.get_text()]


def saved(figure):
    """How many bytes its PNG has."""
    pytest.importorskip("matplotlib")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    assert buffer.getvalue().startswith(b"\x89PNG")
    return len(buffer.getvalue())


@pytest.mark.parametrize("row", [None, 0, np.int64(2)])
def test_a_small_network_is_drawn_as_nodes_and_edges(row):
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(3, 4, 2), n=3, optimizer=bp.SGD(0.5))
    t = bp.trace(net, X, y)
    figure = t.plot(row=row)
    words = texts(figure)
    title = next(word for word in words if word.startswith("Step 1: "))
    assert f"E = {t.loss:.4g} " in title
    assert "of 3 rows; " in title
    assert ("mean a" if row is None else f"of row {row}") in title
    nodes = [word for word in words if word.startswith("a ")]
    assert len(nodes) == 3 + 4 + 2
    for m, a in enumerate(t.a):
        for j in range(a.shape[1]):
            shown = nodes.pop(0).split()
            expected = a[:, j].mean() if row is None else a[row, j]
            assert float(shown[1]) == pytest.approx(expected, rel=1e-2)
            if m:
                delta = t.delta[m - 1][:, j]
                expected = delta.sum() if row is None else delta[row]
                assert float(shown[3]) == pytest.approx(expected, rel=0.1)
    for W, after in zip(t.before.weights, t.after.weights, strict=True):
        for old, new in zip(W.ravel(), after.ravel(), strict=True):
            assert f"{old:.3g}\n{new - old:+.2g}" in words
    assert [word for word in words if word in ("input", "tanh", "softmax")]
    assert len(figure.axes[0].lines) == 3 * 4 + 4 * 2
    assert saved(figure) > 1000


def test_a_picture_shows_itself_in_a_notebook():
    pytest.importorskip("matplotlib")
    net, X, y = problem()
    assert bp.trace(net, X, y).plot()._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["trace", "flow"])
def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, kind):
    net, X, y = problem()
    t, flow = bp.trace(net, X, y), bp.GradientFlow(X, y)
    flow.record(net, 1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "bpcore.show.figure", raising=False)
    monkeypatch.delattr(bp, "_figure", raising=False)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        (t if kind == "trace" else flow).plot()


@pytest.mark.parametrize("row", [None, 4])
def test_a_large_network_is_drawn_as_maps(row):
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(9, 12, 3), n=5)
    t = bp.trace(net, X, y)
    figure = t.plot(row)
    maps = [image.get_array() for axes in figure.axes for image in axes.images]
    rows = slice(None) if row is None else slice(row, row + 1)
    expected = []
    for l in range(2):
        W, after = t.before.weights[l], t.after.weights[l]
        expected += [t.a[l + 1][rows], t.delta[l][rows], W, after - W]
    assert len(maps) == len(expected)
    for found, array in zip(maps, expected, strict=True):
        assert np.array_equal(found, array)
    titles = {"a[1] = tanh(z[0])", "delta[1]", "W[0]", "W[1], after - before"}
    assert titles <= set(texts(figure))
    assert saved(figure) > 1000


def test_a_step_of_nothing_is_drawn():
    """Where nothing changes, and all is 0."""
    pytest.importorskip("matplotlib")
    for sizes in ((2, 2), (2, 9)):
        net = bp.Network(sizes, init="zeros")
        saved(bp.trace(net, [[0.0, 0.0]], [[0.0] * sizes[1]]).plot())


@pytest.mark.parametrize("sizes", [(3, 2), (9, 2)])
@pytest.mark.parametrize(
    "row, error",
    [(5, IndexError), (-1, IndexError), (1.0, TypeError), ("1", TypeError),
     (True, TypeError)],
)  # fmt: skip
def test_rows_that_are_not_there_are_not_drawn(sizes, row, error):
    pytest.importorskip("matplotlib")
    t = bp.trace(*problem(sizes=sizes))
    with pytest.raises(error, match=f"row must be .*got {row!r}"):
        t.plot(row=row)


@pytest.mark.parametrize("sizes", [(3, 2), (9, 2)])
def test_no_picture_without_matplotlib(monkeypatch, sizes):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    t = bp.trace(*problem(sizes=sizes))
    with pytest.raises(ImportError, match="matplotlib"):
        t.plot()
    assert str(t) and t._repr_html_()
