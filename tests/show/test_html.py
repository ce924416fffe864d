"""Tables for notebooks: the same content as what is printed, in one style."""

import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.show.html import at_point, page, section, table
from helpers.tables import Tables
from helpers.trace import problem


def flow():
    found = bp.GradientFlow([[0.0, 1.0]], [[1.0]])
    bp.Network([2, 3, 1], activation="tanh", rng=0).fit(
        [[0.0, 1.0]], [[1.0]], epochs=2, callbacks=[found], progress=False
    )
    return found


def check(layers=2):
    net = bp.Network([2] * (layers + 1), activation="tanh", dtype="float64", rng=0)
    return bp.check_gradients(net, [[0.0, 1.0]], [[1.0, 0.0]])


def history(**options):
    net = bp.Network([2, 1], rng=0)
    X = np.eye(2)
    options = {"epochs": 12, "metrics": "mae", "progress": False} | options
    return net.fit(X, X[:, :1], **options)


def path(**options):
    net, X, y = problem(sizes=(2, 3, 2), n=3, **options)
    return bp.trace(net, X, y).path(0, 1, 2)


def explanation():
    from bpcore.tabular.explanation import Explanation

    drop, deviation = np.array([0.5, -0.01]), np.array([0.02, 0.01])
    nan = np.array([1.25, np.nan])
    return Explanation(("age", "a < b"), drop, deviation, nan, "drop of the score")


SHOWN = {
    "trace": lambda: bp.trace(*problem(sizes=(2, 9, 2), n=3)),
    "path": path,
    "path with dropout": lambda: path(dropout=0.4),
    "path through softmax": lambda: path(loss="squared_error"),
    "path of many terms": lambda: bp.trace(*problem(sizes=(2, 9, 9, 2))).path(0, 0, 0),
    "path of too many terms": lambda: bp.trace(
        *problem(sizes=(2, 60, 60, 60, 2), n=1)
    ).path(0, 0, 0),
    "flow": flow,
    "flow without records": lambda: bp.GradientFlow([[0.0]], [[1.0]]),
    "check": check,
    "check of many layers": lambda: check(30),
    "history": history,
    "long history": lambda: history(epochs=100),
    "history restored": lambda: history(
        validation=(np.eye(2), np.ones((2, 1))), restore_best=True, patience=1
    ),
    "history of nothing": bp.History,
    "explanation": explanation,
}


@pytest.mark.parametrize("name", SHOWN)
def test_what_a_notebook_shows_is_what_print_shows(name):
    """The same words and numbers, in whatever order the sections have."""
    shown = SHOWN[name]()
    found, printed = Tables(shown._repr_html_()), str(shown)
    cells = [cell for row in found.rows for cell in row] + found.captions
    words = " ".join(cells).split()
    if name.startswith("flow"):
        words = " ".join(cells).replace(repr(shown), "").split()
    dashes = re.sub(r"(?m)^-+$", "", printed)
    assert sorted(words) == sorted(dashes.split())


@pytest.mark.parametrize("name", SHOWN)
def test_one_style_that_changes_nothing_else(name):
    """Every rule is for what is in one class; no colour but greys is set."""
    markup = SHOWN[name]()._repr_html_()
    assert (
        markup.startswith('<div class="bpcore-out">') and markup.count("<style>") == 1
    )
    style = re.search(r"<style>(.*)</style>", markup, re.DOTALL)[1]
    rules = re.findall(r"([^{}]+)\{[^{}]*\}", re.sub(r"@media[^{]*\{", "", style))
    selectors = [part.strip() for rule in rules for part in rule.split(",")]
    assert len(selectors) > 10
    assert all(part.startswith(".bpcore-out") for part in selectors)
    assert set(re.findall(r"#\w+", style)) == {"#888", "#8883"}
    assert "background" not in style and "style=" not in markup


def test_numbers_are_aligned_at_the_decimal_point():
    cells = ["0.5", "-12", "1,000.25", "2.5e-05", "nan", "...", "-", ""]
    found = at_point(cells)
    assert [cell.strip() for cell in found] == cells
    lengths = {
        len(cell) - cell.index(".") for cell in found if re.match(r"-?[\d,]+\.", cell)
    }
    assert lengths == {len(".5e-05")}
    assert found[1] == "-12" + " " * len(".5e-05") and found[5:] == cells[5:]
    rows = Tables(table(["n", "x", "name"], [["1", "0.5", "1"], ["2", "-", "b"]]))
    assert rows.numbers == [[True, True, False]] * 3
    assert rows.rows[1:] == [["1", "0.5", "1"], ["2", "-", "b"]]


def test_columns_of_a_history_are_aligned():
    found = Tables(history()._repr_html_())
    assert all(all(row) for row in found.numbers)
    for column in zip(*found.rows[1:], strict=True):
        ends = {len(c) - re.match(r"\s*-?[\d,]*", c).end() for c in column}
        assert len(ends) == 1


def test_text_is_escaped():
    found = page(section("<b>", table(["<i>"], [["&<"]], "</table>")))
    assert Tables(found).rows == [["<i>"], ["&<"]]
    assert Tables(found).captions == ["<b>", "</table>"]
    for tag in ("<b>", "<i>", "&<"):
        assert tag not in found


def test_a_row_of_one_cell_goes_across():
    markup = table(["a", "b"], [["1.5", "x"], ["... more ..."], ["22", "y"]])
    found = Tables(markup)
    assert found.rows == [["a", "b"], ["1.5", "x"], ["... more ..."], ["22  ", "y"]]
    assert '<td colspan="2">... more ...</td>' in markup
    assert found.numbers[1] == found.numbers[3] == [True, False]


def test_tables_without_rows_or_head():
    assert Tables(table(["a", "b"], [])).rows == [["a", "b"]]
    assert Tables(table((), [])).rows == []
    assert Tables(table((), [["1"]])).rows == [["1"]]
