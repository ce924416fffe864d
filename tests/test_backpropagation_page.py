"""docs/backpropagation.md is what the library says today."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "docs" / "make_backpropagation.py"

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="no docs beside tests")


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("make_backpropagation", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_writes(module):
    written = module.PAGE.read_text(encoding="utf-8")
    assert module.page() == written, "run python docs/make_backpropagation.py"


def test_its_numbers_are_those_of_a_step_by_hand(module):
    """The page's weight, from its own arrays, by two lines of arithmetic."""
    page = module.page()

    def rows(equation, count):
        lines = page[page.index(f"\n{equation} ") :].splitlines()[1 : 1 + count]
        numbers = [re.findall(r"(-?[\d.]+)(?=\s|$)", line) for line in lines]
        return [[float(x) for x in row[-2:]] for row in numbers]

    delta = rows("delta[0] = dE/da[1] * f'(z[0])", 2)
    X = [0.5, 1.0]
    by_hand = sum(x * row[1] for x, row in zip(X, delta, strict=True))
    (found,) = re.findall(r"`dW\[0\]\[0, 1\]` is ([\d.]+)", page)
    assert abs(by_hand - float(found)) < 1e-6
