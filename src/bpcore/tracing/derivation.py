"""Every equation of a training step beside its numbers: what text and HTML show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.activations import ACTIVATIONS
from bpcore.show.table import ends
from bpcore.tracing import weighting

if TYPE_CHECKING:
    from bpcore.optimizers import Optimizer
    from bpcore.tracing.step import Trace

#: Rows and units up to which every number of a step is shown.
SMALL = 8
#: Layers up to which all are shown: of more, the first and the last.
LAYERS = 8


@dataclass(frozen=True)
class Line:
    """An equation and what it gives: an array, a number, words or, if None, nothing."""

    equation: str
    value: Any = None


@dataclass(frozen=True)
class Section:
    """A part of the derivation."""

    title: str
    lines: tuple[Line, ...]


def is_small(trace: Trace) -> bool:
    """Whether every number can be shown."""
    return max(*trace.sizes, len(trace.X)) <= SMALL


def derivation(trace: Trace, whole: bool, most: float = LAYERS) -> list[Section]:
    """The step in the order in which it is made.

    Parameters
    ----------
    trace : Trace
    whole : bool
        Whether arrays are shown whole, or in short.
    most : float
        Layers that are shown at most: the first and the last.
    """
    first, last = ends(trace.n_layers, most)
    left_out = []
    if last:
        gap = f"layers {first.stop} to {last.start - 1}: left out"
        left_out = [Section(gap, (Line("text(all=True) has them"),))]
    told: set[str] = set()  # definitions that are there already
    forward = [
        [forward_layer(trace, l, told) for l in layers] for layers in (first, last)
    ]
    backward = [
        [backward_layer(trace, l, whole, told) for l in reversed(layers)]
        for layers in (last, first)
    ]
    update = [
        [update_layer(trace, l) for l in reversed(layers)] for layers in (last, first)
    ]
    return [
        head(trace, whole),
        *(forward[0] + left_out + forward[1]),
        loss(trace, whole),
        *(backward[0] + left_out + backward[1]),
        Section("update", update_rule(trace)),
        *(update[0] + left_out + update[1]),
    ]


def head(trace: Trace, whole: bool) -> Section:
    """What is given."""
    design = trace.design
    lines = [
        Line("network", f"{in_a_line(trace.sizes, '-')}, {trace.X.dtype.name}"),
        Line("activations", in_a_line(design.activations, ", ")),
        Line("optimizer", repr(trace.optimizer)),
        Line("learning rate of this step", float(trace.lr)),
        Line("a[0] = X" + " + noise" * (design.input_noise > 0), trace.X),
        Line("y", by_row(trace.y, whole)),
    ]
    if trace.weight is not None:
        lines.append(Line("weight, of every sample", by_row(trace.weight, whole)))
    if (c := trace.class_weight) is not None:
        of_label = weighting.has_labels(trace) and trace.sizes[-1] > 1
        of = "every output's label" if of_label else "every class"
        lines.append(Line(f"c, the weight of {of}", c))
    rows = f"{len(trace.X)} row" + "s" * (len(trace.X) != 1)
    return Section(f"training step {trace.step}, on {rows}", tuple(lines))


def in_a_line(values: Sequence[Any], between: str) -> str:
    """Sizes or names, of many the first and the last."""
    first, last = ends(len(values), 2 * LAYERS)
    parts = [str(values[i]) for i in first]
    parts += ["..."] * bool(last) + [str(values[i]) for i in last]
    return between.join(parts)


def by_row(values: Any, whole: bool) -> Any:
    """One number a sample, a line each where all are shown."""
    return values[:, None] if values.ndim == 1 and whole else values


def forward_layer(trace: Trace, l: int, told: set[str]) -> Section:
    """z[l] = a[l] @ W[l] + b[l], a[l+1] = f(z[l])"""
    design, before = trace.design, trace.before
    f, norm = design.activations[l], design.norms[l]
    lines = [Line(f"W[{l}]", before.weights[l]), Line(f"b[{l}]", before.biases[l])]
    if norm:
        over = "the mini-batch" if norm == "batch" else "the units"
        axis = 0 if norm == "batch" else 1
        lines += [
            Line(f"gain[{l}]", before.gains[l]),
            Line(f"u[{l}] = a[{l}] @ W[{l}]", trace.u[l]),
            Line(f"mean of u over {over}", trace.u[l].mean(axis, keepdims=True)),
            Line("1 / sqrt(variance + 1e-5)", trace.inverse[l]),
            Line(f"hat[{l}] = (u - mean) / sqrt(variance + 1e-5)", trace.hat[l]),
            Line(f"z[{l}] = gain[{l}] hat[{l}] + b[{l}]", trace.z[l]),
        ]
    else:
        lines.append(Line(f"z[{l}] = a[{l}] @ W[{l}] + b[{l}]", trace.z[l]))
    formula = ACTIVATIONS[f].formula
    if formula != f"{f}(z)":
        lines += once(f"{f}(z) = {formula}", told)
    if design.dropout[l]:
        lines += [
            Line(f"f[{l}] = {f}(z[{l}])", trace.f[l]),
            Line(f"kept[{l}]: 0 or 1 / (1 - dropout)", trace.kept[l]),
            Line(f"a[{l + 1}] = f[{l}] * kept[{l}]", trace.a[l + 1]),
        ]
    else:
        lines.append(Line(f"a[{l + 1}] = {f}(z[{l}])", trace.a[l + 1]))
    return Section(f"forward, layer {l}: {f}", tuple(lines))


def once(definition: str, told: set[str]) -> list[Line]:
    """A line for a definition that is not there yet."""
    new = definition not in told
    told.add(definition)
    return [Line(definition)] if new else []


def loss(trace: Trace, whole: bool) -> Section:
    """E_i of every sample, and E = sum(weight * E_i) / n"""
    kind, output = trace.design.loss, trace.design.activations[-1]
    formula = weighting.of_new_targets(kind.value(output), trace)
    factor = weighting.factor(trace)
    each, mean = "E_i", "mean(E_i)"
    if weighting.is_within(trace):
        formula = weighting.weighted(formula)
    elif factor:
        each, mean = f"{factor} * E_i", f"sum({factor} * E_i) / n"
    lines = [Line(f"E_i = {formula}")]
    if trace.class_weight is None:
        lines += [Line(f"{name} = {is_}") for name, is_ in kind.definitions.items()]
    else:
        lines += [
            worked_in(trace, name, is_, whole)
            for name, is_ in weighting.of_classes(trace).items()
        ]
    for symbol, number in kind.constants.items():
        setting = kind.symbols[symbol]
        whose = f", {setting} of {type(kind).__name__}" if setting != symbol else ""
        lines.append(Line(f"{symbol} = {number:g}{whose}"))
    lines += [
        Line(f"{each}, of every sample", by_row(trace.losses, whole)),
        Line(f"E = {mean}", trace.loss),
    ]
    return Section(f"loss: {kind.name}", tuple(lines))


def worked_in(trace: Trace, name: str, formula: str, whole: bool) -> Line:
    """What the class weights make of targets or weights, beside its numbers."""
    if name == "y'":
        return Line(f"{name} = {formula}", by_row(trace.targets, whole))
    if name != "w":
        return Line(f"{name} = {formula}")
    w: Any = trace.weights
    if w.ndim == 2 and not weighting.is_within(trace):
        w = w[:, 0]  # the same for every output
    return Line(f"{name} = {formula}", by_row(w, whole))


def backward_layer(trace: Trace, l: int, whole: bool, told: set[str]) -> Section:
    """delta[l] = dE/da[l+1] * f'(z[l]),  dW[l] = a[l].T @ delta[l]"""
    design = trace.design
    f, norm, last = design.activations[l], design.norms[l], l == trace.n_layers - 1
    factor = weighting.factor(trace)
    share = f" * {factor} / n" if factor else " / n"
    by_a, by_z = (
        weighting.of_new_targets(formula, trace)
        for formula in design.loss.derivatives(f)
    )
    if trace.targets.ndim == 1 or np.allclose(trace.targets.sum(axis=1), 1):
        by_z = re.sub(r"a \* sum\(y'?\)", "a", by_z)  # classes, or their shares
    kept = f" * kept[{l}]" if design.dropout[l] else ""
    # What f(z) is called: a, or f where units drop out of it.
    output, at = ("f", f"f[{l}]") if kept else ("a", f"a[{l + 1}]")
    lines = once("delta[l] = dE/dz[l] of every layer l", told)
    if last:
        lines.append(Line(f"dE/da[{l + 1}] = ({by_a}){share}", trace.da[-1]))
    else:
        source = "du" if design.norms[l + 1] else "delta"
        lines.append(
            Line(f"dE/da[{l + 1}] = {source}[{l + 1}] @ W[{l + 1}].T", trace.da[l + 1])
        )
    slope = f"d{output}_j/dz_k of {f}" if f == "softmax" else f"{f}'(z)"
    lines += once(f"{slope} = {ACTIVATIONS[f].derivative_of(output)}", told)
    if f != "softmax":
        lines.append(Line(f"{f}'(z[{l}])", trace._derivative(l)))
    elif whole:  # else it is a large matrix for every row
        lines.append(Line(f"d{at}_j/dz[{l}]_k", trace.derivatives[l]))
    if last and design.loss_takes_z:
        lines.append(Line("the product of these two, which the step takes at once:"))
        product = f"({by_z}){share}"
    elif f == "softmax":
        of_unit = f"{kept}_j *" if kept else ""
        product = f"sum_j dE/da[{l + 1}]_j{of_unit} d{at}_j/dz"
    else:
        product = f"dE/da[{l + 1}] * {f}'(z[{l}]){kept}"
    lines.append(Line(f"delta[{l}] = {product}", trace.delta[l]))
    source = "delta"
    if norm:
        source = "du"
        mean = "dhat - mean(dhat) - hat mean(dhat hat)"
        lines += [
            Line(f"dgain[{l}] = (delta[{l}] * hat[{l}]).sum(0)", trace.dgain[l]),
            Line(f"dhat = delta[{l}] * gain[{l}]"),
            Line(f"du[{l}] = ({mean}) / sqrt(variance + 1e-5)", trace.du[l]),
        ]
    lines += [
        Line(f"dW[{l}] = a[{l}].T @ {source}[{l}]", trace.dW[l]),
        Line(f"db[{l}] = delta[{l}].sum(0)", trace.db[l]),
    ]
    if l == 0:
        lines.append(Line(f"dE/dX = {source}[0] @ W[0].T", trace.da[0]))
    return Section(f"backward, layer {l}", tuple(lines))


def update_rule(trace: Trace) -> tuple[Line, ...]:
    """The equations of every weight, and of the biases where these have others."""
    weights, biases = trace.optimizer.both()
    others = "b[l][j]" + " or gain[l][j]" * any(trace.design.norms)
    equations = equations_of_step(weights, step_numbers(trace))
    theirs = equations_of_step(biases, step_numbers(trace))
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


def step_numbers(trace: Trace) -> str:
    """t of the layers that learn: they differ where one was frozen before."""
    numbers = {l: t for l, t in enumerate(trace.layer_steps) if not trace.frozen[l]}
    if len(set(numbers.values())) > 1:
        return ", ".join(f"{t} of layer {l}" for l, t in numbers.items())
    return f"{next(iter(numbers.values()), trace.step)}"


def equations_of_step(optimizer: Optimizer, step: str) -> list[str]:
    """Clipping, penalties and rule, then what their letters and settings are."""
    equations = [*optimizer.equations_before, *optimizer.equations]
    lines = list(equations)
    words = re.findall(r"\w+'?", " ".join(equations))
    for name in optimizer.kept:
        array = optimizer.arrays[name]
        if array.symbol in words:
            lines.append(f"{array.symbol}: {array.meaning.format(w='w', g='g')}")
    settings = [f"{k} = {x:g}" for k, x in optimizer.constants(equations).items()]
    if "t" in words:
        settings.append(f"t = {step}")
    if settings:
        lines.append(f"with {', '.join(settings)}")
    return [f"    {line}" for line in lines]


def update_layer(trace: Trace, l: int) -> Section:
    """W[l] and b[l], and what the optimizer keeps of them, before and after."""
    if trace.frozen[l]:
        return Section(f"update, layer {l}", (Line("frozen: nothing changes"),))
    before, after = trace.before, trace.after
    lines = []
    factor, of_biases = trace.lr_factors[l], trace.optimizer.groups()[1]["lr_factor"]
    weights, biases = trace.optimizer.both()
    if factor != 1 or of_biases != 1:
        words = re.findall(r"\w+", " ".join(weights.equations))
        name, lr = "learning rates of W and b", trace.lr
        if "lr" not in words:  # Rprop: steps with sizes of their own
            name, lr = "factors of the steps of W and b", 1.0
        rates = lr * factor, lr * factor * of_biases
        lines.append(Line(name, f"{rates[0]:g} and {rates[1]:g}"))
    groups = [("W", "weights", weights), ("b", "biases", biases)]
    if trace.design.norms[l]:
        groups.append(("gain", "gains", biases))
    for symbol, attribute, optimizer in groups:
        name = f"{symbol}[{l}]"
        for state in before.state:
            meaning = meaning_of(optimizer, state, name)
            old, new = (getattr(p.state[state], attribute)[l] for p in (before, after))
            lines += [Line(f"{meaning}, before", old), Line(f"{meaning}, after", new)]
        old, new = (getattr(p, attribute)[l] for p in (before, after))
        lines += [
            Line(f"{name}, before", old),
            Line(f"{name}, after", new),
            Line(f"{name}, after - before", new - old),
        ]
    if before.running_moments[l] is not None:
        lines += [
            Line("running mean and variance, before", before.running_moments[l]),
            Line("running mean and variance, after", after.running_moments[l]),
        ]
    return Section(f"update, layer {l}", tuple(lines))


def meaning_of(optimizer: Optimizer, state: str, name: str) -> str:
    """What a state array is of the parameters of that name: "mean of dW[1]"."""
    changed = any(line.startswith("g = ") for line in optimizer.equations_before)
    g = f"g of {name}" if changed else f"d{name}"
    return optimizer.arrays[state].meaning.format(w=name, g=g)
