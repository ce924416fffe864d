"""The update: the equations of the optimizer, and the numbers that they change."""

from __future__ import annotations

import re
from typing import Any

from bpcore.model.layout import Views
from bpcore.optimizers import Optimizer, StateArray
from bpcore.tracing.parameters import Parameters
from bpcore.tracing.section import Line, Section
from bpcore.tracing.step import Step


def update_rule(step: Step) -> tuple[Line, ...]:
    """The equations of the weights, and of the biases if they differ."""
    weights, biases = step.optimizer.both()
    others = "b[l][j]" + " or gain[l][j]" * any(step.design.norms)
    if step.before.scale is not None:
        others += " or scale[i]"
    equations = equations_of_step(weights, step_numbers(step))
    theirs = equations_of_step(biases, step_numbers(step))
    limit = weights.equations_after
    if limit:
        named = ", ".join(f"{k} = {x:g}" for k, x in weights.constants(limit).items())
        limit = (*limit, f"with {named}")
    if equations == theirs:
        lines = [f"for each w = W[l][i, j], {others}, with g = dE/dw", *equations]
    else:
        lines = ["for each w = W[l][i, j] with g = dE/dw", *equations]
        lines += [f"for each w = {others}", *theirs]
    if limit:
        lines += ["for the weights into each unit j", *(f"    {e}" for e in limit)]
    return tuple(Line(line) for line in lines)


def step_numbers(step: Step) -> str:
    """t of the layers that are not frozen; they differ if one was frozen before."""
    numbers = {l: t for l, t in enumerate(step.layer_steps) if not step.frozen[l]}
    named = {f"layer {l}": t for l, t in numbers.items()}
    if step.before.scale is not None:
        named["scale"] = step.step
    if len(set(named.values())) > 1:
        return ", ".join(f"{t} of {name}" for name, t in named.items())
    return f"{next(iter(named.values()), step.step)}"


def equations_of_step(optimizer: Optimizer, step: str) -> list[str]:
    """Clipping, penalties and rule, then the meaning of symbols and the settings."""
    equations = [*optimizer.equations_before, *optimizer.equations]
    lines = list(equations)
    words = re.findall(r"\w+'?", " ".join(equations))
    for name in optimizer.kept:
        array = array_of(optimizer, name)
        if array.symbol in words:
            lines.append(f"{array.symbol}: {array.meaning.format(w='w', g='g')}")
    settings = [f"{k} = {x:g}" for k, x in optimizer.constants(equations).items()]
    if "t" in words:
        settings.append(f"t = {step}")
    if settings:
        lines.append(f"with {', '.join(settings)}")
    return [f"    {line}" for line in lines]


def update_layer(step: Step, l: int) -> Section:
    """W[l] and b[l], and the optimizer's arrays of them, before and after."""
    if step.frozen[l]:
        return Section(f"update, layer {l}", (Line("frozen: nothing changes"),))
    before, after = step.before, step.after
    lines = []
    of_W, of_b = factors_of_layer(step, l)
    weights, biases = step.optimizer.both()
    if (of_W, of_b) != (1, 1):
        words = re.findall(r"\w+", " ".join(weights.equations))
        name, lr = "learning rates of W and b", step.lr
        if "lr" not in words:  # Rprop: steps with sizes of their own
            name, lr = "factors of the steps of W and b", 1.0
        lines.append(Line(name, f"{lr * of_W:g} and {lr * of_b:g}"))
    groups = [("W", "weights", weights), ("b", "biases", biases)]
    if step.design.norms[l]:
        groups.append(("gain", "gains", biases))
    for symbol, attribute, optimizer in groups:
        lines += changes(step, f"{symbol}[{l}]", optimizer, attribute, l)
    if before.running_moments[l] is not None:
        lines += [
            Line("running mean and variance, before", before.running_moments[l]),
            Line("running mean and variance, after", after.running_moments[l]),
        ]
    return Section(f"update, layer {l}", tuple(lines))


def factors_of_layer(step: Step, l: int) -> tuple[float, float]:
    """The factors of the learning rate of W[l], and of b[l] and gain[l]."""
    of_W, of_b = step.lr_factors[l]
    return of_W, of_b * step.optimizer.groups()[1]["lr_factor"]


def update_scale(step: Step) -> Section:
    """The scale of the inputs, and the optimizer's arrays of it, before and after."""
    biases = step.optimizer.both()[1]
    name, lr = rates_of(biases, step.lr)
    rate = Line(f"{name} of scale", f"{lr * step.design.input_scale:g}")
    lines = changes(step, "scale", biases, "scale")
    return Section("update, scale of the inputs", (rate, *lines))


def rates_of(optimizer: Optimizer, lr: float) -> tuple[str, float]:
    """The name of the learning rate, or of the factor of steps, and its value."""
    words = re.findall(r"\w+", " ".join(optimizer.equations))
    if "lr" in words:
        return "learning rate", lr
    return "factor of the step", 1.0  # Rprop: steps with sizes of their own


def changes(
    step: Step,
    name: str,
    optimizer: Optimizer,
    attribute: str,
    l: int | None = None,
) -> list[Line]:
    """The parameters in that attribute, and the optimizer's of them; of layer l."""

    def array_of(parameters: Parameters | Views) -> Any:
        found = getattr(parameters, attribute)
        return found if l is None else found[l]

    before, after, lines = step.before, step.after, []
    for state in before.state:
        meaning = meaning_of(optimizer, state, name)
        old, new = (array_of(p.state[state]) for p in (before, after))
        lines += [Line(f"{meaning}, before", old), Line(f"{meaning}, after", new)]
    old, new = array_of(before), array_of(after)
    return [
        *lines,
        Line(f"{name}, before", old),
        Line(f"{name}, after", new),
        Line(f"{name}, after - before", new - old),
    ]


def meaning_of(optimizer: Optimizer, state: str, name: str) -> str:
    """The meaning of a state array of the parameters of that name: "mean of dW[1]"."""
    changed = any(line.startswith("g = ") for line in optimizer.equations_before)
    g = f"g of {name}" if changed else f"d{name}"
    return array_of(optimizer, state).meaning.format(w=name, g=g)


def array_of(optimizer: Optimizer, state: str) -> StateArray:
    """Symbol and meaning of a state array; its name, if the optimizer has neither."""
    found = optimizer.arrays.get(state)
    return StateArray(state, f"{state} of {{w}}") if found is None else found
