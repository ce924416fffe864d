"""loss_surface: E on a grid of two parameters or two directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.batches.weights import ClassWeight
from bpcore.errstate import own_errstate
from bpcore.interrupts import raise_if_stopped
from bpcore.landscape.error import Error
from bpcore.landscape.paths import OptimizerPath, optimizer_path
from bpcore.landscape.plane import Plane, plane_of_parameters, random_plane
from bpcore.landscape.surface import LossSurface
from bpcore.model.design import known_optimizer
from bpcore.network import Network, learner_of
from bpcore.optimizers import LBFGS, Optimizer
from bpcore.quoting import quoted
from bpcore.training.inputs import checked_batch, checked_class_weights

#: Most points of an axis.
MOST = 1001
#: Half the width of an axis by default, and how far paths may widen it.
NEAR, FAR = 1.0, 20.0


@own_errstate
def loss_surface(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    *,
    parameters: Sequence[Sequence[Any]] | None = None,
    ranges: Sequence[Sequence[float]] | None = None,
    points: int | Sequence[int] = 41,
    optimizers: Mapping[str, Optimizer] | Optimizer | None = None,
    steps: int = 50,
    batch_size: int | None = None,
    rng: int = 0,
) -> LossSurface:
    """The error E over two parameters or two random directions, and paths on it.

    E is that of `Network.evaluate`, without dropout and noise; batch norm has the
    moments of X.  The network does not change: copies of it are evaluated and trained.

    Parameters
    ----------
    network : Network
    X, y, sample_weight, class_weight
        As for ``Network.fit``.
    parameters : two of ("W", l, i, j), ("b", l, j), ("gain", l, j), ("scale", i)
        E is over these two, all others as they are.  By default it is over two random
        directions d_1 and d_2, at ``parameters + u d_1 + v d_2``: for each unit, its
        weights and its bias are one vector, in both directions of the length that it
        has in the network, and at a right angle (Li et al. 2018, "Visualizing the loss
        landscape of neural nets").  Gains and scale are as they are.
    ranges : two pairs (low, high), optional
        Of the two parameters, or of u and v.  By default 1 around the network, and
        wider where paths lead further, unless they diverge.
    points : int or pair of int
        Points of each axis, 2 to 1001.  E is computed n_u n_v times.
    optimizers : Optimizer, or mapping of names to them, optional
        Each trains a copy of the network from the beginning.  With two chosen
        `parameters` only these two move: all others are set back after each step
        (not with LBFGS).  With random directions all parameters are trained, and the
        path is their projection onto the plane at a right angle.
    steps : int
        Steps of each optimizer, at least 1.
    batch_size : int, optional
        Rows of a step, all by default.
    rng : int
        Seed of the random directions.

    Returns
    -------
    LossSurface
        ``.axes``, ``.E``, ``.paths``, ``.directions``; ``.plot()`` draws it, and a
        notebook shows the picture.

    Raises
    ------
    ValueError, TypeError, IndexError
        If an argument is not as described.

    Examples
    --------
    E of one weight and one bias is a parabola in each, and SGD descends on it:

    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros")
    >>> surface = bp.loss_surface(
    ...     net, [[1.0]], [[2.0]], parameters=[("W", 0, 0, 0), ("b", 0, 0)],
    ...     ranges=[(0, 2), (0, 1)], points=3, optimizers=bp.SGD(lr=0.25), steps=2)
    >>> surface.E
    array([[2.   , 1.125, 0.5  ],
           [0.5  , 0.125, 0.   ],
           [0.   , 0.125, 0.5  ]])
    >>> surface.paths["SGD(lr=0.25)"].points
    array([[0.  , 0.  ],
           [0.5 , 0.5 ],
           [0.75, 0.75]])
    """
    checks.instance("network", network, Network)
    learner = learner_of(network)
    named = _optimizers(optimizers)
    steps = checks.integer("steps", steps, 1)
    seed = checks.integer("rng", rng, 0)
    sizes = _points(points)
    given = checked_batch(learner, X, y, sample_weight)
    weights = checked_class_weights(learner, class_weight, given.y)
    data = given.times(weights, learner.design)
    learner.require_rows(len(data))
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, 1)
    if named:
        learner.require_derivatives()
    with learner.engine.reading():  # not during a step of another thread
        twin = learner.copy()
    start, layout = twin.state.parameters, twin.design.layout
    if parameters is None:
        plane = random_plane(layout, start, np.random.default_rng(seed))
    else:
        plane = plane_of_parameters(layout, start, parameters)
        if any(isinstance(optimizer, LBFGS) for optimizer in named.values()):
            raise ValueError(
                "optimizers must make steps of their own for two chosen parameters: "
                "LBFGS takes all parameters"
            )
    bounds = None if ranges is None else _ranges(ranges)
    error = Error(twin, data)
    options = {
        "batch_size": batch_size or len(data),
        "sample_weight": sample_weight,
        "class_weight": class_weight,
        "progress": False,
    }
    paths = {
        name: optimizer_path(twin, plane, error, optimizer, steps, (X, y), options)
        for name, optimizer in named.items()
    }
    if bounds is None:
        bounds = _around(plane, paths.values())
    u, v = (
        np.linspace(low, high, size)
        for (low, high), size in zip(bounds, sizes, strict=True)
    )
    E = np.empty((len(u), len(v)))
    for at in np.ndindex(E.shape):
        raise_if_stopped()
        E[at] = error(plane.parameters([u[at[0]], v[at[1]]]))
    loss = error(plane.start)
    return LossSurface(
        plane.names, (u, v), E, plane.origin, loss, plane.directions, paths
    )


def _optimizers(optimizers: Any) -> dict[str, Optimizer]:
    """The optimizers by their names."""
    if optimizers is None:
        return {}
    if isinstance(optimizers, Optimizer):
        return {repr(optimizers): known_optimizer(optimizers)}
    if not isinstance(optimizers, Mapping):
        raise TypeError(
            "optimizers must be an optimizer, or a mapping of names to optimizers; "
            f"got {quoted(optimizers)}"
        )
    return {str(name): known_optimizer(each) for name, each in optimizers.items()}


def _points(points: Any) -> tuple[int, int]:
    """The number of points of each axis."""
    pair = points if isinstance(points, Sequence) else (points, points)
    if len(pair) != 2:
        raise ValueError(f"points must be a whole number or two of them; got {points}")
    u, v = (checks.integer("points", size, 2) for size in pair)
    if max(u, v) > MOST:
        raise ValueError(f"points must be at most {MOST}; got {points}")
    return u, v


def _ranges(ranges: Any) -> NDArray[np.float64]:
    """Low and high of each axis."""
    try:
        found = arrays.as_contiguous("ranges", ranges, np.dtype(np.float64))
    except (TypeError, ValueError):
        found = np.empty(0)
    ordered = found.shape == (2, 2) and np.isfinite(found).all()
    if not ordered or (found[:, 0] >= found[:, 1]).any():
        raise ValueError(f"ranges must be two pairs (low, high); got {quoted(ranges)}")
    if not np.isfinite(found[:, 1] - found[:, 0]).all():
        raise ValueError(f"ranges must have a finite high - low; got {quoted(ranges)}")
    return found


def _around(plane: Plane, paths: Iterable[OptimizerPath]) -> NDArray[np.float64]:
    """A square around the network's point, and wide enough for paths that converge."""
    center = plane.origin[:, None]
    bounds = np.hstack([center - NEAR, center + NEAR])
    for path in paths:
        if path.diverged:
            continue
        reach = np.clip(path.points.T, center - FAR, center + FAR)
        margin = 0.1 * np.ptp(reach, axis=1)
        bounds[:, 0] = np.minimum(bounds[:, 0], reach.min(axis=1) - margin)
        bounds[:, 1] = np.maximum(bounds[:, 1], reach.max(axis=1) + margin)
    return bounds
