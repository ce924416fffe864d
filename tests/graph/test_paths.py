"""Paths with their products: their sum is the derivative of backpropagation."""

import itertools
import math
import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.graph import Path, PathSum, Variable, routes
from bpcore.graph.backward import in_order
from helpers.graphs import GRAPHS, perceptron, products, random_graph, repeated

NUMBERS = [name for name in GRAPHS if name not in ("large arrays", "unusual")]


def leaves(J):
    return [x for x in in_order(J) if x.node.operation is None]


def followed(J, a):
    """The local derivatives along every path from a to J, found by recursion."""
    if J is a:
        return [()]
    return [
        (*path, edge.derivative.item())
        for edge in J.edges
        for path in followed(edge.source, a)
    ]


def named(J, name):
    (x,) = (x for x in in_order(J) if x.name == name)
    return x


def doublings(count):
    x = Variable(1.0, "x")
    v = x
    for _ in range(count):
        v = v + v
    return v, x


# --- of numbers -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_paths_of_numbers(seed):
    J = random_graph(seed)
    J.backward()
    for a in leaves(J):
        expected, found = followed(J, a), J.paths(a)
        assert found.n_paths == len(expected) > 0
        assert sorted(path.factors for path in found) == sorted(expected)
        for path in itertools.islice(found, 100):
            assert path.product == pytest.approx(math.prod(path.factors), rel=1e-14)
            assert (path.names[0], path.names[-1]) == (a.name, "J")
            assert len(path.names) == len(path.factors) + 1
        assert found.expanded == pytest.approx(float(a.grad), rel=1e-12)
        assert found.backward == pytest.approx(float(a.grad), rel=1e-14)
        assert found.difference < 1e-12 * max(1, abs(found.backward))


def test_infinite_derivatives_give_no_warning():
    x = Variable(np.array([1e200, 1.0]), "x")
    found = (x * x * x).sum().paths(x)
    assert np.isinf(found.backward).any() and found.expanded is not None
    assert np.isnan(found.difference)  # of infinity and infinity


def test_each_operand_has_a_path():
    x = Variable(3.0, "x")
    found = (x * x).paths(x)
    assert found.n_paths == 2 and [path.factors for path in found] == [(3.0,)] * 2
    assert type(found.expanded) is type(found.backward) is float
    assert isinstance(found, PathSum) and all(isinstance(p, Path) for p in found.paths)


def test_paths_are_counted_without_following_each():
    J, x = doublings(100)
    found = J.paths(x)
    assert found.n_paths == 2**100 and found.backward == 2.0**100
    assert len(found.paths) == 12 and found.expanded is None is found.difference
    assert {path.product for path in itertools.islice(found, 1000)} == {1.0}
    assert repr(found) == "<PathSum of dJ/dx: 1.26765e+30 paths>"
    assert "... 1.26765e+30 more paths ..." in str(found)
    J, x = doublings(400)
    assert J.paths(x).n_paths == 10**100
    assert "dJ/dx along 10^100 or more paths" in str(J.paths(x))


def test_long_paths():
    x = Variable(1.0, "x")
    v = x
    for _ in range(5000):
        v = v * 0.999 + v * 0.001
    found = v.paths(x)
    assert found.n_paths == 10**100 and found.backward == pytest.approx(1.0)
    assert len(found.paths[0].links) == 10_000
    # The first path has so many links that few others are kept.
    assert len(found.paths) < 3
    assert max(map(len, str(found).splitlines())) < 120


def test_no_path_and_no_link():
    x, other = Variable(3.0, "x"), Variable([1.0, 2.0], "other")
    J = 2 * x
    assert J.paths(other).n_paths == 0 and not [*J.paths(other)]
    assert np.array_equal(J.paths(other).expanded, [0, 0])
    assert J.paths(other, at=1).backward == 0.0 == J.paths(other, at=1).expanded
    assert J.paths(J).n_paths == 1 and J.paths(J).expanded == 1.0
    assert str(J.paths(J)).splitlines()[1] == "  J: 1"
    assert (2 * J).sum().paths(Variable(1.0)).name == "dJ/da"
    E = Variable([[2.0]], "E")
    assert E.paths(E, at=(0, 0)).expanded == 1.0


# --- of arrays ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NUMBERS)
def test_the_sum_is_that_of_backward(name):
    J = GRAPHS[name]()
    J.backward()
    for a in leaves(J):
        found = J.paths(a)
        np.testing.assert_allclose(found.backward, a.grad, rtol=1e-13)
        np.testing.assert_allclose(found.expanded, a.grad, rtol=1e-11)
        assert np.shape(found.paths[0].product) == a.shape


@pytest.mark.parametrize(
    "J", [perceptron(), products()], ids=["perceptron", "products"]
)
def test_paths_of_elements(J):
    J.backward()
    for a in leaves(J):
        for at in np.ndindex(a.shape):
            found = J.paths(a, at=at)
            assert found.expanded == pytest.approx(a.grad[at], rel=1e-12, abs=1e-15)
            assert found.backward == pytest.approx(a.grad[at], rel=1e-13)
            for path in found:
                assert all(type(factor) is float for factor in path.factors)
                assert path.product == math.prod(path.factors)


def test_elements_have_paths_through_rows_and_units():
    J = perceptron()
    assert J.paths(named(J, "W0"), at=(0, 1)).n_paths == 4 * 2  # rows, outputs
    assert J.paths(named(J, "W1"), at=(0, 1)).n_paths == 4
    assert J.paths(named(J, "x"), at=(2, 1)).n_paths == 3 * 2  # hidden units, outputs
    assert J.paths(named(J, "b0"), at=2).n_paths == 4 * 2
    assert J.paths(named(J, "W0")).n_paths == 1  # of whole arrays


def test_broadcasting_and_unused_elements():
    x, y = Variable(2.0, "x"), Variable([[1.0], [3.0]], "y")
    J = (x * y * [1.0, 1.0, 5.0])[0].sum()
    assert J.paths(x, at=()).n_paths == 3 and J.paths(x, at=()).expanded == 7.0
    assert J.paths(y, at=(0, 0)).n_paths == 3
    assert J.paths(y, at=(1, 0)).n_paths == 0  # the row is not taken
    assert J.paths(y, at=(1, 0)).expanded == 0.0


def test_zeros_of_elementwise_operations_are_factors():
    x = Variable([-1.0, 2.0], "x")
    (path,) = x.relu().sum().paths(x, at=0)
    assert path.factors == (0.0, 1.0) and path.product == 0.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_paths_through_a_network(dtype):
    net = bp.Network([2, 3, 1], rng=0, dtype=dtype)
    x = Variable(np.array([[1.0, 2.0], [-1.0, 0.5]], dtype), "x")
    J = (net.node(x) ** 2).sum()
    J.backward()
    grad, stored = x.grad.copy(), net.stored_gradients
    found = J.paths(x)
    np.testing.assert_allclose(found.expanded, grad, rtol=1e-6)
    assert found.expanded.dtype == dtype
    assert J.paths(x, at=(1, 0)).expanded == pytest.approx(grad[1, 0], rel=1e-5)
    assert np.array_equal(x.grad, grad) and net.stored_gradients is stored
    net.train_step(x.value, np.ones((2, 1)))
    with pytest.raises(RuntimeError, match="trained in between"):
        J.paths(x)


def test_gradients_do_not_change():
    J = repeated()
    x = leaves(J)[0]
    J.paths(x)
    assert x.grad is None and J.grad is None


def test_numbers_that_are_not_finite():
    x = Variable([0.0, 1e300], "x")
    with np.errstate(all="raise"):
        J = (x.log() * 1e300 * x).sum()
        found = J.paths(x)
        assert "nan" in str(found) or "inf" in str(found)
        assert J.paths(x, at=1).n_paths == 2


# --- in print -------------------------------------------------------------------------


def test_print():
    J = repeated()
    assert str(J.paths(leaves(J)[0])).splitlines() == [
        "dJ/dx along 5 paths",
        "  x -> v1 -> v2 -> v4 -> J: 7.38906 * 2 * 1 * 1 = 14.7781",
        "  x -> v2 -> v4 -> J: 7.38906 * 1 * 1 = 7.38906",
        "  x -> v3 -> v4 -> J: 4 * 1 * 1 = 4",
        "  x -> v5 -> J: 2 * 1 = 2",
        "  x -> v5 -> J: 2 * 1 = 2",
        "sum of 5 paths  = 30.1672",
        "backpropagation = 30.1672",
    ]


def test_print_of_elements_and_arrays():
    W = Variable([[1.0, 2.0], [3.0, 4.0]], "W")
    J = ((W @ [1.0, -1.0]) ** 2).sum()
    assert "  W[0, 1] -> v1[0] -> v2[0] -> J: (-1) * (-2) * 1 = 2" in str(
        J.paths(W, at=(0, 1))
    )
    assert "  W -> v1 -> v2 -> J: (2, 2, 2) * (2,) * (2,) = [[-2, 2], [-2, 2]]" in str(
        J.paths(W)
    )


def test_wide_paths_take_two_lines():
    J = perceptron()
    lines = str(J.paths(named(J, "W0"), at=(0, 1))).splitlines()
    assert lines[1] == "  " + " -> ".join(
        [*("W0[0, 1]", "v1[0, 1]", "v2[0, 1]", "v3[0, 1]"),
         *("v4[0, 0]", "v5[0, 0]", "v6[0, 0]", "J")]
    )  # fmt: skip
    assert re.fullmatch(r"    \S+( \* \S+){6} = \S+", lines[2])


def test_html():
    x = Variable(3.0, "<x>")
    html = (x * x + x).paths(x)._repr_html_()
    assert "<x>" not in html and html.count("<tr>") == 1 + 3 + 2
    cells = re.findall("<td[^>]*>(.*?)</td>", html)
    assert cells[:3] == ["&lt;x&gt; -&gt; v1 -&gt; J", "3 * 1", "3"]
    assert cells[-3:] == ["backpropagation", "", "7"]
    J, x = doublings(5)
    assert "... 20 more paths ..." in J.paths(x)._repr_html_()


# --- bad arguments --------------------------------------------------------------------


def test_bad_arguments(monkeypatch):
    W = Variable([[1.0, 2.0], [3.0, 4.0]], "W")
    J = (W @ W).sum()
    with pytest.raises(ValueError, match=r"end at one element.*got the shape \(2, 2\)"):
        (W @ W).paths(W)
    with pytest.raises(TypeError, match="a must be"):
        J.paths(W.value)
    with pytest.raises(ValueError, match=r"at must have an index for each axis"):
        J.paths(W, at=1)
    with pytest.raises(IndexError, match=r"at must be a whole number in 0 .. 1; got 2"):
        J.paths(W, at=(0, 2))
    with pytest.raises(TypeError, match="at must be a whole number"):
        J.paths(W, at=(0, 1.0))
    monkeypatch.setattr(routes, "LARGEST", 35)
    with pytest.raises(ValueError, match="at most 35 elements together; got 36"):
        J.paths(W, at=(0, 1))
    J.paths(W)
