"""docs/backpropagation.md and docs/zh/backpropagation.md agree with the library."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "make_backpropagation.py"
PAGES = [SCRIPT.with_name("backpropagation.md"), ROOT / "docs/zh/backpropagation.md"]
ENGLISH, CHINESE = PAGES

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="no docs beside tests")
each_page = pytest.mark.parametrize("path", PAGES, ids=["english", "chinese"])


@pytest.fixture(scope="module")
def module():
    """The script, with the folder of the script on the path as when it is run."""
    before = sys.path[:]
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        return load(SCRIPT)
    finally:
        sys.path[:] = before


@pytest.fixture(scope="module")
def written(module):
    """What the script writes to each page."""
    return module.pages()


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return path.read_text(encoding="utf-8")


@each_page
def test_the_page_is_what_the_script_writes(written, path):
    assert written[path] == read(path), "run python docs/make_backpropagation.py"


def test_both_pages_have_the_same_numbers():
    """Each number of four digits or more, and each code block but for its words."""
    found = [set(re.findall(r"(?<![\w.])-?\d[\d.,]{3,}\d", read(p))) for p in PAGES]
    assert found[0] == found[1] and len(found[0]) > 100


@each_page
def test_its_numbers_are_those_of_a_step_by_hand(path):
    """The weight on the page follows from its arrays by two lines of arithmetic."""
    page = read(path)

    def rows(equation, count):
        lines = page[page.index(f"\n{equation} ") :].splitlines()[1 : 1 + count]
        numbers = [re.findall(r"(-?[\d.]+)(?=\s|$)", line) for line in lines]
        return [[float(x) for x in row[-2:]] for row in numbers]

    delta = rows("delta[0] = dE/da[1] * tanh'(z[0])", 2)
    X = [0.5, 1.0]
    by_hand = sum(x * row[1] for x, row in zip(X, delta, strict=True))
    (found,) = re.findall(r"`dW\[0\]\[0, 1\]` (?:is|等于) ([\d.]+)", page)
    assert abs(by_hand - float(found)) < 1e-6


def algorithm(page):
    """The function that the page gives, and its lines."""
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (code,) = [block for block in blocks if "def step(" in block]
    names = {}
    exec(code, names)
    return names["step"], code


def network(sizes, seed=1):
    return bp.Network(
        sizes,
        activation="tanh",
        output="sigmoid",
        loss="squared_error",
        optimizer=bp.SGD(lr=0.5, momentum=0.9),
        dtype="float64",
        rng=seed,
    )


@each_page
@pytest.mark.parametrize("sizes", [(2, 2, 2, 1), (3, 1), (4, 7, 3), (5, 6, 5, 4, 2)])
@pytest.mark.parametrize("n", [1, 9])
def test_the_algorithm_of_the_page_is_the_step(path, sizes, n):
    """The page's twenty lines of NumPy give the numbers of the trace for five steps."""
    step, code = algorithm(read(path))
    assert len(code.split("\n\n", 1)[1].splitlines()) <= 20
    net = network(sizes)
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


@each_page
def test_the_page_names_both_losses_of_the_article(path):
    step3 = load(ROOT / "examples" / "steps" / "step3_by_hand.py")
    for order in (False, True):
        assert f"{step3.results(order)['E after 1 step']:.9f}" in read(path)


@pytest.mark.parametrize("path, head", [(ENGLISH, "step  gradient"), (CHINESE, "| 步")])
def test_the_product_of_changes_never_moves(path, head):
    """weight += change * alpha * momentum, from a momentum of 0."""
    page = read(path)
    lines = page[page.index(head) :].splitlines()[1:6]
    rows = [re.findall(r"-?\d\.\d{5}", line) for line in lines]
    rows = [row for row in rows if row]
    sums, products = [row[2] for row in rows], [row[3:] for row in rows]
    assert len(rows) == len(set(sums)) == 3 and len({tuple(r) for r in products}) == 1
    assert float(products[0][0]) == 0


# Other notations: each computed as its texts do, and compared with the trace by the
# rules of the table.


@pytest.fixture(scope="module")
def traced():
    net = network((3, 4, 5, 2))
    rng = np.random.default_rng(5)
    return bp.trace(net, rng.normal(size=(6, 3)), rng.random((6, 2)))


def df(t, l, a):
    return a * (1 - a) if l == t.n_layers - 1 else 1 - a**2


def f(t, l, z):
    return 1 / (1 + np.exp(-z)) if l == t.n_layers - 1 else np.tanh(z)


def test_notation_of_one_column_with_layers_from_1(traced):
    """UFLDL: W_ij^(l) to unit i from unit j of layer l = 1 ... n_l, S_l units each."""
    t, m, n_l = traced, len(traced.X), traced.n_layers + 1
    S = dict(enumerate(t.sizes, 1))
    W = {l: t.before.W[l - 1].T for l in range(1, n_l)}
    b = {l: t.before.b[l - 1] for l in range(1, n_l)}
    for s in range(m):
        a, z, delta = {1: t.X[s]}, {}, {}
        for l in range(1, n_l):
            z[l + 1] = W[l] @ a[l] + b[l]
            a[l + 1] = f(t, l - 1, z[l + 1])
        delta[n_l] = -(t.y[s] - a[n_l]) * df(t, n_l - 2, a[n_l])
        for l in range(n_l - 1, 1, -1):
            sums = [
                sum(W[l][j, i] * delta[l + 1][j] for j in range(S[l + 1]))
                for i in range(S[l])
            ]
            delta[l] = np.array(sums) * df(t, l - 2, a[l])
        for l in range(t.n_layers):
            np.testing.assert_allclose(t.a[l][s], a[l + 1], rtol=1e-12)
            np.testing.assert_allclose(t.z[l][s], z[l + 2], rtol=1e-12)
            np.testing.assert_allclose(t.delta[l][s], delta[l + 2] / m, rtol=1e-12)


def test_notation_with_samples_as_columns(traced):
    """Andrew Ng's: the input is layer 0, and 1 / m is in dW and db."""
    t, m, L = traced, len(traced.X), traced.n_layers
    A, Z, dZ = {0: t.X.T}, {}, {}
    for l in range(1, L + 1):
        Z[l] = t.before.W[l - 1].T @ A[l - 1] + t.before.b[l - 1][:, None]
        A[l] = f(t, l - 1, Z[l])
    dZ[L] = (A[L] - t.y.T) * df(t, L - 1, A[L])
    for l in range(L - 1, 0, -1):
        dZ[l] = t.before.W[l] @ dZ[l + 1] * df(t, l - 1, A[l])
    for l in range(L):
        np.testing.assert_allclose(t.delta[l], dZ[l + 1].T / m, rtol=1e-12)
        dW, db = dZ[l + 1] @ A[l].T / m, dZ[l + 1].sum(axis=1) / m
        np.testing.assert_allclose(t.dW[l], dW.T, rtol=1e-12)
        np.testing.assert_allclose(t.db[l], db, rtol=1e-12)


@each_page
def test_both_pages_have_the_same_table_of_notations(path):
    """Its formulas, each in its column."""
    page = read(path)
    (line,) = [x for x in page.splitlines() if "`z[l] = a[l] @ W[l] + b[l]` |" in x]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == "`z^(l+2) = W^(l+1) a^(l+1) + b^(l+1)`"
    assert cells[2] == "`Z^[l+1] = W^[l+1] A^[l] + b^[l+1]`"
    for formula in ("delta^(n_l)", "S_(l+1)", "w_kj", "weight.grad"):
        assert formula in page


# Mistakes: the page's numbers, by lines of arithmetic of their own.


@pytest.fixture(scope="module")
def step():
    net = network((2, 2, 2, 1), seed=3)
    X, y = [[0.5, -1.0], [1.0, 2.0]], [[1.0], [0.0]]
    net.train_step(X, y)
    return bp.trace(net, X, y)


MISTAKES = {
    "right": (r"right|正确", lambda t: t.delta[0]),
    "no 1/n": (r"1\. .*1/n.*", lambda t: 2 * t.delta[0]),
    "output's formula": (
        r"2\. .*",
        lambda t: (t.a[1] - t.y) / 2 * (1 - t.a[1] ** 2),
    ),
    "not transposed": (
        r"3\. .*",
        lambda t: t.delta[1] @ t.before.W[1] * (1 - t.a[1] ** 2),
    ),
    "f' at a": (
        r"6\. .*",
        lambda t: (
            t.da[3]
            * np.exp(-t.a[3])
            / (1 + np.exp(-t.a[3])) ** 2
            @ t.before.W[2].T
            / np.cosh(t.a[2]) ** 2
            @ t.before.W[1].T
            / np.cosh(t.a[1]) ** 2
        ),
    ),
}


@each_page
@pytest.mark.parametrize("name", MISTAKES)
def test_effects_of_mistakes(path, step, name):
    head, delta = MISTAKES[name]
    (found,) = re.findall(
        rf"^\| (?:{head}) \| (-?[\d.]+) \| [\d.]+% \|", read(path), re.M
    )
    assert float(found) == pytest.approx((step.X.T @ delta(step))[0, 1], abs=6e-8)


@each_page
def test_effects_of_a_wrong_update(path, step):
    """The loss after w + lr v, and where no weight changes."""
    v = step.after.state["velocity"]
    net = network((2, 2, 2, 1))
    for W, old, change in zip(net.weights, step.before.W, v.weights, strict=True):
        W[...] = old + 0.5 * change
    for b, old, change in zip(net.biases, step.before.b, v.biases, strict=True):
        b[...] = old + 0.5 * change
    up = net.evaluate(step.X, step.y)
    found = re.findall(
        r"^\| 4\. .*? \| [-\d.]+ \| [\d.]+% \| ([\d.]+) \|", read(path), re.M
    )
    assert found == [f"{up:.6g}", f"{step.loss:.6g}"]


@each_page
def test_links_within_the_page(path):
    """Links to headings, by the rule of Sphinx's and GitHub's addresses of headings."""
    page = read(path)
    heads = re.findall(r"^#+ (.*)$", page, re.M)
    slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    links = re.findall(r"\]\(#([^)]*)\)", page)
    assert links and set(links) <= slugs
