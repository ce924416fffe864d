"""The parts of the layout: ranks, crossings, coordinates."""

import itertools

import numpy as np
import pytest
from sklearn.isotonic import isotonic_regression

from bpcore.graph.positions import Extent, ascending, layout
from bpcore.graph.ranks import Layers, crossings, layers, levels


def random_arcs(seed, count=25):
    r = np.random.default_rng(seed)
    arcs = [
        (int(r.integers(v)), v)
        for v in range(1, count)
        for _ in range(r.integers(1, 3))
    ]
    last = {u for u, _ in arcs}
    return [*arcs, *((v, count) for v in range(count) if v not in last)]


@pytest.mark.parametrize("seed", range(5))
def test_levels_ascend(seed):
    arcs = random_arcs(seed)
    level = levels(26, arcs)
    assert all(level[u] < level[v] for u, v in arcs)
    assert max(level) == level[25]


def test_leaves_are_beside_their_targets():
    # A chain of 0, 2, 4, 6, and at each a leaf.
    level = levels(7, [(0, 2), (1, 2), (2, 4), (3, 4), (4, 6), (5, 6)])
    assert level == [0, 0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_routes_pass_every_rank(seed):
    arcs = random_arcs(seed)
    found = layers(26, arcs)
    for (u, v), route in zip(arcs, found.routes, strict=True):
        assert (route[0], route[-1]) == (u, v)
        assert [found.rank[i] for i in route] == [
            *range(found.rank[u], found.rank[v] + 1)
        ]
    assert sorted(itertools.chain(*found.ranks)) == [*range(len(found.rank))]
    for r, rank in enumerate(found.ranks):
        assert {found.rank[i] for i in rank} == {r}


@pytest.mark.parametrize("seed", range(5))
def test_crossings_are_counted(seed):
    found = layers(26, random_arcs(seed))
    expected = 0
    for rank, following in itertools.pairwise(found.ranks):
        place = {v: k for k, v in enumerate(following)}
        pairs = [(k, place[v]) for k, u in enumerate(rank) for v in found.after[u]]
        expected += sum(
            (a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(pairs, 2)
        )
    assert crossings(found) == expected > 0


def test_crossings_are_removed():
    """The first order, of a search from the last vertex, crosses 0 - 3 with 1 - 2."""
    arcs = [(0, 3), (1, 2), (2, 4), (3, 4), (0, 2), (1, 3), (4, 5)]
    assert crossings(layers(6, arcs)) == 1  # K(2, 2) has one, however it is ordered
    assert crossings(layers(5, [(0, 3), (1, 2), (2, 4), (3, 4)])) == 0
    # Both ways from vertex 0 and a third one in the order of their places.
    tangled = [(0, 1), (0, 2), (0, 3), (1, 6), (2, 5), (3, 4), (4, 7), (5, 7), (6, 7)]
    assert crossings(layers(8, tangled)) == 0
    ends = {"before": [[], [], [1], [0]], "after": [[3], [2], [], []]}
    assert crossings(Layers([0, 0, 1, 1], ranks=[[0, 1], [2, 3]], **ends)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_ascending_is_isotonic_regression(seed):
    r = np.random.default_rng(seed)
    wanted, weights = r.normal(size=30), r.uniform(0.1, 5, 30)
    expected = isotonic_regression(wanted, sample_weight=weights)
    found = ascending(wanted.tolist(), weights.tolist())
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_items_of_a_rank_do_not_overlap(seed):
    arcs, r = random_arcs(seed), np.random.default_rng(seed)
    found = layers(26, arcs)
    extents = [Extent(*map(float, r.uniform(1, 50, 3))) for _ in found.rank]
    place = layout(found, extents, 26)
    for rank in found.ranks:
        for u, v in itertools.pairwise(rank):
            apart = place.across[v] - extents[v].low - place.across[u] - extents[u].high
            assert apart > 7.99
    for (_, end), (begin, _) in itertools.pairwise(place.ranks):
        assert begin - end >= 16
    lowest = min(y - e.low for y, e in zip(place.across, extents, strict=True))
    assert lowest == pytest.approx(0, abs=1e-9)


def test_long_edges_are_straight():
    """From vertex 0 past a chain of ten to its end: all bends on one line."""
    count = 11
    arcs = [(k, k + 1) for k in range(count - 1)] + [(0, count - 1)]
    found = layers(count, arcs)
    extents = [Extent(40.0, 20.0, 20.0)] * count
    extents += [Extent(0.0, 3.0, 3.0)] * (len(found.rank) - count)
    place = layout(found, extents, count)
    lines = {round(place.across[item], 6) for item in found.routes[-1][1:-1]}
    assert len(lines) == 1
