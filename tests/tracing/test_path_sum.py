"""One derivative as the sum over all paths from a weight to the loss."""

import math

import numpy as np
import pytest

import bpcore as bp
from bpcore.tracing import path_sum
from helpers import each_library, fourth_powers, short
from helpers.trace import problem, traced_memory

# --- one derivative along all paths ---------------------------------------------------


class Counted:
    """A product that counts its multiplications."""

    def __init__(self):
        self.count = 0

    def __call__(self, *factors):
        result = float(factors[0])
        for factor in factors[1:]:
            result *= float(factor)
            self.count += 1
        return result


def slope(t, m, s, k):
    """f' of unit k, with whether it was kept."""
    kept = 1.0 if t.kept[m] is None else float(t.kept[m][s, k])
    return float(t.derivatives[m][s, k]) * kept


def slope_between(t, m, s, above, k):
    """da_above/dz_k of softmax, with whether it was kept."""
    kept = 1.0 if t.kept[m] is None else float(t.kept[m][s, above])
    return float(t.derivatives[m][s, above, k]) * kept


def ways(t, m, s, k, factors):
    """The factors of every way from z[m] of unit k to the loss."""
    last = t.n_layers - 1
    if m == last and t.design.loss_takes_z:
        yield [*factors, t.delta[m][s, k]]
        return
    if t.design.activations[m] == "softmax":
        steps = [
            (above, slope_between(t, m, s, above, k)) for above in range(t.sizes[m + 1])
        ]
    else:
        steps = [(k, slope(t, m, s, k))]
    for unit, derivative in steps:
        if m == last:
            yield [*factors, derivative, t.da[-1][s, unit]]
        else:
            W = t.before.weights[m + 1]
            for above in range(t.sizes[m + 2]):
                beyond = [*factors, derivative, W[unit, above]]
                yield from ways(t, m + 1, s, above, beyond)


def along_all_ways(t, l, i, j, times):
    """The terms of dE/dW[l][i, j]; those of a bias where i is None."""
    return [
        times(*factors)
        for s in range(len(t.X))
        for factors in ways(t, l, s, j, [] if i is None else [t.a[l][s, i]])
    ]


def backwards(t, s, lowest, units, times):
    """delta of those units of the lowest layer, in scalars from the last on."""
    last = t.n_layers - 1
    by_a, delta = dict(enumerate(t.da[-1][s])), {}
    for m in range(last, lowest - 1, -1):
        wanted = units if m == lowest else range(t.sizes[m + 1])
        softmax = t.design.activations[m] == "softmax"
        if m < last:
            W = t.before.weights[m + 1]
            by_a = {
                k: sum(times(delta[a], W[k, a]) for a in range(t.sizes[m + 2]))
                for k in (range(t.sizes[m + 1]) if softmax else wanted)
            }
        if m == last and t.design.loss_takes_z:
            delta = {k: t.delta[m][s, k] for k in wanted}
        elif softmax:
            delta = {
                k: sum(
                    times(by_a[a], slope_between(t, m, s, a, k))
                    for a in range(t.sizes[m + 1])
                )
                for k in wanted
            }
        else:
            delta = {k: times(by_a[k], slope(t, m, s, k)) for k in wanted}
        yield m, delta


def layer_by_layer(t, l, i, j, times):
    total = 0.0
    for s in range(len(t.X)):
        *_, (_, delta) = backwards(t, s, l, [j], times)
        total += times(t.a[l][s, i], delta[j])
    return total


def of_all_parameters(t):
    """The multiplications of both forms, for every weight and bias."""
    expanded, layered = Counted(), Counted()
    for l, W in enumerate(t.dW):
        for i, j in np.ndindex(W.shape):
            along_all_ways(t, l, i, j, expanded)
        for j in range(W.shape[1]):
            along_all_ways(t, l, None, j, expanded)
    for s in range(len(t.X)):
        for l, delta in backwards(t, s, 0, range(t.sizes[1]), layered):
            for i, j in np.ndindex(t.dW[l].shape):
                layered(t.a[l][s, i], delta[j])
    return expanded.count, layered.count


NETWORKS = [
    {"sizes": (2, 3)},
    {"sizes": (2, 3), "output": "sigmoid", "loss": "binary_cross_entropy"},
    {"sizes": (2, 3), "output": "softmax", "loss": "squared_error"},
    {"sizes": (2, 3, 2), "output": "identity", "loss": "huber"},
    {"sizes": (2, 3, 2), "output": "softmax", "loss": "mean_squared_error"},
    {"sizes": (3, 2, 4, 2)},
    {"sizes": (3, 2, 4, 2), "activation": "softmax"},
    {"sizes": (3, 2, 4, 2), "activation": "softmax", "dropout": 0.4},
    {"sizes": (2, 3, 2, 3), "activation": ["relu", "softmax"], "dropout": [0.4, 0.2]},
    {"sizes": (2, 3, 2, 3), "activation": ["softmax", "gelu"], "output": "tanh",
     "loss": "log_cosh", "dropout": [0.2, 0.4]},
    {"sizes": (1, 2, 1, 2, 2), "output": "exp", "loss": "poisson"},
    {"sizes": (2, 2, 3, 2, 2), "output": "softmax", "loss": "hinge"},
    {"sizes": (2, 3, 2), "output": "tanh", "loss": fourth_powers, "input_noise": 0.3},
    {"sizes": (2, 3, 2), "input_scale": 2.0},
    {"sizes": (2, 3, 2), "optimizer": bp.Momentum(), "output": "softplus",
     "loss": "poisson"},
]  # fmt: skip


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("settings", NETWORKS, ids=short)
def test_all_paths_are_the_derivative_layer_by_layer(settings, n):
    """Both values, and every count, against an enumeration path by path."""
    settings = {"output": "softmax", "loss": "cross_entropy", **settings}
    t = bp.trace(*problem(n=n, **settings))
    everywhere = of_all_parameters(t)
    for l, W in enumerate(t.dW):
        for i, j in np.ndindex(W.shape):
            path = t.path(l, i, j)
            expanded, layered = Counted(), Counted()
            terms = along_all_ways(t, l, i, j, expanded)
            value = layer_by_layer(t, l, i, j, layered)
            assert (path.l, path.i, path.j) == (l, i, j)
            assert (path.n_terms, path.n_paths) == (len(terms), len(terms) // n)
            assert path.multiplications == (expanded.count, layered.count)
            assert path.of_all_parameters == everywhere
            # Terms of both signs may cancel all but a little.
            exact = {"rel": 1e-12, "abs": 1e-14 * sum(map(abs, terms))}
            assert path.layer_by_layer == W[i, j]
            assert path.expanded == pytest.approx(math.fsum(terms), **exact)
            assert path.expanded == pytest.approx(value, **exact)
            assert path.expanded == pytest.approx(W[i, j], **exact)
            assert path.difference == abs(path.expanded - path.layer_by_layer)


@each_library
def test_all_paths_of_networks_of_both_libraries_and_dtypes(Network, dtype):
    t = bp.trace(*problem(Network=Network, dtype=dtype, dropout=0.3))
    path = t.path(0, 2, 5)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    assert path.expanded == pytest.approx(t.dW[0][2, 5], rel=tolerance)
    assert path.expanded != 0


def test_paths_are_written_out():
    """A line for each term, with its factors, that add up to the sum."""
    t = bp.trace(*problem(sizes=(2, 3, 2, 2), n=2, activation=["tanh", "softmax"]))
    path = t.path(0, 1, 2)
    text = str(path)
    assert "for every row s and units k1, k2, k3 the product" in text
    chain = (
        "a[0][s,1]  f'(z[0][s,2])  W[1][2,k1]  da[2][s,k2]/dz[1][s,k1]  W[2][k2,k3]  "
        "dE/dz[2][s,k3]"
    )
    lines = text.splitlines()
    assert lines[1].split() == ["s", "k1", "k2", "k3", *chain.split(), "product"]
    terms = [[float(word) for word in line.split()] for line in lines[2:18]]
    places = [tuple(map(int, term[:4])) for term in terms]
    assert places == list(np.ndindex(2, 2, 2, 2))
    for (s, k1, k2, k3), term in zip(places, terms, strict=True):
        factors = [
            t.a[0][s, 1],
            t.derivatives[0][s, 2],
            t.before.weights[1][2, k1],
            t.derivatives[1][s, k2, k1],
            t.before.weights[2][k2, k3],
            t.delta[2][s, k3],
        ]
        np.testing.assert_allclose(term[4:], [*factors, math.prod(factors)], rtol=6e-5)
    assert sum(term[-1] for term in terms) == pytest.approx(path.expanded, rel=1e-3)
    assert lines[18].strip() == f"the sum of 16 terms = {path.expanded:.10g}"
    assert f" = {path.layer_by_layer:.10g}" in text
    assert f"they differ by {path.difference:.1e}" in text
    counts = [line.split() for line in lines[-2:]]
    both = zip(path.multiplications, path.of_all_parameters, strict=True)
    for words, (one, every) in zip(counts, both, strict=True):
        assert words[-2:] == [f"{one:,}", f"{every:,}"]
    assert repr(path).startswith("<PathSum of W[0][1, 2]: 16 terms, ")
    one = bp.trace(*problem(sizes=(1, 1), n=1, output="tanh", loss="hinge"))
    text = str(one.path(0, 0, 0))
    assert "for every row s the product of" in text and "the sum of 1 term" in text


@pytest.mark.parametrize("sizes", [(3, 40, 60, 50, 4), (3, 50, 50, 41)])
def test_too_many_paths_are_counted(sizes):
    t = bp.trace(*problem(sizes=sizes, n=50))
    path = t.path(0, 0, 0)
    assert path.n_paths == math.prod(sizes[2:]) and path.n_terms == 50 * path.n_paths
    assert path.n_terms > 100_000
    assert path.expanded is None and path.difference is None
    assert path.layer_by_layer == t.dW[0][0, 0]
    text = str(path)
    assert f"{path.n_terms:,} terms" in text
    assert f"... {path.n_terms - 40:,} more terms ..." in text
    assert "more than 100,000: text(all=True) writes out all of them" in text
    assert f"{path.multiplications[0]:,}" in text and "they differ" not in text
    assert f"{path.of_all_parameters[1]:,}" in text
    assert len(text.splitlines()) < 400
    assert t.path(len(sizes) - 2, 0, 0).expanded == pytest.approx(
        t.dW[-1][0, 0], rel=1e-12
    )


@pytest.mark.parametrize("most, written", ((6, True), (5, False)))
def test_how_many_paths_are_too_many(monkeypatch, most, written):
    t = bp.trace(*problem(sizes=(2, 3, 2), n=3))
    monkeypatch.setattr(path_sum, "MOST", most)
    assert (t.path(0, 0, 0).expanded is not None) == written


@pytest.mark.parametrize("kind", ["batch", "layer"])
@pytest.mark.parametrize("l", [0, 1])
def test_no_paths_below_a_normalised_layer(kind, l):
    """Its units depend on each other."""
    t = bp.trace(*problem(norm=[None, kind]))
    said = f"l must be at least 2: layer 1 has {kind} norm, .*; got {l}"
    with pytest.raises(ValueError, match=said):
        t.path(l, 0, 0)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_paths_above_a_normalised_layer(kind):
    t = bp.trace(*problem(norm=[None, kind]))
    path = t.path(2, 1, 3)
    assert path.expanded == pytest.approx(t.dW[2][1, 3], rel=1e-12)
    assert path.of_all_parameters is None
    assert "all weights and biases" not in str(path)
    t = bp.trace(*problem(norm=[kind, None]))
    path = t.path(1, 1, 3)
    assert path.expanded == pytest.approx(t.dW[1][1, 3], rel=1e-12)


INDICES = pytest.mark.parametrize("name, size", [("l", 3), ("i", 3), ("j", 7)])


@INDICES
@pytest.mark.parametrize("index", [-1, "size", 10**30])
def test_weights_that_are_not_there_have_no_paths(name, size, index):
    t, index = bp.trace(*problem()), size if index == "size" else index
    with pytest.raises(IndexError, match=rf"^{name} must be .* 0 \.\. .*got {index}"):
        t.path(**{"l": 0, "i": 0, "j": 0, name: index})


@INDICES
@pytest.mark.parametrize("index", [True, 1.0, "1", None, np.bool_(1)], ids=repr)
def test_indices_of_paths_are_whole_numbers(name, size, index):
    t = bp.trace(*problem())
    with pytest.raises(TypeError, match=f"^{name} must be a whole number"):
        t.path(**{"l": 0, "i": 0, "j": 0, name: index})
    last = {"l": 0, "i": 0, "j": 0, name: np.int8(size - 1)}
    assert t.path(**last).expanded is not None


# --- deep networks, large networks, dropout -------------------------------------------


@pytest.mark.parametrize("hidden", ["tanh", "softmax"])
def test_paths_of_deep_networks(hidden):
    """More layers than an array has axes."""
    net = bp.Network([1] * 70, activation=hidden, output="tanh", dtype="float64", rng=0)
    path = bp.trace(net, [[1.0]], [[2.0]]).path(0, 0, 0)
    assert (path.n_paths, path.n_terms) == (1, 1)
    assert path.expanded == pytest.approx(path.layer_by_layer, rel=1e-12)
    assert "the sum of 1 term" in str(path)


def test_a_path_reads_no_more_than_its_factors():
    net = bp.Network([4, 8, 2000], output="softmax", rng=0)
    t = bp.trace(net, np.ones((64, 4)), np.arange(64))
    most, path = traced_memory(lambda: t.path(0, 0, 0))
    assert path.expanded is None and most < 10**6


def test_a_path_through_a_unit_that_dropped_out():
    """Its derivative, which may be infinite, is not used."""
    net = bp.Network([1, 8, 1], activation="exp", dropout=0.5, dtype="float64", rng=0)
    kept = bp.trace(net, [[1.0]], [[1.0]]).kept[0][0]
    gone = int(np.flatnonzero(kept == 0)[0])
    net.biases[0][gone] = 800.0
    t = bp.trace(net, [[1.0]], [[1.0]])
    path = t.path(0, 0, gone)
    assert np.isinf(t.derivatives[0][0, gone])
    assert path.expanded == path.layer_by_layer == 0
