"""The grid of layers covers what it states, and its classes are summed up rightly."""

import pytest
from bench import grid, grid_targets, verdicts
from bench.grid_classes import summaries
from bench.grid_shapes import CLASSES
from bench.layer import Layer
from bench.timing import Spread

LAYERS = {
    name: [Layer.of(sizes, "float32") for sizes in layers]
    for name, layers in CLASSES.items()
}
ALL = [layer for layers in LAYERS.values() for layer in layers]


def test_there_are_sixty_different_layers():
    assert len(set(ALL)) == len(ALL) == 60


def test_the_ranges():
    assert {layer.n for layer in ALL} >= {1, 2, 4096}
    assert max(layer.n for layer in ALL) == 4096
    for width in ("n_in", "n_out"):
        widths = {getattr(layer, width) for layer in ALL}
        assert (min(widths), max(widths)) == (1, 2048)
    assert max(layer.multiply_adds for layer in ALL) < 1.1e9


@pytest.mark.parametrize(
    "name, belongs",
    [
        ("single rows", lambda layer: layer.n == 1),
        ("small batches", lambda layer: 2 <= layer.n <= 16),
        ("MLP layers", lambda layer: 32 <= layer.n <= 256),
        ("wide layers", lambda layer: max(layer.n_in, layer.n_out) >= 1024),
        ("large batches", lambda layer: layer.n >= 512),
        ("odd sizes", lambda layer: layer.n % 2 or layer.n_in % 16),
        ("narrow outputs", lambda layer: layer.n_out <= 10),
    ],
)
def test_layers_are_of_their_class(name, belongs):
    assert all(belongs(layer) for layer in LAYERS[name])


def spread(value):
    return Spread(value, value, value, value, 9)


def result(layer, operation, numpy, bare, bare_share):
    figures = {
        "numpy_over_it": spread(numpy),
        "bare_over_it": spread(bare),
        "bare_share_of_peak": spread(bare_share),
    }
    return {
        "class": "wide layers",
        "layer": layer,
        "dtype": "float32",
        "operation": operation,
        "isa": {"x86_64_v3": figures},
    }


@pytest.fixture
def results():
    """Three layers; the second is the worst, the third has a slow bare product."""
    return [
        result(layer, operation, numpy * factor, bare, share)
        for operation, factor in (("forward", 1), ("propagate", 2), ("update", 3))
        for layer, numpy, bare, share in (
            ("1x1x1", 1.2, 1.1, 0.7),
            ("2x2x2", 0.9, 0.96, 0.61),
            ("3x3x3", 1.4, 0.5, 0.59),
        )
    ]


def test_a_class_is_summed_up(results):
    (found,) = summaries(results)
    assert found["of_class"] == "wide layers"
    assert found["numpy_median"] == 1.2
    assert found["numpy_least"] == 0.9
    assert found["bare_least"] == 0.96
    update = found["operations"]["update"]
    assert update["numpy_at"] == update["bare_at"] == "2x2x2"
    assert update["numpy_median"] == pytest.approx(3.6)
    assert update["bare_median"] == 0.96


def test_where_the_bare_product_is_slow_everywhere_it_has_no_limit(results):
    slow = [entry for entry in results if entry["layer"] == "3x3x3"]
    (found,) = summaries(slow)
    assert found["bare_least"] is None
    assert "-" in grid.table([found])


def test_the_verdicts_on_a_class(results):
    record = {"results": results + summaries(results)}
    met = {
        target.figure: verdicts.is_met(target, record)
        for target in grid_targets.ALL
        if target.record == "grid" and target.at == {"of_class": "wide layers"}
    }
    assert met == {"numpy_least": False, "numpy_median": True, "bare_least": True}
    assert len(verdicts.table("grid", record).splitlines()) == 4


def test_there_are_targets_for_every_class_and_dtype():
    assert len(grid_targets.ALL) == 2 * 3 * len(CLASSES)
