"""E over a plane of parameters, and the paths of optimizers on it."""

import copy

import numpy as np
import pytest

import bpcore as bp
from helpers import everything
from helpers.trace import problem

QUIET = {"progress": False}
CHOSEN = [("W", 0, 2, 1), ("b", 1, 3)]


def at(net, surface, u, v):
    """A copy of the network with the parameters at a point of the plane."""
    other = copy.deepcopy(net)
    u, v = np.array([u, v]) - surface.origin
    other.parameters[...] += u * surface.directions[0] + v * surface.directions[1]
    return other


@pytest.mark.parametrize("parameters", [None, CHOSEN], ids=["random", "chosen"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"output": "identity", "loss": "huber", "norm": "layer", "dropout": 0.3},
        {"output": "sigmoid", "loss": "binary_cross_entropy", "input_noise": 0.5},
        {"output": "tanh", "loss": lambda a, y: ((a - y) ** 2).sum(axis=1)},
        {"input_scale": 2.0},
    ],
    ids=["plain", "layer norm", "noise", "own loss", "input scale"],
)
def test_e_of_the_grid_is_that_of_evaluate(settings, parameters, Network):
    net, X, y = problem(Network=Network, **settings)
    weight = np.arange(1.0, 6.0)
    before = everything(net)
    surface = bp.loss_surface(
        net, X, y, weight, parameters=parameters, points=(4, 3), rng=5
    )
    assert everything(net) == before
    u, v = surface.axes
    assert surface.E.shape == (4, 3) == (len(u), len(v))
    assert surface.loss == pytest.approx(net.evaluate(X, y, weight))
    for i, j in np.ndindex(4, 3):
        expected = at(net, surface, u[i], v[j]).evaluate(X, y, weight)
        assert surface.E[i, j] == pytest.approx(expected, rel=1e-12)
    assert np.ptp(surface.E) > 1e-3


def test_class_weights_enter_e():
    net, X, y = problem()
    labels = y.argmax(axis=1)
    settings = {"class_weight": {0: 3.0, 2: 0.5}}
    surface = bp.loss_surface(net, X, labels, **settings, points=2)
    assert surface.loss == pytest.approx(net.evaluate(X, labels, **settings))


def test_batch_norm_has_the_moments_of_the_data():
    net, X, y = problem(norm="batch")
    surface = bp.loss_surface(net, X, y, parameters=CHOSEN, points=3)
    assert surface.loss == pytest.approx(net.gradients(X, y).loss)
    other = at(net, surface, surface.axes[0][2], surface.axes[1][0])
    assert surface.E[2, 0] == pytest.approx(other.gradients(X, y).loss)


def test_random_directions_are_as_long_as_each_unit():
    net, X, y = problem(dtype="float64")
    surface = bp.loss_surface(net, X, y, points=2, rng=3)
    views = [net.learner.design.layout.views(d) for d in surface.directions]
    for l, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        own = np.vstack([W, b])
        first, second = (np.vstack([v.weights[l], v.biases[l]]) for v in views)
        for drawn in (first, second):
            lengths = np.linalg.norm(drawn, axis=0)
            assert lengths == pytest.approx(np.linalg.norm(own, axis=0))
        assert (first * second).sum(axis=0) == pytest.approx(0, abs=1e-12)
    again = bp.loss_surface(net, X, y, points=2, rng=3).directions
    assert np.array_equal(again, surface.directions)
    other = bp.loss_surface(net, X, y, points=2, rng=4).directions
    assert not np.allclose(other, surface.directions)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("optimizer", [bp.SGD(0.3, momentum=0.9), bp.Adam(0.05)])
def test_a_path_is_the_projection_of_a_fit(optimizer, batch_size):
    net, X, y = problem(dropout=0.2, optimizer=bp.Lion())
    net.fit(X, y, epochs=2, **QUIET)  # its own optimizer has made steps
    before = everything(net)
    surface = bp.loss_surface(
        net, X, y, points=2, optimizers=optimizer, steps=7, batch_size=batch_size
    )
    assert everything(net) == before
    (path,) = surface.paths.values()
    assert list(surface.paths) == [repr(optimizer)] and not path.diverged
    twin, found = copy.deepcopy(net), [net.parameters.copy()]
    twin.optimizer = optimizer
    twin.learner.state.counters[...] = 0  # of dropout
    record = lambda n, *_: found.append(n.parameters.copy())  # noqa: E731
    twin.fit(X, y, epochs=9, batch_size=batch_size or 5, batch_callbacks=[record],
             **QUIET)  # fmt: skip
    moved = np.array(found[:8]) - found[0]
    expected = np.linalg.lstsq(surface.directions.T, moved.T, rcond=None)[0].T
    assert path.points == pytest.approx(expected, abs=1e-12)
    twin.parameters[...] = found[7]
    assert path.loss[7] == pytest.approx(twin.evaluate(X, y))


def test_with_two_chosen_parameters_only_these_move():
    net, X, y = problem(optimizer=bp.Adam())
    surface = bp.loss_surface(
        net, X, y, parameters=CHOSEN, points=2, steps=4,
        optimizers={"a": bp.SGD(0.5), "b": bp.Rprop()},
    )  # fmt: skip
    path, twin = surface.paths["a"], copy.deepcopy(net)
    for k in range(5):
        w, b = twin.weights[0], twin.biases[1]
        assert path.points[k] == pytest.approx([w[2, 1], b[3]], abs=1e-12)
        assert path.loss[k] == pytest.approx(twin.evaluate(X, y))
        g = twin.gradients(X, y)
        w[2, 1] -= 0.5 * g.weights[0][2, 1]
        b[3] -= 0.5 * g.biases[1][3]
    assert len(surface.paths["b"].points) == 5 and not surface.paths["b"].diverged
    assert surface.names == ("W[0][2, 1]", "b[1][3]")
    assert surface.origin == pytest.approx(path.points[0])


def test_the_default_ranges_have_the_paths_in_them():
    net = bp.Network([1, 1], init="zeros")
    X, y = [[1.0], [2.0]], [[9.0], [14.0]]
    surface = bp.loss_surface(
        net, X, y, parameters=[("W", 0, 0, 0), ("b", 0, 0)], points=3,
        optimizers=bp.SGD(0.2), steps=60,
    )  # fmt: skip
    (path,) = surface.paths.values()
    assert path.points[-1] == pytest.approx([5, 4], abs=0.5)
    for axis, reached in zip(surface.axes, path.points.T, strict=True):
        assert axis[0] == -1 and axis[-1] > reached.max()


@pytest.mark.parametrize("parameters", [None, [("W", 0, 0, 0), ("b", 0, 0)]])
def test_a_path_that_diverges_ends(parameters):
    net = bp.Network([1, 1], rng=0)
    surface = bp.loss_surface(
        net, [[9.0]], [[1.0]], parameters=parameters, points=2,
        optimizers=bp.SGD(1e6), steps=50,
    )  # fmt: skip
    (path,) = surface.paths.values()
    assert path.diverged and 1 < len(path.loss) == len(path.points) < 51
    assert np.isfinite(path.points).all() and "diverged" in repr(path)
    assert np.isfinite([*surface.axes]).all()


def test_lbfgs_takes_all_parameters():
    pytest.importorskip("scipy")
    net, X, y = problem("identity", "squared_error")
    surface = bp.loss_surface(net, X, y, points=2, optimizers=bp.LBFGS(), steps=9)
    (path,) = surface.paths.values()
    assert len(path.points) == 10 and path.loss[-1] < 0.1 * path.loss[0]
    with pytest.raises(ValueError, match=r"^optimizers must make steps of their own"):
        bp.loss_surface(net, X, y, parameters=CHOSEN, optimizers=bp.LBFGS())


REFUSED = {
    "one parameter": (ValueError, "parameters must be two", {"parameters": CHOSEN[:1]}),
    "a name": (TypeError, r"parameters\[0\] must be", {"parameters": ["W", "b"]}),
    "text": (ValueError, "parameters must be two", {"parameters": "Wb"}),
    "twice": (ValueError, "two different ones", {"parameters": CHOSEN[:1] * 2}),
    "V": (ValueError, r"parameters\[0\]\[0\] must be one of W",
          {"parameters": [("V", 0, 0, 0), CHOSEN[0]]}),
    "layer": (IndexError, r"parameters\[1\]\[1\] must be",
              {"parameters": [CHOSEN[0], ("b", 9, 0)]}),
    "unit": (IndexError, r"parameters\[1\]\[3\] must be a whole number in 0 .. 6",
             {"parameters": [CHOSEN[0], ("W", 0, 0, 7)]}),
    "no unit": (ValueError, r"parameters\[1\] must be",
                {"parameters": [CHOSEN[0], ("W", 0, 1)]}),
    "only W": (ValueError, r"parameters\[1\] must be",
               {"parameters": [CHOSEN[0], ("W",)]}),
    "nothing": (ValueError, r"parameters\[1\]\[0\] must be",
                {"parameters": [CHOSEN[0], ()]}),
    "gain": (ValueError, r"has no gain\[0\]",
             {"parameters": [CHOSEN[0], ("gain", 0, 0)]}),
    "scale": (ValueError, "has no scale", {"parameters": [CHOSEN[0], ("scale", 0)]}),
    "ranges": (ValueError, "ranges must be two pairs", {"ranges": [(0, 1)]}),
    "reversed": (ValueError, "ranges must be two pairs", {"ranges": [(0, 1), (1, 0)]}),
    "infinite": (ValueError, "ranges must be", {"ranges": [(0, 1), (0, np.inf)]}),
    "too wide": (ValueError, "ranges must have a finite high - low",
                 {"ranges": [(0, 1), (-1e308, 1e308)]}),
    "words": (ValueError, "ranges must be two pairs", {"ranges": "ab"}),
    "one point": (ValueError, "points must be a whole number", {"points": 1}),
    "points": (ValueError, "points must be at most 1001", {"points": (2, 1002)}),
    "three": (ValueError, "points must be a whole number or two", {"points": [2] * 3}),
    "steps": (ValueError, "steps must be", {"steps": 0}),
    "rows": (ValueError, "batch_size must be", {"batch_size": 0}),
    "seed": (TypeError, "rng must be", {"rng": "a"}),
    "optimizer": (TypeError, "optimizers must be an optimizer", {"optimizers": "Adam"}),
    "its value": (TypeError, "optimizer must be", {"optimizers": {"a": 0.1}}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments(case):
    error, message, settings = REFUSED[case]
    net, X, y = problem()
    before = everything(net)
    with pytest.raises(error, match=message):
        bp.loss_surface(net, X, y, **settings)
    assert everything(net) == before


def test_bad_data_and_networks():
    net, X, y = problem()
    with pytest.raises(ValueError, match=r"^X must have shape \(n, 3\)"):
        bp.loss_surface(net, X[:, :2], y)
    with pytest.raises(TypeError, match=r"^network must be a Network"):
        bp.loss_surface(None, X, y)
    zeros = bp.Network([3, 4], init="zeros")
    with pytest.raises(
        ValueError, match=r"^network must have weights that are not all"
    ):
        bp.loss_surface(zeros, X, y)
    steps = bp.Network([3, 4, 4], activation="step", rng=0)
    assert bp.loss_surface(steps, X, y, points=2).E.shape == (2, 2)
    with pytest.raises(ValueError, match="activation must have a derivative"):
        bp.loss_surface(steps, X, y, optimizers=bp.SGD())


WIDE = [(-8e307, 8e307), (0, 1.7e308), (-1e308, 7.9e307), (-1e154, 1e154)]


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("wide", WIDE)
def test_wide_ranges_have_no_nan_and_no_warning(wide, chosen):
    net = bp.Network([1, 1], dtype="float64", rng=0)
    parameters = [("W", 0, 0, 0), ("b", 0, 0)] if chosen else None
    found = bp.loss_surface(net, [[0.0], [1.0]], [[1.0], [3.0]], points=9,
                            parameters=parameters, ranges=[wide, (0, 1)])  # fmt: skip
    assert np.isfinite(found.axes).all() and not np.isnan(found.E).any()
    assert [found.axes[0][0], found.axes[0][-1]] == [*wide]


def test_parameters_beyond_all_numbers_give_no_warning():
    net = bp.Network([1, 1], dtype="float64", rng=0)
    net.parameters[:] = 10.0
    found = bp.loss_surface(net, [[1.0]], [[1.0]], points=3, ranges=[WIDE[0]] * 2)
    assert not np.isfinite(found.E[0, 0])
