"""Weights and their paths in the browser, against the trace."""

import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.tracing.counts import n_paths
from helpers.browser import (
    assert_adds_up,
    click,
    close,
    equations,
    lit,
    number,
    numbers,
)
from helpers.pages import TRACES, of_norms, of_softmax, of_xor
from helpers.trace import problem

each_trace = pytest.mark.parametrize("make", TRACES.values(), ids=TRACES)


def of_paths(page):
    """The sum that is written below the paths, and the rows of the table."""
    text = page.locator("#path-sum").inner_text()
    rows = page.eval_on_selector_all(
        "#paths tbody tr",
        "rows => rows.map(row => [...row.cells].map(c => c.innerText))",
    )
    return text, rows


@each_trace
def test_paths_add_up_to_the_derivative(shown, make):
    """Over every row, of some weights of every layer; each product by its factors."""
    t = make()
    page = shown(t)
    first = max((m + 1 for m, norm in enumerate(t.design.norms) if norm), default=0)
    for l in range(first, t.n_layers):
        for i, j in {(0, 0), (t.sizes[l] - 1, t.sizes[l + 1] - 1)}:
            click(page, f"W[{l}][{i}, {j}]")
            total = 0.0
            for row in range(len(t.X)):
                page.locator("#row").select_option(str(row))
                total += assert_paths(page, t, l, row)
            path = t.path(l, i, j)
            scale = np.abs(t.a[l][:, i] * t.delta[l][:, j]).sum()
            assert abs(total - path.expanded) <= 1e-3 * scale
            assert abs(total - t.dW[l][i, j]) <= 1e-3 * scale
            text = page.locator("#chosen").inner_text()
            assert f"dE/dW[{l}][{i}, {j}] = " in text
            (over_rows,) = (
                value
                for key, value in equations(page).items()
                if "over the rows" in key
            )
            assert_adds_up(over_rows, t.dW[l][i, j])


def assert_paths(page, t, l, row):
    """The number of one row that all paths add up to."""
    text, rows = of_paths(page)
    count = n_paths(t.design, l)
    assert len(rows) == min(count, 20) and len({units for units, *_ in rows}) == len(
        rows
    )
    assert (f"{count - 20} more are not listed" in text) == (count > 20)
    total = number(
        re.search(r"(?:together|of row \d+): ([-\N{MINUS SIGN}\d.e]+);", text)[1]
    )
    products = numbers([product for _, product, *_ in rows])
    for product, (_, _, *factors) in zip(products, rows, strict=True):
        values = numbers([factor.lstrip("=· ") for factor in factors])
        assert np.isclose(np.prod(values), product, rtol=5e-3, atol=1e-12)
    if count <= 20:
        assert abs(sum(products) - total) <= 1e-3 * np.abs(products).sum() + 1e-12
    return total


def test_all_paths_of_a_weight_are_lit(shown):
    """Those of the weight only; and one of them while it is pointed at."""
    page = shown(of_xor())
    assert lit(page) == set()
    click(page, "W[0][1, 0]")
    above = {f"W[1][0, {k}]" for k in range(2)} | {f"W[2][{k}, 0]" for k in range(2)}
    units = {"a[0][1]", "a[1][0]", "a[2][0]", "a[2][1]", "a[3][0]"}
    assert lit(page) == {"W[0][1, 0]"} | above | units
    weight = page.locator('[data-name="W[0][1, 0]"]')
    assert weight.get_attribute("aria-pressed") == "true"
    page.locator("#paths tbody tr").nth(1).hover()
    one = {"W[0][1, 0]", "W[1][0, 1]", "W[2][1, 0]", "a[2][1]"}
    assert lit(page) == one | {"a[0][1]", "a[1][0]", "a[3][0]"}
    page.mouse.move(1, 1)
    assert len(lit(page)) == 10
    click(page, "W[0][1, 0]")
    assert lit(page) == set() and weight.get_attribute("aria-pressed") == "false"


def test_a_softmax_joins_all_units_of_its_layer(shown):
    page = shown(of_softmax())
    click(page, "W[0][0, 1]")
    assert {"a[1][0]", "a[1][1]", "W[1][0, 3]", "W[1][1, 3]"} <= lit(page)
    click(page, "W[1][0, 1]")
    assert not {"a[1][1]", "W[1][1, 1]", "a[2][0]", "W[2][0, 0]"} & lit(page)


def test_more_paths_than_are_added_up(shown):
    """Their sum is then a · delta of the backward pass."""
    net, X, y = problem("identity", "squared_error", (1, *[13] * 5, 1), n=1)
    t = bp.trace(net, X, y)
    page = shown(t)
    click(page, "W[0][0, 0]")
    text, rows = of_paths(page)
    assert len(rows) == 20 and t.path(0, 0, 0).n_paths == 28561
    assert "28,541 more are not listed. All 28,561 paths of row 0" in text
    assert_adds_up(text.split("a · delta = ")[1], t.dW[0][0, 0])


def test_no_paths_through_normalised_layers(shown):
    t = of_norms()
    page = shown(t)
    for l in (0, 1):
        with pytest.raises(ValueError, match="paths can begin only above it"):
            t.path(l, 0, 0)
        click(page, f"W[{l}][0, 0]")
        message = page.locator("#no-paths").inner_text()
        assert message.startswith(
            "Layer 1 has layer norm, in which every unit depends on"
        )
        assert message.endswith("so that paths can begin only above it.")
        assert page.locator("#paths").count() == 0
        (over_rows,) = equations(page).values()
        assert_adds_up(over_rows, t.dW[l][0, 0])
    click(page, "W[2][0, 0]")
    assert page.locator("#paths tbody tr").count() == 2


def test_a_weight_before_and_after_with_the_state_of_the_optimizer(shown):
    t = of_xor()
    page = shown(t)
    page.locator("#last").click()
    click(page, "W[1][0, 1]")
    found = equations(page)
    for name, of in (
        ("W[1][0, 1]", [p.weights[1] for p in (t.before, t.after)]),
        ("velocity", [p.state["velocity"].weights[1] for p in (t.before, t.after)]),
    ):
        old, new = numbers(found[f"{name}: old → new"].split(" → "))
        assert close([old, new], [array[0, 1] for array in of])
        assert old != new
