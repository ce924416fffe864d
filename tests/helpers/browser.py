"""What is read from a page in a browser, and how it is clicked."""

import re

import numpy as np


def number(text):
    return float(text.replace("\N{MINUS SIGN}", "-").strip("()"))


def numbers(texts):
    return [number(text) for text in texts]


def close(shown, expected, digits=4):
    """Whether a number is the other, rounded to that many digits."""
    return np.allclose(shown, expected, rtol=0.6 * 10.0 ** (1 - digits), atol=1e-12)


def quantities(page):
    """The numbers of the phase's tables: {name in the first cell: numbers}."""
    rows = page.eval_on_selector_all(
        "#numbers tbody tr",
        "rows => rows.map(row => [...row.cells].map(c => c.innerText))",
    )
    return {name: numbers(cells) for name, *cells in rows}


def equations(page, part="#chosen"):
    """The formulas of the chosen unit or weight, and their numbers."""
    return dict(
        page.eval_on_selector_all(
            f"{part} dt",
            "all => all.map(dt => [dt.innerText, dt.nextSibling.innerText])",
        )
    )


def labels(page):
    """What a screen reader says of every unit and weight, by its name."""
    return dict(
        page.eval_on_selector_all(
            "svg [role=button]", "all => all.map(e => [e.dataset.name, e.ariaLabel])"
        )
    )


def title(page):
    return page.locator("#phase").inner_text()


def click(page, name):
    """Click a unit or weight where no other lies above it."""
    page.locator(f'[data-name="{name}"]').dispatch_event("click")


def evaluated(text):
    """Both sides of "1 · 2 + 3 = 5": the left one computed, and the sizes in it."""
    left, right = text.replace("\N{MINUS SIGN}", "-").replace("·", "*").rsplit(" = ", 1)
    assert re.fullmatch(r"[-\d.e*+() ]+", left)
    sizes = eval(re.sub(r"(?<![e\d])-", "", left.replace("(", "").replace(")", "")))
    return eval(left), number(right), sizes


def assert_adds_up(text, expected):
    value, shown, sizes = evaluated(text)
    assert close(shown, expected)
    assert abs(value - shown) <= 2e-3 * sizes + 1e-12


def lit(page):
    return {
        *page.eval_on_selector_all(
            ".unit.lit, .edge.lit", "all => all.map(one => one.dataset.name)"
        )
    }
