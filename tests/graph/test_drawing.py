"""Drawings in SVG: nothing overlaps, and edges run beside boxes."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from bpcore.graph import Variable, drawing
from bpcore.graph.backward import in_order
from helpers.graphs import GRAPHS, chain, example, wide_sum

SVG = "{http://www.w3.org/2000/svg}"


class Picture:
    """The rectangles and curves of a drawing, as (left, top, right, bottom)."""

    def __init__(self, text):
        self.root = ElementTree.fromstring(text)
        self.width, self.height = (float(self.root.get(k)) for k in ("width", "height"))
        rectangles = list(self.root.iter(f"{SVG}rect"))
        self.boxes = [corners(r) for r in rectangles if r.get("rx")]
        self.cells = [corners(r) for r in rectangles if not r.get("rx")]
        paths = [*self.root.iter(f"{SVG}path")]
        self.edges = [points(p.get("d")) for p in paths if p.get("fill") == "none"]
        self.heads = [p.get("d") for p in paths if p.get("fill") is None]
        tables = [g for g in self.root.iter(f"{SVG}g") if g.get("font-size")]
        small = {text for g in tables for text in g.iter(f"{SVG}text")}
        self.texts = [
            (text.text, extent(text, 11 if text in small else 12))
            for text in self.root.iter(f"{SVG}text")
        ]


def corners(r):
    x, y, width, height = (float(r.get(k)) for k in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def extent(text, font):
    """The rectangle of a line in a font whose characters are 0.6 wide."""
    x, y = float(text.get("x")), float(text.get("y"))
    half = 0.3 * font * sum(1 + (c > "\u2000") for c in text.text)
    return x - half, y - 0.75 * font, x + half, y + 0.2 * font


def points(path):
    """Points on an edge: of lines and of cubic curves."""
    found = []
    for kind, numbers in re.findall("([MLC])([^MLC]*)", path):
        new = np.array(numbers.split(), float).reshape(-1, 2)
        t = np.linspace(0, 1, 25)[:, None]
        if kind == "M":
            found.append(new)
        elif kind == "L":
            found.append((1 - t) * found[-1][-1] + t * new[0])
        else:
            a, (b, c, d) = found[-1][-1], new
            found.append(
                (1 - t) ** 3 * a
                + 3 * (1 - t) ** 2 * t * b
                + 3 * (1 - t) * t**2 * c
                + t**3 * d
            )
    return np.concatenate(found)


def overlap(r, s, by=0.5):
    """Whether two rectangles have more than `by` in common in both directions."""
    return (
        min(r[2], s[2]) - max(r[0], s[0]) > by
        and min(r[3], s[3]) - max(r[1], s[1]) > by
    )


def contains(r, s, by=0.6):
    return (
        r[0] - by <= s[0]
        and r[1] - by <= s[1]
        and s[2] <= r[2] + by
        and s[3] <= r[3] + by
    )


def enters(points, r, by=0.6):
    x, y = points.T
    inside = (x > r[0] + by) & (x < r[2] - by) & (y > r[1] + by) & (y < r[3] - by)
    return bool(inside.any())


@pytest.fixture(params=GRAPHS, scope="module")
def drawn(request):
    J = GRAPHS[request.param]()
    J.backward()
    return J, Picture(J.to_svg())


def test_it_has_every_variable_and_edge(drawn):
    J, picture = drawn
    order = in_order(J)
    edges = sum(len(x.edges) for x in order)
    assert len(picture.boxes) == len(order)
    assert len(picture.edges) == len(picture.heads) == edges


def test_boxes_do_not_overlap(drawn):
    picture = drawn[1]
    for r, s in itertools.combinations(picture.boxes, 2):
        assert not overlap(r, s)


def test_edges_do_not_run_through_boxes(drawn):
    picture = drawn[1]
    for edge, box in itertools.product(picture.edges, picture.boxes):
        assert not enters(edge, box)


def test_edges_are_smooth(drawn):
    """Each curve leaves and meets the lines at its ends in their direction."""
    for path in drawn[1].root.iter(f"{SVG}path"):
        for start, curve in re.findall(r"([\d.]+ [\d.]+)C([^L]*)L", path.get("d")):
            a, b, c, d = np.array([*start.split(), *curve.split()], float).reshape(4, 2)
            across = 1 if a[1] == b[1] else 0
            assert a[across] == b[across] and c[across] == d[across]
            assert a[1 - across] < b[1 - across] and c[1 - across] < d[1 - across]


def test_edges_begin_and_end_at_boxes(drawn):
    picture = drawn[1]
    for edge in picture.edges:
        for end, reach in ((edge[0], 0.6), (edge[-1], 7.6)):
            assert any(contains(box, (*end, *end), reach) for box in picture.boxes)


def test_text_is_in_a_box_or_free(drawn):
    picture = drawn[1]
    free = []
    for text, r in picture.texts:
        inside = [box for box in picture.boxes if contains(box, r)]
        if not inside:
            assert not any(overlap(box, r) for box in picture.boxes), text
            free.append(r)
    labels = [r for r in free if not any(contains(c, r) for c in picture.cells)]
    labels += [
        c for c in picture.cells if not any(contains(b, c) for b in picture.boxes)
    ]
    for r, s in itertools.combinations(labels, 2):
        assert not overlap(r, s)
    for edge, r in itertools.product(picture.edges, labels):
        assert not enters(edge, r)


def test_lines_in_a_box_do_not_overlap(drawn):
    texts = [r for _, r in drawn[1].texts]
    for r, s in itertools.combinations(texts, 2):
        assert not overlap(r, s)


def test_everything_is_within_the_picture(drawn):
    picture = drawn[1]
    frame = (0, 0, picture.width - 16, picture.height - 16)  # without its margins
    for r in (*picture.boxes, *picture.cells, *(r for _, r in picture.texts)):
        assert contains(frame, r, 1.0)
    for edge in picture.edges:
        assert contains(frame, (*edge.min(axis=0), *edge.max(axis=0)), 1.0)


# --- what it says ---------------------------------------------------------------------


def test_a_box_has_operation_value_and_gradient():
    J = example()
    texts = [text for text, _ in Picture(J.to_svg()).texts]
    assert texts[-2:] == ["J = 3 * v2", "42"] and "dJ" not in J.to_svg()
    J.backward()
    texts = [text for text, _ in Picture(J.to_svg()).texts]
    assert texts[-3:] == ["J = 3 * v2", "42", "dJ/dJ = 1"]
    assert texts[:5] == ["4", "3", "1", "1", "3"]  # local derivatives


@pytest.mark.parametrize(
    "name", ["<&\"'", "]]>", "</text>", "\0\x1b\ud800\uffff", "é漢"]
)
def test_names_are_escaped(name):
    text = (2 * Variable(1.0, name)).to_svg()
    texts = [text for text, _ in Picture(text).texts]
    assert texts[1] == re.sub("[\0\x1b\ud800\uffff]", "\ufffd", name)
    assert text.isascii()


def test_long_chains_run_down():
    narrow, wide = Picture(chain(4).to_svg()), Picture(chain(30).to_svg())
    assert narrow.width > narrow.height
    assert wide.width < 300 < 1000 < wide.height
    assert Picture(wide_sum().to_svg()).width < 1500


def test_large_graphs_are_not_drawn(monkeypatch):
    assert chain(100).to_svg().count("<rect") == 100
    J, passed = chain(2000), []
    sources = drawing.sources
    monkeypatch.setattr(drawing, "sources", lambda x: passed.append(x) or sources(x))
    text = J.to_svg()
    assert "<rect" not in text and "more than 100 variables: not drawn" in text
    assert len(passed) <= 101  # the others are not even counted
    ElementTree.fromstring(text)


def test_notebooks_show_drawing_and_table():
    J = example()
    J.backward()
    assert J._repr_svg_() == J.to_svg()
    html = J._repr_html_()
    assert J.to_svg() in html and "<details>" in html
    rows = re.findall("<tr>(.*?)</tr>", html)
    assert len(rows) == 7
    assert [cell.strip() for cell in re.findall("<t[hd][^>]*>(.*?)</t", rows[-1])] == [
        *("J", "42", "3 * v2", "dJ/dv2 = 3", "1"),
    ]


def test_notebooks_show_tables_of_large_graphs():
    html = chain(101)._repr_html_()
    assert "<svg" not in html and html.count("<tr>") == 1 + 40 + 1
    assert "... 61 more variables ..." in html
    html = chain(10_001)._repr_html_()
    assert "<p>A graph of more than 10,000 variables: see show().</p>" in html
    assert "<tr>" not in html


def test_html_is_escaped():
    html = Variable(1.0, "<script>")._repr_html_()
    assert "<script>" not in html and html.count("&lt;script&gt;") >= 2


def test_it_is_readable_on_dark_and_on_light():
    text = example().to_svg()
    assert "prefers-color-scheme:dark" in text
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', text))
    assert colours == {"currentColor", "none"}
    # In a page the style of the picture must not hold for the page.
    (style,) = re.findall("<style>(.*?)</style>", text)
    assert re.findall(r"([\w:]+)\{color", style) == ["svg:root"] * 2
