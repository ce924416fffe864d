"""The numbers of a step as the page reads them, in a form for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.show.colours import STOPS
from bpcore.tracing.counts import joins, n_paths
from bpcore.tracing.derivation import backward_layer, forward_layer, input_lines, loss
from bpcore.tracing.paths import first_layer, slope
from bpcore.tracing.rules import factors_of_layer, rates_of, update_rule
from bpcore.tracing.section import Line
from bpcore.tracing.step import Step, activation_derivative
from bpcore.tracing.weighting import factor


@own_errstate
def page_data(step: Step) -> dict[str, Any]:
    """All that the page shows, by the names of the equations.

    Arrays are nested lists, in which numbers that are not finite are the texts
    "Infinity", "-Infinity" and "NaN", since JSON has none.  What a step does not have
    is left out.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.page.data import page_data
    >>> step = bp.trace(bp.Network([1, 1], init="zeros"), [[3.0]], [[2.0]])
    >>> data = page_data(step)
    >>> data["layers"][0]["delta"], data["layers"][0]["forward"][0]
    ([[-2.0]], 'z[0] = a[0] @ W[0] + b[0]')
    """
    rate, lr = rates_of(step.optimizer.both()[0], step.lr)
    numbers = {
        "network": step.network,
        "step": step.step,
        "sizes": list(step.sizes),
        "rows": len(step.X),
        "stops": [list(stop) for stop in STOPS],
        "input": equations(input_lines(step)),
        "a": step.a[0],
        "da": step.da[0],
        "layers": [layer_data(step, l) for l in range(step.n_layers)],
        "first_path": first_layer(step.design),
        "loss": loss_data(step),
        "optimizer": repr(step.optimizer),
        "rate": [rate, lr],
        "update": [line.equation for line in update_rule(step)],
    }
    if step.before.scale is not None:
        numbers |= {
            "X": step.X,
            "dX": step.dX,
            "scale": (step.before.scale, step.after.scale),
            "dscale": step.dscale,
        }
    return plain(numbers)


def layer_data(step: Step, l: int) -> dict[str, Any]:
    """The numbers of one layer; pairs are before and after the step."""
    design, before, after = step.design, step.before, step.after
    drops, norm = design.dropout[l] > 0, design.norms[l]
    softmax = design.activations[l] == "softmax"
    found = {
        "activation": design.activations[l],
        "norm": norm,
        "dropout": design.dropout[l] or None,
        "frozen": step.frozen[l],
        "joins": joins(design, l),
        "paths": n_paths(design, l),
        "factors": factors_of_layer(step, l),
        "forward": equations(forward_layer(step, l, set()).lines),
        "backward": equations(backward_layer(step, l, False, set()).lines),
        "W": (before.weights[l], after.weights[l]),
        "b": (before.biases[l], after.biases[l]),
        "gain": (before.gains[l], after.gains[l]) if norm else None,
        "u": step.u[l],
        "hat": step.hat[l],
        "inverse": step.inverse[l],
        "z": step.z[l],
        "f": step.f[l] if drops else None,
        "kept": step.kept[l],
        "a": step.a[l + 1],
        "da": step.da[l + 1],
        "derivative": None if softmax else activation_derivative(step, l),
        "slope": slope(step, l),
        "delta": step.delta[l],
        "du": step.du[l],
        "dW": step.dW[l],
        "db": step.db[l],
        "dgain": step.dgain[l],
        "state": {
            name: {
                part: (getattr(of, views)[l], getattr(after.state[name], views)[l])
                for part, views in (("W", "weights"), ("b", "biases"))
            }
            for name, of in before.state.items()
        },
    }
    return {name: value for name, value in found.items() if value is not None}


def loss_data(step: Step) -> dict[str, Any]:
    """The loss, and the targets and weights in it."""
    found = {
        "name": step.design.loss.name,
        "takes_z": step.design.loss_takes_z,
        "equations": equations(loss(step, False).lines),
        "y": step.y,
        "targets": None if step.class_weight is None else step.targets,
        "weights": step.weights,
        "factor": factor(step),
        "rows": step.losses,
        "E": step.loss,
    }
    return {name: value for name, value in found.items() if value is not None}


def equations(lines: Iterable[Line]) -> list[str]:
    """The lines that are equations or explain them, without their numbers."""
    return [line.equation for line in lines if {"=", ":"} & {*line.equation}]


def plain(value: Any) -> Any:
    """The same value in lists and numbers that JSON has."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return value.tolist() if np.isfinite(value).all() else plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return {np.inf: "Infinity", -np.inf: "-Infinity"}.get(value, "NaN")
    return value
