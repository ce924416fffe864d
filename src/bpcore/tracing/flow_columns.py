"""The quantities of gradient flow: norms, dead and saturated units."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from bpcore.arrays import norm
from bpcore.errstate import own_errstate
from bpcore.tracing.step import Step

#: A sigmoid is saturated outside of this range, where its slope is below a 25th of the
#: largest; tanh outside of -0.98 .. 0.98.
SATURATED = 0.01, 0.99

#: The quantities and their titles.
COLUMNS = {
    "delta": "norm of delta",
    "dW": "norm of dW",
    "update": "norm of the update over that of W",
    "dead": "fraction of dead relu units",
    "saturated": "fraction of saturated outputs of sigmoid and tanh",
}


@own_errstate
def flow_columns(step: Step) -> dict[str, list[float]]:
    """The columns of `GradientFlow` for one step.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.flow_columns import flow_columns
    >>> step = bp.trace(bp.Network([1, 1], init="zeros"), [[3.0]], [[2.0]])
    >>> flow_columns(step)["dW"]
    [6.0]
    """
    layers, makes_step = range(step.n_layers), step.after is not step.before
    return {
        "delta": [norm(delta) for delta in step.delta],
        "dW": [norm(dW) for dW in step.dW],
        "update": [
            norm(after - before) / (norm(before) or math.nan)
            if makes_step
            else math.nan
            for before, after in zip(
                step.before.weights, step.after.weights, strict=True
            )
        ],
        "dead": [
            _dead(step.layers[l]["f"], step.design.activations[l]) for l in layers
        ],
        "saturated": [
            _saturated(step.layers[l]["f"], step.design.activations[l]) for l in layers
        ],
    }


def _dead(f: NDArray[Any], activation: str) -> float:
    """Fraction of the units that are 0 for every row."""
    if activation != "relu":
        return math.nan
    return float((f == 0).all(axis=0).mean())


def _saturated(f: NDArray[Any], activation: str) -> float:
    """Fraction of the outputs that are near the ends of their range."""
    if activation not in ("sigmoid", "tanh"):
        return math.nan
    low, high = SATURATED
    if activation == "tanh":
        low = 2 * low - 1
        high = 2 * high - 1
    return float(((f < low) | (f > high)).mean())
