"""The page as a file and in a notebook: complete in itself, small, and safe."""

import html
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore.tracing.html import html as tables
from bpcore.tracing.html import sections
from bpcore.tracing.page.data import page_data
from bpcore.tracing.page.document import SCRIPTS, document, frame
from helpers import fourth_powers
from helpers.pages import TRACES, of_xor
from helpers.trace import problem

SOURCES = [*(f"{name}.js" for name in SCRIPTS), "page.html", "page.css"]
FOLDER = files("bpcore.tracing.page")
NAMESPACE = "http://www.w3.org/2000/svg"
each_trace = pytest.mark.parametrize("make", TRACES.values(), ids=TRACES)


def of_ones(sizes, n):
    X, y = np.ones((n, sizes[0])), np.ones((n, sizes[-1]))
    return bp.trace(bp.Network(sizes, rng=0), X, y)


def embedded(page):
    """The text of the element that holds the numbers."""
    start = '<script type="application/json" id="data">'
    (text,) = re.findall(f"{re.escape(start)}(.*?)</script>", page, re.DOTALL)
    return text


@each_trace
def test_the_page_needs_nothing_else(make):
    page = document(make())
    assert re.findall(r"\w+://[^\s\"']+", page.replace(NAMESPACE, "")) == []
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b", page)
    assert not re.search(r"\b(src|href)\s*=|@import|url\(|\bimport\b|fetch\(", page)
    assert "default-src 'none'" in page


@each_trace
def test_the_numbers_are_in_the_page(make):
    t = make()
    assert json.loads(embedded(document(t))) == json.loads(json.dumps(page_data(t)))


def test_sizes():
    """What the wheel has, and what a page has besides its numbers."""
    sizes = [len((FOLDER / name).read_bytes()) for name in SOURCES]
    assert sum(sizes) < 40_000
    t = of_xor()
    assert len(document(t)) - len(embedded(document(t))) < 40_000
    assert len(embedded(document(t))) < 10_000


def test_lines_and_files_are_short():
    for name in SOURCES:
        lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) < 300 and max(map(len, lines)) <= 100


def test_every_script_is_in_the_page_and_in_the_package():
    present = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert present - {"__init__.py", "data.py", "document.py"} == {*SOURCES}
    pyproject = Path(__file__).parents[3] / "pyproject.toml"
    data = tomllib.loads(pyproject.read_text())["tool"]["setuptools"]["package-data"]
    assert data["bpcore.tracing.page"] == ["*.html", "*.css", "*.js"]


def test_names_cannot_end_the_script():
    """Nor open a comment: a custom loss has the name of its function."""

    def named(a, y):
        return fourth_powers(a, y)

    named.__name__ = named.__qualname__ = "</script><!--&<script>alert(1)</script>"
    net, X, y = problem("tanh", named, sizes=(2, 2))
    t = bp.trace(net, X, y)
    page = document(t)
    assert json.loads(embedded(page))["loss"]["name"] == t.design.loss.name
    assert "alert(1)" in embedded(page) and not {*"<>&"} & {*embedded(page)}
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page


def test_save_html(tmp_path):
    t = of_xor()
    path = tmp_path / "step.html"
    path.write_text("old")
    assert t.save_html(path) is None
    assert path.read_bytes() == document(t).encode()
    assert t.save_html(str(path)) is None
    assert [one.name for one in tmp_path.iterdir()] == ["step.html"]


@pytest.mark.parametrize(
    "sizes, n",
    [([33, 1], 1), ([1] * 18, 1), ([32] * 4 + [29, 1], 1), ([8, 11, 1], 1001)],
    ids=str,
)
def test_steps_that_are_too_large(tmp_path, sizes, n):
    t = bp.trace(
        bp.Network(sizes, rng=0), np.ones((n, sizes[0])), np.ones((n, sizes[-1]))
    )
    path = tmp_path / "step.html"
    path.write_text("old")
    bounds = "at most 32 units a layer, 16 layers and 4,000 weights, .* 20,000 "
    with pytest.raises(
        ValueError, match=bounds + rf".*; got {sizes[0]}-.*1 and {n:,} rows"
    ):
        t.save_html(path)
    assert path.read_text() == "old"


def test_the_largest_steps(tmp_path):
    path = tmp_path / "step.html"
    for sizes, n in (([32, 8], 500), ([32] * 4 + [28, 1], 1), ([1] * 17, 1)):
        of_ones(sizes, n).save_html(path)
        data = json.loads(embedded(path.read_text(encoding="utf-8")))
        assert (data["sizes"], data["rows"]) == (sizes, n)


def test_a_notebook_shows_the_page_of_a_small_network():
    t = of_xor()
    shown = t._repr_html_()
    (inside,) = re.findall(r'srcdoc="([^"]*)"', shown)
    assert html.unescape(inside) == document(t)
    assert shown.startswith(frame(t)) and all(part in shown for part in sections(t))
    assert 'sandbox="allow-scripts"' in shown


@pytest.mark.parametrize(
    "sizes, n", [([9, 1], 1), ([1] * 10, 1), ([6, 4], 101)], ids=str
)
def test_a_notebook_shows_tables_of_others(sizes, n):
    t = bp.trace(
        bp.Network(sizes, rng=0), np.ones((n, sizes[0])), np.ones((n, sizes[-1]))
    )
    assert t._repr_html_() == tables(t)
