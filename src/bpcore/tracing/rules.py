"""The equations of an optimizer's step, as its settings make them."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Sequence

from bpcore.optimizers import SGD, Adamax, Optimizer, RMSprop

#: The arrays that optimizers keep, as most of their rules call them.
LETTERS = {
    "velocity": "v",
    "mean": "m",
    "square": "s",
    "sum": "s",
    "largest": "h",
    "previous": "g'",
    "step": "d",
}


def before_rule(optimizer: Optimizer) -> list[str]:
    """Clipping and penalties, as `Optimizer` has them."""
    equations = []
    if optimizer.clip_norm:
        norm = "||g of all parameters|| + 1e-6"
        equations.append(f"g = g min(1, {optimizer.clip_norm:g} / ({norm}))")
    if optimizer.clip_value:
        most = f"{optimizer.clip_value:g}"
        equations.append(f"g = min(max(g, -{most}), {most})")
    penalties = []
    if optimizer.weight_decay:
        penalties.append(f"{optimizer.weight_decay:g} w")
    if optimizer.l1:
        penalties.append(f"{optimizer.l1:g} sign(w)")
    if penalties:
        both = " + ".join(penalties)
        coupled = not optimizer.decoupled
        equations.append(f"g = g + {both}" if coupled else f"w = w - lr ({both})")
    return equations


def rule_of(optimizer: Optimizer) -> list[str]:
    """The equations of an optimizer's step, as its class documents them."""
    if isinstance(optimizer, SGD):
        return rule_of_sgd(optimizer)
    for kind in type(optimizer).__mro__:
        lines = (inspect.getdoc(kind) or "").splitlines()
        starts = [i for i, line in enumerate(lines) if line.endswith("::")]
        if starts and "Parameters" not in lines[: starts[0]]:
            before, rest = lines[: starts[0] + 1], lines[starts[0] + 2 :]
            block = rest[: rest.index("")]
            lead = " ".join(before[-before[::-1].index("") :]) if "" in before else ""
            if lead.startswith("With "):  # what the equations' letters are
                block.append(f"with {lead[5:].rstrip(':')}")
            return [re.sub(" {3,}", "   ", line.strip()) for line in block]
    return []


def rule_of_sgd(optimizer: SGD) -> list[str]:
    """Those of the case that it is."""
    momentum = optimizer.momentum
    if momentum == 0:
        return ["w = w - lr g"]
    share = f"(1 - {optimizer.dampening:g}) " if optimizer.dampening else ""
    step = f"(g + {momentum:g} v)" if optimizer.nesterov else "v"
    return [f"v = {momentum:g} v + {share}g", f"w = w - lr {step}"]


def after_rule(optimizer: Optimizer) -> list[str]:
    """The limit of what leads into a unit."""
    if not optimizer.max_norm:
        return []
    return [f"W[:, j] = W[:, j] min(1, {optimizer.max_norm:g} / ||W[:, j]||)"]


def constants(optimizer: Optimizer, equations: Sequence[str], step: int) -> str:
    """The settings that are in the equations by their names, and t."""
    words = set(re.findall(r"[a-z_0-9]+", " ".join(equations)))
    told = [
        f"{setting.name} = {value:g}"
        for setting in dataclasses.fields(optimizer)
        if setting.name in words
        and isinstance(value := getattr(optimizer, setting.name), float)
        and setting.name != "lr"
    ]
    return ", ".join(told + ([f"t = {step}"] if "t" in words else []))


def letter_of(optimizer: Optimizer, state: str) -> str:
    """What an array that the optimizer keeps is called in its rule."""
    if isinstance(optimizer, RMSprop) and state == "mean":
        return "h"
    if isinstance(optimizer, Adamax) and state == "largest":
        return "u"
    return LETTERS.get(state, state)
