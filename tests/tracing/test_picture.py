"""Pictures of traces."""

import io
import itertools
import sys

import numpy as np
import pytest

import bpcore as bp
from bpcore.tracing.picture_numbers import short
from bpcore.tracing.picture_places import free_places
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


def parts(figure):
    """Boxes of texts, of labels of edges, and of nodes; lines; all in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    labels = [t for t in axes.texts if t.get_bbox_patch() is not None]
    plain = [t for t in axes.texts if t.get_bbox_patch() is None]
    draw = canvas.get_renderer()
    return (
        [t.get_window_extent(draw) for t in plain],
        [t.get_window_extent(draw) for t in labels],
        [patch.get_window_extent(draw) for patch in axes.patches],
        [
            lines.get_transform().transform(line)
            for lines in axes.collections
            for line in lines.get_segments()
        ],
    )


def crosses(box, line):
    """Whether a line meets a box, by clipping it at the four sides."""
    start, step = line[0], line[1] - line[0]
    enter, leave = 0.0, 1.0
    for k, (low, high) in enumerate([(box.x0, box.x1), (box.y0, box.y1)]):
        if step[k] == 0:
            if not low < start[k] < high:
                return False
            continue
        one, other = sorted([(low - start[k]) / step[k], (high - start[k]) / step[k]])
        enter, leave = max(enter, one), min(leave, other)
    return enter < leave


def pairs_that_touch(boxes, others=None):
    pairs = itertools.combinations(boxes, 2)
    if others is not None:
        pairs = itertools.product(boxes, others)
    return [(one, other) for one, other in pairs if one.overlaps(other)]


LABELLED = {
    (1, 1): 1,
    (2, 1): 2,
    (2, 2, 1): 6,
    (2, 3, 2): 12,
    (3, 4, 2): 20,
    (4, 4): 16,
    (8, 1): 8,
    (1, 8): 8,
    (5, 3): 15,
    (4, 8, 8, 3): 0,
    (8, 8, 8, 8): 0,
    (8, 8, 1): 8,
    (2, 3, 3, 3, 3, 3, 3, 3, 2): 6 + 6 * 9 + 6,
}
OPTIONS = [
    {},
    {"norm": "layer"},
    {"norm": "batch", "input_scale": 2.0},
    {"dropout": 0.4, "output": "tanh", "loss": "squared_error"},
]


@pytest.mark.parametrize("sizes", LABELLED, ids=str)
def test_nothing_lies_over_anything(sizes):
    """Labels are on their own edge only, and either all or none of a layer."""
    pytest.importorskip("matplotlib")
    number = list(LABELLED).index(sizes)
    show = ("weights", "gradient", "change")[number % 3]
    options = OPTIONS[number % len(OPTIONS)] if len(sizes) > 2 else {}
    options = {"output": "identity", "loss": "squared_error"} | options
    net, X, y = problem(sizes=sizes, optimizer=bp.SGD(0.1), **options)
    figure = bp.trace(net, X, y).plot(row=1, show=show)
    texts, labels, patches, lines = parts(figure)
    assert pairs_that_touch([*texts, *labels]) == []
    assert pairs_that_touch(labels, patches) == []
    assert pairs_that_touch(patches) == []
    for text, patch in pairs_that_touch(texts, patches):  # only text of the node
        assert patch.x0 < text.x0 < text.x1 < patch.x1
        assert patch.y0 < text.y0 < text.y1 < patch.y1
    for box in labels:
        assert sum(crosses(box, line) for line in lines) == 1
    for box in [*texts, *labels, *patches]:
        assert 0 < box.x0 < box.x1 < figure.bbox.width
        assert 0 < box.y0 < box.y1 < figure.bbox.height
    assert len(labels) == LABELLED[sizes]
    assert len(patches) == sum(sizes) + sizes[-1] + 1
    assert len(lines) == sum(a * b for a, b in itertools.pairwise(sizes)) + (
        2 * sizes[-1]
    )


def test_large_and_small_numbers_stay_in_their_nodes():
    pytest.importorskip("matplotlib")
    for factor in (1e-6, 1e6):
        net, X, y = problem("identity", "squared_error", (2, 2), optimizer=bp.SGD(0.1))
        net.weights[0][...] *= -1
        figure = bp.trace(net, factor * X, -factor * y).plot(show="gradient")
        texts, labels, patches, _ = parts(figure)
        assert any("e" in text.get_text() for text in figure.axes[0].texts)
        assert len(labels) == 4
        for text, patch in pairs_that_touch(texts, patches):
            assert patch.x0 < text.x0 < text.x1 < patch.x1


@pytest.mark.parametrize("axes", [3, "3d", "polar"])
def test_other_axes_raise(axes):
    pytest.importorskip("matplotlib")
    if isinstance(axes, str):
        from matplotlib.figure import Figure

        axes = Figure().add_subplot(projection=axes)
    net, X, y = problem()
    with pytest.raises(TypeError, match=r"^axes must be Axes of matplotlib's, not 3-D"):
        bp.trace(net, X, y).plot(axes=axes)
    with pytest.raises(TypeError, match=r"^axes must be Axes of matplotlib's, not 3-D"):
        net.fit(X, y, epochs=1, progress=False).plot(axes)


def test_in_axes_of_any_size_as_well():
    """All becomes smaller together."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    net, X, y = problem(sizes=(2, 3, 2), n=3)
    for width, layout in ((3, "none"), (6, "constrained"), (20, "none")):
        figure = Figure((width, 5), layout=layout)
        axes = figure.subplots()
        assert bp.trace(net, X, y).plot(axes=axes) is figure
        texts, labels, patches, lines = parts(figure)
        assert len(labels) == 12
        assert pairs_that_touch([*texts, *labels]) == []
        assert pairs_that_touch(labels, patches) == []
        for box in labels:
            assert sum(crosses(box, line) for line in lines) == 1


def test_labels_without_room_are_left_out():
    extents = np.full((2, 1, 2), 0.2)
    for column in (True, False):
        for distance, gap, room in (
            (1.0, 1.0, True),
            (0.1, 1.0, False),
            (1, 0.4, False),
        ):
            right = np.array([0, distance])
            found = free_places(np.zeros(1), right, gap, extents, column)
            assert (found is not None) == room


@pytest.mark.parametrize("show", ["weights", "gradient", "change"])
@pytest.mark.parametrize("row", [None, 0, np.int64(2)])
def test_a_small_network_is_drawn_as_nodes_and_edges(row, show):
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(3, 4, 2), n=3, optimizer=bp.SGD(0.5))
    t = bp.trace(net, X, y)
    (axes,) = t.plot(row=row, show=show).axes
    words = [text.get_text() for text in axes.texts]
    rows = slice(None) if row is None else slice(row, row + 1)
    shown = iter(words)
    next(shown)  # the title
    edges = {
        "weights": t.before.weights,
        "gradient": [
            a[rows].T @ d[rows] for a, d in zip(t.a[:-1], t.delta, strict=True)
        ],
        "change": [
            b - a for a, b in zip(t.before.weights, t.after.weights, strict=True)
        ],
    }[show]
    written = [text for text in axes.texts if text.get_bbox_patch() is not None]
    numbers = sorted(float(text.get_text()) for text in written)
    expected = np.sort(np.concatenate([W.ravel() for W in edges]))
    np.testing.assert_allclose(numbers, expected, rtol=0.06)
    if row is None and show == "gradient":
        for W, dW in zip(edges, t.dW, strict=True):
            np.testing.assert_allclose(W, dW)
    for a in t.a:
        for x in a[rows].mean(axis=0):
            assert short(x) in words
    for l, delta in enumerate(t.delta):
        for j, x in enumerate(delta[rows].sum(axis=0)):
            assert f"δ {short(x, 2)}" in words
            b, after = t.before.biases[l][j], t.after.biases[l][j]
            below = {
                "weights": f"b {short(b)}",
                "gradient": f"db{'' if row is None else f'_{row}'} {short(x, 2)}",
                "change": f"Δb {short(after - b, 2, '+')}",
            }
            assert below[show] in words
    for x in y[rows].mean(axis=0):
        assert short(x) in words
    whole = f"E = {t.loss:.4g}"
    own = "" if row is None else f"E_{row} = {t.losses[row]:.4g}\n"
    assert f"{own}{whole}" in words
    assert {"a[0]", "input", "tanh", "softmax", "y", "E", "cross entropy"} <= {*words}


@pytest.mark.parametrize("row, what", [(None, "means of a and y"), (1, "row 1 of 3")])
def test_the_title_says_which_rows(row, what):
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(3, 4, 2), n=3, norm="batch")
    t = bp.trace(net, X, y)
    said = {}
    for show in ("weights", "gradient", "change"):
        title = t.plot(row, show=show).axes[0].texts[0].get_text()
        said[show] = " ".join(title.split())
        assert f"Step 1 on 3 rows: E = {t.loss:.4g}" in said[show]
        assert what in said[show]
    assert "dW is the sum over all rows" in said["weights"]
    assert "a[i] δ[j]" in said["gradient"] and "du[j]" in said["gradient"]
    assert ("of this row" if row else "sum of a[i] δ[j]") in said["gradient"]
    assert "made by all 3 rows together" in said["change"]
    net, X, y = problem(sizes=(3, 4, 2), n=1)
    alone = bp.trace(net, X, y)
    title = alone.plot(show="change").axes[0].texts[0].get_text()
    assert "sum" not in title and "together" not in title


def test_the_first_row_is_drawn_by_default():
    pytest.importorskip("matplotlib")
    t = bp.trace(*problem(sizes=(3, 2), n=3))
    words, first, other = (texts(t.plot(*row)) for row in ((), (0,), (1,)))
    assert words == first != other


def test_red_is_above_0_and_blue_below():
    """In nodes and edges, the stronger the larger."""
    pytest.importorskip("matplotlib")
    net = bp.Network([3, 1], init="zeros", optimizer=bp.SGD(1.0))
    net.weights[0][:, 0] = [0.5, -1.0, 0.0]
    t = bp.trace(net, [[2.0, 0.0, -1.0]], [[-2.0]])
    (axes,) = t.plot(row=0).axes
    edges = axes.collections[0]  # by the size of their numbers
    grey, red, blue = (np.subtract(*c[:3:2]) for c in edges.get_colors())
    assert blue < grey == 0 < red
    assert (np.diff(edges.get_linewidths()) > 0).all()
    nodes = [np.subtract(*patch.get_facecolor()[:3:2]) for patch in axes.patches]
    assert nodes[0] > 0 == nodes[1] > nodes[2]  # inputs
    assert nodes[4] < nodes[2]  # y
    faint = t.plot(row=0, limit=100.0).axes[0].patches[0].get_facecolor()
    assert min(faint) > 0.9 > min(axes.patches[0].get_facecolor())
    keys = [image.get_array()[0] for image in axes.images]
    assert len(keys) == 2
    for key in keys:  # blue at the left, red at the right
        assert key[0][0] < key[0][2] and key[-1][0] > key[-1][2]
    t = bp.trace(net, [[2.0, 0.0, 1.0]], [[2.0]])
    key = t.plot().axes[0].images[0].get_array()[0]
    assert np.ptp(key[0]) < 0.01 and key[-1][0] > key[-1][2]


def test_units_that_dropped_out_have_dashes():
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(2, 6, 2), dropout=0.5, n=2)
    t = bp.trace(net, X, y)
    (axes,) = t.plot(row=1).axes
    dashed = [patch.get_linestyle() in ("--", "dashed") for patch in axes.patches]
    assert dashed[2:8] == (t.kept[0][1] == 0).tolist() and any(dashed)
    assert not any(dashed[:2] + dashed[8:])


def test_labels_as_targets_and_weights_of_the_loss():
    pytest.importorskip("matplotlib")
    net = bp.Network([2, 3], loss="cross_entropy", rng=0)
    t = bp.trace(net, np.eye(2), [2, 1], [1.0, 3.0])
    (axes,) = t.plot(row=1).axes
    words = [text.get_text() for text in axes.texts]
    assert f"weight E_1 = {t.losses[1]:.4g}\nE = {t.loss:.4g}" in words
    boxes = [p.get_facecolor() for p in axes.patches[5:8]]
    assert boxes[0] == boxes[2] != boxes[1]


@pytest.mark.parametrize("show", ["dW", "Weights", None, 1])
def test_show_is_one_of_three(show):
    pytest.importorskip("matplotlib")
    for sizes in ((3, 2), (9, 2)):
        with pytest.raises(ValueError, match=r"^show must be one of weights, gradi"):
            bp.trace(*problem(sizes=sizes)).plot(show=show)


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


def test_maps_have_the_range_of_their_numbers():
    """Outputs that cannot be below 0 from 0 on, everything else from -x to x."""
    pytest.importorskip("matplotlib")
    net, X, y = problem(sizes=(9, 12, 10, 3), activation=["relu", "tanh"])
    figure = bp.trace(net, X, y).plot(None)
    images = {axes.get_title(): axes.images[0] for axes in figure.axes if axes.images}
    for name, image in images.items():
        array, (low, high) = image.get_array(), image.get_clim()
        if name in ("a[1] = relu(z[0])", "a[3] = softmax(z[2])"):
            assert low == 0 < high <= array.max()
            lowest = image.to_rgba(np.zeros(1))[0]
            np.testing.assert_allclose(lowest[:3], 0.97, atol=0.01)
        else:
            assert low == -high and image.get_cmap().name == "RdBu_r"
        red = image.to_rgba(np.array([high]))[0]
        assert red[0] > red[2]
    assert len(images) == 15


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
        expected += [t.a[l + 1][rows], t.delta[l][rows], W, t.dW[l], after - W]
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
