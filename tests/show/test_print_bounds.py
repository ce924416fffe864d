"""Printed objects are cut to a bounded length, unless all of it is wanted."""

import io
import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.graph import Variable
from bpcore.show.table import COLUMNS, ROWS, columns, ends, shortened
from bpcore.tracing import path_sum, path_text

#: Lines and characters that no print of anything exceeds by default.
LINES, CHARACTERS = 2000, 250_000


def deep(layers=200, width=2, n=2, **options):
    """A trace of a net with many layers."""
    net = bp.Network([width] * (layers + 1), activation="tanh", rng=0, **options)
    return net, bp.trace(net, np.ones((n, width)), np.ones((n, width)))


def chain(count):
    """A chain of this many variables."""
    x = Variable(0.5, "x")
    for _ in range(count - 1):
        x = -x
    x.backward()
    return x


def history(epochs):
    net = bp.Network([1, 1], rng=0)
    return net.fit([[1.0]], [[2.0]], epochs=epochs, progress=False)


def flow():
    net = bp.Network([2] * 60, activation="tanh", rng=0)
    flow = bp.GradientFlow(np.eye(2), np.eye(2))
    for epoch in range(60):
        flow.record(net, epoch)
    return flow


def wide():
    net = bp.Network([50, 100, 100, 100, 10], rng=0)
    return bp.trace(net, np.ones((1, 50)), np.ones((1, 10)))


PRINTS = {
    "path of 10,000 terms": lambda: str(wide().path(1, 0, 0)),
    "path of 100,000 terms": lambda: str(wide().path(0, 0, 0)),
    "path of many layers": lambda: str(deep(width=1)[1].path(0, 0, 0)),
    "path too long to be taken": lambda: str(deep()[1].path(0, 0, 0)),
    "text of many layers": lambda: str(deep()[1]),
    "text with everything": lambda: str(
        deep(
            width=8, n=8, norm="batch", dropout=0.2, optimizer=bp.AMSGrad(),
            output="softmax", loss="squared_error",
        )[1]
    ),
    "text of wide layers": lambda: str(wide()),
    "text of many rows": lambda: str(deep(layers=2, n=10_000)[1]),
    "html of many layers": lambda: html(deep()[1]),
    "network as html": lambda: html(deep()[0]),
    "path as html": lambda: html(deep(8, width=3)[1].path(0, 0, 0)),
    "check as html": lambda: html(
        bp.check_gradients(deep(40)[0], np.eye(2), np.eye(2))
    ),
    "history as html": lambda: html(history(3000)),
    "flow as html": lambda: html(flow()),
    "repr of gradients": lambda: repr(deep()[0].gradients(np.eye(2), np.eye(2))),
    "repr of a tape": lambda: repr(deep()[0].forward(np.eye(2))),
    "repr of parameters": lambda: repr(deep()[1].before),
    "repr of state": lambda: repr(
        deep(optimizer=bp.Adam())[1].after.state["mean"]
    ),
    "repr of a check": lambda: repr(
        bp.check_gradients(deep(40)[0], np.eye(2), np.eye(2))
    ),
    "history": lambda: str(history(3000)) + repr(history(3000)),
    "gradient flow": lambda: str(flow()) + repr(flow()),
    "graph": lambda: table(chain(5000)),
    "graph as html": lambda: chain(5000)._repr_html_(),
    "graph for Graphviz": lambda: chain(5000).to_dot(),
    "graph as SVG": lambda: chain(5000).to_svg(),
    "paths of a graph": lambda: str(paths()) + repr(paths()) + html(paths()),
    "variable": lambda: repr(Variable(np.ones((300, 300)))),
}  # fmt: skip


def html(shown):
    return shown._repr_html_()


def table(J, **options):
    file = io.StringIO()
    J.show(file, **options)
    return file.getvalue()


def paths():
    """Those of a graph with 2**1000 long ones."""
    x = v = Variable(1.0, "x" * 1000)
    for _ in range(1000):
        v = v + 0.5 * v
    return v.paths(x)


@pytest.mark.parametrize("name", PRINTS)
def test_no_print_explodes(name):
    text = PRINTS[name]()
    assert len(text.splitlines()) <= LINES and len(text) <= CHARACTERS


def test_the_first_and_the_last_places():
    for count in range(30):
        first, last = ends(count, 8)
        assert len(first) + len(last) == min(count, 8)
        assert [*first] == list(range(len(first)))
        assert not last or last.stop == count
    assert ends(10, float("inf")) == (range(10), range(0))


# --- paths ----------------------------------------------------------------------------


def test_a_path_shows_its_first_and_last_terms_and_counts_the_others():
    path = wide().path(0, 0, 0)
    assert path.n_terms == 100_000
    text = path.text()
    assert str(path) == text
    assert "\n  ... 99,960 more terms ...\n" in text
    lines = text.splitlines()
    gap = lines.index("  ... 99,960 more terms ...")
    rows = [[int(x) for x in line.split()[:4]] for line in lines[2:gap]]
    assert rows == [[0, 0, k // 10, k % 10] for k in range(20)]
    rows = [[int(x) for x in line.split()[:4]] for line in lines[gap + 1 : gap + 21]]
    assert rows == [[0, 99, 98 + k // 10, k % 10] for k in range(20)]
    assert lines[gap + 21] == f"  the sum of 100,000 terms = {path.expanded:.10g}"


def test_all_terms_of_a_path_on_demand():
    net = bp.Network([2, 9, 3], activation="tanh", dtype="float64", rng=0)
    path = bp.trace(net, np.ones((15, 2)), np.ones((15, 3))).path(0, 1, 4)
    assert path.n_terms == 45
    short, full = path.text().splitlines(), path.text(all=True).splitlines()
    assert "  ... 5 more terms ..." in short
    assert not [line for line in full if "..." in line]
    terms = [line.split() for line in full[2:47]]
    assert [(int(s), int(k)) for s, k, *_ in terms] == list(np.ndindex(15, 3))
    total = sum(float(term[-1]) for term in terms)
    assert total == pytest.approx(path.expanded, rel=1e-4)
    assert [line.split() for line in short[2:22]] == terms[:20]
    assert [line.split() for line in short[23:43]] == terms[-20:]
    # and every delta
    assert sum(line.startswith("      ") for line in full) == 15 + 15
    with pytest.raises(TypeError, match="all must be"):
        path.text(all=1)


def test_all_terms_of_a_path_that_are_too_many_to_add_up_at_once(monkeypatch):
    net = bp.Network([2, 3, 9, 3], activation="tanh", dtype="float64", rng=0)
    t = bp.trace(net, np.ones((5, 2)), np.ones((5, 3)))
    path = t.path(0, 1, 2)
    assert path.n_terms == 135
    full = path.text(all=True).splitlines()
    for module in (path_sum, path_text):
        monkeypatch.setattr(module, "MOST", 50)
    in_parts = t.path(0, 1, 2)
    assert in_parts.expanded is None and "the sum of" not in str(in_parts)
    found = in_parts.text(all=True).splitlines()
    cells = [line.split() for line in full[:137]]
    assert [line.split() for line in found[:137]] == cells
    assert found[137].rsplit(" = ")[0] == "  the sum of 135 terms"
    total = float(found[137].rsplit(" = ")[1])
    assert total == pytest.approx(path.layer_by_layer, rel=1e-9)
    short = str(in_parts).splitlines()
    assert [line.split() for line in short[2:22]] == cells[2:22]
    assert "  ... 95 more terms ..." in short


def test_paths_beyond_the_largest_integer_show_their_ends():
    net = bp.Network([3] + [50] * 30 + [2], activation="tanh", rng=0)
    path = bp.trace(net, np.ones((2, 3)), np.ones((2, 2))).path(0, 0, 0)
    assert path.n_terms == 2 * 50**29 * 2 > 2**64
    lines = str(path).splitlines()
    assert f"  ... {path.n_terms - 40:,} more terms ..." in lines
    assert max(map(len, lines[:3])) <= 88 and lines[3].startswith("  s  k1")
    rows = [line.split() for line in lines if line.split()[:3] == ["1", "49", "49"]]
    assert len(rows) == 20


def test_forty_terms_are_all_there():
    net = bp.Network([1, 3, 5], activation="tanh", rng=0)
    path = bp.trace(net, np.ones((8, 1)), np.ones((8, 5))).path(0, 0, 0)
    assert path.n_terms == ROWS and "more terms" not in str(path)
    assert len(str(path).splitlines()) == len(path.text(all=True).splitlines())


def test_a_path_through_many_layers():
    _, t = deep(30, width=1)
    short, full = t.path(0, 0, 0).text(), t.path(0, 0, 0).text(all=True)
    assert "  ... 22 more layers ..." in short and "more layer" not in full
    shown = [int(m) for m in re.findall(r"^  delta\[(\d+)\]", short, re.MULTILINE)]
    assert shown == [29, 28, 27, 26, 3, 2, 1, 0]
    assert all(f"\n  delta[{m}]" in full for m in range(30))
    assert max(map(len, short.splitlines())) < max(map(len, full.splitlines()))
    assert "W[29][" in short and "W[15][" not in short and "W[15][" in full


# --- traces ---------------------------------------------------------------------------


def test_a_trace_shows_its_first_and_last_layers():
    _, t = deep(20)
    text = t.text()
    titles = re.findall(r"(\w+), layer (\d+)", text)
    for part, order in (("forward", 1), ("backward", -1), ("update", -1)):
        layers = [int(l) for name, l in titles if name == part]
        assert layers == [0, 19][::order]
    assert text.count("layers 1 to 18: left out\n") == 3
    assert text.count("text(all=True)") == 3 and len(text.splitlines()) <= 150
    assert text == str(t)
    full = t.text(all=True)
    titles = re.findall(r"forward, layer (\d+)", full)
    assert [int(l) for l in titles] == list(range(20)) and "left out" not in full
    assert "left out" not in str(deep(4)[1])


@pytest.mark.parametrize("optimizer", [bp.SGD(), bp.RAdam()])
@pytest.mark.parametrize("norm", [None, "layer"])
@pytest.mark.parametrize("layers", [5, 8, 60])
def test_a_trace_of_a_deep_network_is_no_longer_than_two_screens(
    optimizer, norm, layers
):
    sizes, settings = [8] * (layers + 1), {"norm": norm, "optimizer": optimizer}
    net = bp.Network(sizes, dropout=0.5, rng=0, **settings)
    t = bp.trace(net, np.ones((8, 8)), np.ones((8, 8)))
    lines = str(t).splitlines()
    assert len(lines) <= 151
    (gap,) = [line for line in lines if "more lines" in line] or [""]
    assert "text(all=True)" in str(t) and (not gap or len(lines) == 151)
    assert len(t.text(all=True).splitlines()) > 500


def test_a_path_beside_large_deltas_is_no_longer_than_a_screen():
    net = bp.Network([8] * 9, rng=0)
    path = bp.trace(net, np.ones((8, 8)), np.ones((8, 8))).path(0, 0, 0)
    assert len(str(path).splitlines()) <= 75
    assert "text(all=True) has every term and every number" in str(path)


def test_every_number_of_a_large_trace_on_demand():
    net = bp.Network([9, 3], rng=0)
    t = bp.trace(net, np.eye(9), np.ones((9, 3)))
    assert "shape (9, 3)" in t.text() and "shape" not in t.text(all=True)
    rows = t.text(9, all=True).split("z[0] = ")[1].splitlines()[:9]
    found = [[float(x) for x in line.split()[-3:]] for line in rows]
    np.testing.assert_allclose(found, t.z[0], atol=1e-6)
    with pytest.raises(TypeError, match="all must be"):
        t.text(all="yes")


def test_a_deep_network_is_drawn_in_part():
    pytest.importorskip("matplotlib")
    _, t = deep(20)
    figure = t.plot()
    assert max(figure.get_size_inches()) < 40
    titles = [axes.get_title() for axes in figure.axes]
    assert "delta[3]" in titles and "delta[16]" in titles and "delta[10]" not in titles
    assert "layers 4 to 15 left out" in figure.get_suptitle()
    legend = flow().plot().legends[0]
    assert len(legend.get_texts()) == 12
    assert legend.get_texts()[-1].get_text() == "layer 58"


def test_a_deep_network_as_html():
    net, _ = deep(100)
    rows = re.findall(r"<tr>.*?</tr>", net._repr_html_())
    assert len(rows) == 1 + 1 + ROWS + 1  # head, a[0], layers, ...
    assert "W[19] 2 x 2" in rows[21] and "..." in rows[22] and "W[80]" in rows[23]


# --- graphs ---------------------------------------------------------------------------


def test_a_large_graph_shows_its_first_and_last_variables():
    J = chain(100)
    lines = table(J).splitlines()
    assert len(lines) == 1 + ROWS + 1
    assert lines[1].split()[0] == "x" and lines[-1].split()[0] == "J"
    assert lines[21] == "... 60 more variables ..."
    assert lines[22].split()[0] == "v80"
    full = table(J, all=True).splitlines()
    assert len(full) == 101 and "more variables" not in "\n".join(full)
    assert [line.split()[0] for line in full[1:]] == [
        "x", *(f"v{i}" for i in range(1, 99)), "J",
    ]  # fmt: skip
    assert table(chain(ROWS)) == table(chain(ROWS), all=True)
    with pytest.raises(TypeError, match="all must be"):
        J.show(all=1)


def test_a_large_graph_for_graphviz():
    J = chain(1000)
    text = J.to_dot()
    nodes = re.findall(r"^  (\w+) \[label", text, re.MULTILINE)
    edges = re.findall(r"^  (\w+) -> (\w+)", text, re.MULTILINE)
    assert len(nodes) == 201 and '"... 800 more variables ..."' in text
    assert {end for edge in edges for end in edge} <= set(nodes)
    # Still one way from the leaf to J.
    way, follow = ["n0"], dict(edges)
    while way[-1] in follow:
        way.append(follow[way[-1]])
    assert way == [*nodes[1:101], "more", *nodes[101:]]
    full = J.to_dot(all=True)
    assert full.count("[label") - full.count("->") == 1000 and "more" not in full
    assert chain(200).to_dot() == chain(200).to_dot(all=True)


def test_what_is_left_out_of_a_graph_is_not_computed():
    """Its Jacobians cost a pass for each element."""
    x = Variable(np.ones(3), "x")
    for _ in range(300):
        x = x @ np.eye(3)
    count = 0
    operation = type(x.node.operation)
    derivative = operation.derivative

    def counted(self, *rest):
        nonlocal count
        count += 1
        return derivative(self, *rest)

    operation.derivative = counted
    try:
        table(x)
    finally:
        operation.derivative = derivative
    assert count <= ROWS


# --- tables ---------------------------------------------------------------------------


def test_long_and_wide_tables():
    head = [f"c{k}" for k in range(100)]
    rows = [[f"{i}.{k}" for k in range(100)] for i in range(100)]
    lines = [line.split() for line in short(head, rows)]
    assert len(lines) == 1 + ROWS + 1 and {len(line) for line in lines} == {COLUMNS + 1}
    assert lines[0] == [*head[:12], "...", *head[88:]]
    assert lines[20][:2] == ["19.0", "19.1"] and set(lines[21]) == {"..."}
    assert lines[22][-1] == "80.99"
    small = [line.split() for line in short(head[:24], [row[:24] for row in rows[:40]])]
    assert small == [head[:24], *(row[:24] for row in rows[:40])]


def short(head, rows):
    return columns(shortened(head, len(rows), lambda i, k: rows[i][k]))


def test_short_reprs():
    net = bp.Network([2, 3, 1], activation="tanh", rng=0, optimizer=bp.Adam())
    gradients = net.gradients(np.eye(2), [0.0, 1.0])
    assert (
        repr(gradients)
        == f"<Gradients of 2 layers, 13 numbers, loss {gradients.loss:.6g}>"
    )
    assert repr(net.forward(np.eye(2))) == "<Tape of 2 layers, 2 rows>"
    t = bp.trace(net, np.eye(2), [0.0, 1.0])
    assert repr(t.before) == "<Parameters of 2 layers, 13 numbers, state mean, square>"
    assert repr(t.before.state["mean"]) == "<Views of 2 layers, 13 numbers>"
