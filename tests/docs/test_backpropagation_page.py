"""docs/backpropagation.md agrees with the library."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "make_backpropagation.py"
PAGE = SCRIPT.with_name("backpropagation.md")

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
    """The weight on the page follows from its arrays by two lines of arithmetic."""
    page = module.page()

    def rows(equation, count):
        lines = page[page.index(f"\n{equation} ") :].splitlines()[1 : 1 + count]
        numbers = [re.findall(r"(-?[\d.]+)(?=\s|$)", line) for line in lines]
        return [[float(x) for x in row[-2:]] for row in numbers]

    delta = rows("delta[0] = dE/da[1] * tanh'(z[0])", 2)
    X = [0.5, 1.0]
    by_hand = sum(x * row[1] for x, row in zip(X, delta, strict=True))
    (found,) = re.findall(r"`dW\[0\]\[0, 1\]` is ([\d.]+)", page)
    assert abs(by_hand - float(found)) < 1e-6


def algorithm(page):
    """The function that the page gives, and its lines."""
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (code,) = [block for block in blocks if "def step(" in block]
    names = {}
    exec(code, names)
    return names["step"], code


@pytest.mark.parametrize("sizes", [(2, 2, 2, 1), (3, 1), (4, 7, 3), (5, 6, 5, 4, 2)])
@pytest.mark.parametrize("n", [1, 9])
def test_the_algorithm_of_the_page_is_the_step(sizes, n):
    """The page's twenty lines of NumPy give the numbers of the trace for five steps."""
    step, code = algorithm(PAGE.read_text(encoding="utf-8"))
    assert len(code.split("\n\n", 1)[1].splitlines()) <= 20
    net = bp.Network(
        sizes,
        activation="tanh",
        output="sigmoid",
        loss="squared_error",
        optimizer=bp.SGD(lr=0.5, momentum=0.9),
        dtype="float64",
        rng=1,
    )
    rng = np.random.default_rng(2)
    W, b = ([x.copy() for x in arrays] for arrays in (net.weights, net.biases))
    vW, vb = ([np.zeros_like(x) for x in arrays] for arrays in (W, b))
    for _ in range(5):
        X, y = rng.normal(size=(n, sizes[0])), rng.random((n, sizes[-1]))
        t = bp.trace(net, X, y, apply=True)
        assert step(W, b, vW, vb, X, y) == pytest.approx(t.loss, rel=1e-13)
        velocity = t.after.state["velocity"]
        for own, traced in (
            (W, t.after.weights),
            (b, t.after.biases),
            (vW, velocity.weights),
            (vb, velocity.biases),
        ):
            for x, expected in zip(own, traced, strict=True):
                np.testing.assert_allclose(x, expected, rtol=1e-12, atol=1e-15)


def test_the_page_names_both_losses_of_the_article(module):
    spec = importlib.util.spec_from_file_location(
        "step3", ROOT / "examples" / "steps" / "step3_by_hand.py"
    )
    step3 = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(step3)
    page = module.page()
    for order in (False, True):
        assert f"{step3.results(order)['E after 1 step']:.9f}" in page


def test_the_product_of_changes_never_moves(module):
    """weight += change * alpha * momentum, from a momentum of 0."""
    page = module.page()
    table = page[page.index("step  gradient") :].splitlines()[1:4]
    sums = [float(line.split()[3]) for line in table]
    products = [line.split()[4:] for line in table]
    assert len(set(sums)) == 3 and len({tuple(row) for row in products}) == 1
    assert float(products[0][0]) == 0
