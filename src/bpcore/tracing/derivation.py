"""The derivation: every equation of a training step beside its numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from bpcore.activations import ACTIVATIONS
from bpcore.show.table import ends
from bpcore.tracing import weighting
from bpcore.tracing.rules import update_layer, update_rule, update_scale
from bpcore.tracing.section import LAYERS, Line, Section
from bpcore.tracing.step import Step, activation_derivative


def derivation(step: Step, whole: bool, most: float = LAYERS) -> list[Section]:
    """The sections of a step in the order of computation.

    Parameters
    ----------
    step : Step
    whole : bool
        Whether arrays are shown whole, or in short.
    most : float
        Most layers that are shown; of more the first and the last.
    """
    first, last = ends(step.n_layers, most)
    left_out = []
    if last:
        gap = f"layers {first.stop} to {last.start - 1}: left out"
        left_out = [Section(gap, (Line("text(all=True) has them"),))]
    defined: set[str] = set()  # definitions that have a line already
    forward = [
        [forward_layer(step, l, defined) for l in layers] for layers in (first, last)
    ]
    backward = [
        [backward_layer(step, l, whole, defined) for l in reversed(layers)]
        for layers in (last, first)
    ]
    update = [
        [update_layer(step, l) for l in reversed(layers)] for layers in (last, first)
    ]
    return [
        head(step, whole),
        *(forward[0] + left_out + forward[1]),
        loss(step, whole),
        *(backward[0] + left_out + backward[1]),
        Section("update", update_rule(step)),
        *(update[0] + left_out + update[1]),
        *([] if step.before.scale is None else [update_scale(step)]),
    ]


def head(step: Step, whole: bool) -> Section:
    """The arguments of the step: data, weights and settings."""
    design = step.design
    lines = [
        Line("network", f"{in_a_line(step.sizes, '-')}, {step.X.dtype.name}"),
        Line("activations", in_a_line(design.activations, ", ")),
        Line("optimizer", repr(step.optimizer)),
        Line("learning rate of this step", float(step.lr)),
        *input_lines(step),
        Line("y", by_row(step.y, whole)),
    ]
    if step.weight is not None:
        lines.append(Line("weight, of every sample", by_row(step.weight, whole)))
    if (c := step.class_weight) is not None:
        labels = weighting.has_labels(step) and step.sizes[-1] > 1
        of = "every output's label" if labels else "every class"
        lines.append(Line(f"c, the weight of {of}", c))
    rows = f"{len(step.X)} row" + "s" * (len(step.X) != 1)
    return Section(f"training step {step.step}, on {rows}", tuple(lines))


def input_lines(step: Step) -> list[Line]:
    """a[0] = X, or X * scale"""
    X, scale = input_factor(step).strip("()"), step.before.scale
    if scale is None:
        return [Line(f"a[0] = {X}", step.X)]
    return [
        Line(X, step.X),
        Line("scale, of each input", scale),
        Line(f"a[0] = {input_factor(step)} * scale", step.a[0]),
    ]


def input_factor(step: Step) -> str:
    """X, with its noise, as a factor."""
    return "(X + noise)" if step.design.input_noise else "X"


def in_a_line(values: Sequence[Any], between: str) -> str:
    """Sizes or names, of many the first and the last."""
    first, last = ends(len(values), 2 * LAYERS)
    parts = [str(values[i]) for i in first]
    parts += ["..."] * bool(last) + [str(values[i]) for i in last]
    return between.join(parts)


def by_row(values: Any, whole: bool) -> Any:
    """One number a sample; if all are shown, each on a line of its own."""
    return values[:, None] if values.ndim == 1 and whole else values


def forward_layer(step: Step, l: int, defined: set[str]) -> Section:
    """z[l] = a[l] @ W[l] + b[l], a[l+1] = f(z[l])"""
    design, before = step.design, step.before
    f, norm = design.activations[l], design.norms[l]
    lines = [Line(f"W[{l}]", before.weights[l]), Line(f"b[{l}]", before.biases[l])]
    if norm:
        over = "the mini-batch" if norm == "batch" else "the units"
        axis = 0 if norm == "batch" else 1
        lines += [
            Line(f"gain[{l}]", before.gains[l]),
            Line(f"u[{l}] = a[{l}] @ W[{l}]", step.u[l]),
            Line(f"mean of u over {over}", step.u[l].mean(axis, keepdims=True)),
            Line("1 / sqrt(variance + 1e-5)", step.inverse[l]),
            Line(f"hat[{l}] = (u - mean) / sqrt(variance + 1e-5)", step.hat[l]),
            Line(f"z[{l}] = gain[{l}] hat[{l}] + b[{l}]", step.z[l]),
        ]
    else:
        lines.append(Line(f"z[{l}] = a[{l}] @ W[{l}] + b[{l}]", step.z[l]))
    formula = ACTIVATIONS[f].formula
    if formula != f"{f}(z)":
        lines += once(f"{f}(z) = {formula}", defined)
    if design.dropout[l]:
        lines += [
            Line(f"f[{l}] = {f}(z[{l}])", step.f[l]),
            Line(f"kept[{l}]: 0 or 1 / (1 - dropout)", step.kept[l]),
            Line(f"a[{l + 1}] = f[{l}] * kept[{l}]", step.a[l + 1]),
        ]
    else:
        lines.append(Line(f"a[{l + 1}] = {f}(z[{l}])", step.a[l + 1]))
    return Section(f"forward, layer {l}: {f}", tuple(lines))


def once(definition: str, defined: set[str]) -> list[Line]:
    """A line for a definition, unless it has one already."""
    new = definition not in defined
    defined.add(definition)
    return [Line(definition)] if new else []


def loss(step: Step, whole: bool) -> Section:
    """E_i of every sample, and E = sum(weight * E_i) / n"""
    kind, output = step.design.loss, step.design.activations[-1]
    formula = weighting.with_new_targets(kind.value(output), step)
    factor = weighting.factor(step)
    each, mean = "E_i", "mean(E_i)"
    if weighting.is_within(step):
        formula = weighting.weighted(formula)
    elif factor:
        each, mean = f"{factor} * E_i", f"sum({factor} * E_i) / n"
    lines = [Line(f"E_i = {formula}")]
    if step.class_weight is None:
        lines += [Line(f"{name} = {is_}") for name, is_ in kind.definitions.items()]
    else:
        lines += [
            class_weight_line(step, name, is_, whole)
            for name, is_ in weighting.class_equations(step).items()
        ]
    for symbol, number in kind.constants.items():
        setting = kind.symbols[symbol]
        whose = f", {setting} of {type(kind).__name__}" if setting != symbol else ""
        lines.append(Line(f"{symbol} = {number:g}{whose}"))
    lines += [
        Line(f"{each}, of every sample", by_row(step.losses, whole)),
        Line(f"E = {mean}", step.loss),
    ]
    return Section(f"loss: {kind.name}", tuple(lines))


def class_weight_line(step: Step, name: str, formula: str, whole: bool) -> Line:
    """The formula of targets or weights with class weights, beside its numbers."""
    if name == "y'":
        return Line(f"{name} = {formula}", by_row(step.targets, whole))
    if name != "w":
        return Line(f"{name} = {formula}")
    w: Any = step.weights
    if w.ndim == 2 and not weighting.is_within(step):
        w = w[:, 0]  # the same for every output
    return Line(f"{name} = {formula}", by_row(w, whole))


def backward_layer(step: Step, l: int, whole: bool, defined: set[str]) -> Section:
    """delta[l] = dE/da[l+1] * f'(z[l]),  dW[l] = a[l].T @ delta[l]"""
    design = step.design
    f, norm, last = design.activations[l], design.norms[l], l == step.n_layers - 1
    factor = weighting.factor(step)
    share = f" * {factor} / n" if factor else " / n"
    by_a, by_z = (
        weighting.with_new_targets(formula, step)
        for formula in design.loss.derivatives(f)
    )
    if step.targets.ndim == 1 or np.allclose(step.targets.sum(axis=1), 1):
        by_z = re.sub(r"a \* sum\(y'?\)", "a", by_z)  # labels, or probabilities
    kept = f" * kept[{l}]" if design.dropout[l] else ""
    # The name of f(z): a, or f with dropout.
    output, at = ("f", f"f[{l}]") if kept else ("a", f"a[{l + 1}]")
    lines = once("delta[l] = dE/dz[l] of every layer l", defined)
    if last:
        lines.append(Line(f"dE/da[{l + 1}] = ({by_a}){share}", step.da[-1]))
    else:
        source = "du" if design.norms[l + 1] else "delta"
        lines.append(
            Line(f"dE/da[{l + 1}] = {source}[{l + 1}] @ W[{l + 1}].T", step.da[l + 1])
        )
    slope = f"d{output}_j/dz_k of {f}" if f == "softmax" else f"{f}'(z)"
    lines += once(f"{slope} = {ACTIVATIONS[f].derivative_of(output)}", defined)
    if f != "softmax":
        lines.append(Line(f"{f}'(z[{l}])", activation_derivative(step, l)))
    elif whole:  # it is a large matrix for every row otherwise
        lines.append(Line(f"d{at}_j/dz[{l}]_k", step.derivatives[l]))
    if last and design.loss_takes_z:
        lines.append(Line("the product of these two, which the step computes at once:"))
        product = f"({by_z}){share}"
    elif f == "softmax":
        times_kept = f"{kept}_j *" if kept else ""
        product = f"sum_j dE/da[{l + 1}]_j{times_kept} d{at}_j/dz"
    else:
        product = f"dE/da[{l + 1}] * {f}'(z[{l}]){kept}"
    lines.append(Line(f"delta[{l}] = {product}", step.delta[l]))
    source = "delta"
    if norm:
        source = "du"
        mean = "dhat - mean(dhat) - hat mean(dhat hat)"
        lines += [
            Line(f"dgain[{l}] = (delta[{l}] * hat[{l}]).sum(0)", step.dgain[l]),
            Line(f"dhat = delta[{l}] * gain[{l}]"),
            Line(f"du[{l}] = ({mean}) / sqrt(variance + 1e-5)", step.du[l]),
        ]
    lines += [
        Line(f"dW[{l}] = a[{l}].T @ {source}[{l}]", step.dW[l]),
        Line(f"db[{l}] = delta[{l}].sum(0)", step.db[l]),
    ]
    if l == 0 and step.before.scale is None:
        lines.append(Line(f"dE/dX = {source}[0] @ W[0].T", step.da[0]))
    elif l == 0:
        lines += [
            Line(f"dE/da[0] = {source}[0] @ W[0].T", step.da[0]),
            Line(f"dscale = (dE/da[0] * {input_factor(step)}).sum(0)", step.dscale),
            Line("dE/dX = dE/da[0] * scale", step.dX),
        ]
    return Section(f"backward, layer {l}", tuple(lines))
