"""Every equation of a training step beside its numbers: what text and HTML show."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.activations import ACTIVATIONS
from bpcore.losses import CrossEntropy, CustomLoss
from bpcore.tracing.rules import (
    after_rule,
    before_rule,
    constants,
    letter_of,
    rule_of,
)

if TYPE_CHECKING:
    from bpcore.tracing.values import Parameters, Trace

#: Rows and units up to which every number of a step is shown.
SMALL = 8


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


def derivation(trace: Trace) -> list[Section]:
    """The step in the order in which it is made."""
    backward = [backward_layer(trace, l) for l in reversed(range(trace.n_layers))]
    update = [update_layer(trace, l) for l in reversed(range(trace.n_layers))]
    return [
        head(trace),
        *(forward_layer(trace, l) for l in range(trace.n_layers)),
        loss(trace),
        *backward,
        Section("update", update_rule(trace)),
        *update,
    ]


def head(trace: Trace) -> Section:
    """What is given."""
    design = trace.design
    lines = [
        Line("network", f"{'-'.join(map(str, trace.sizes))}, {trace.X.dtype.name}"),
        Line("activations", ", ".join(design.activations)),
        Line("optimizer", repr(trace.optimizer)),
        Line("learning rate of this step", float(trace.lr)),
        Line("a[0] = X" + " + noise" * (design.input_noise > 0), trace.X),
        Line("y", by_row(trace, trace.y)),
    ]
    if trace.weight is not None:
        lines.append(Line("w, the weights of the samples", by_row(trace, trace.weight)))
    rows = f"{len(trace.X)} row" + "s" * (len(trace.X) != 1)
    return Section(f"training step {trace.step}, on {rows}", tuple(lines))


def by_row(trace: Trace, values: Any) -> Any:
    """One number a sample, a line each where all are shown."""
    return values[:, None] if values.ndim == 1 and is_small(trace) else values


def forward_layer(trace: Trace, l: int) -> Section:
    """z[l] = a[l] @ W[l] + b[l], a[l+1] = f(z[l])"""
    design, before = trace.design, trace.before
    f, norm = design.activations[l], design.norms[l]
    activation = ACTIVATIONS[f]
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
    kept = f" kept[{l}]" if design.dropout[l] else ""
    if kept:
        lines.append(Line(f"kept[{l}]: 0 or 1 / (1 - dropout)", trace.kept[l]))
    if f not in design.activations[:l] and activation.formula != f"{f}(z)":
        lines.append(Line(f"{f}(z) = {activation.formula}"))
    lines.append(Line(f"a[{l + 1}] = {f}(z[{l}]){kept}", trace.a[l + 1]))
    return Section(f"forward, layer {l}: {f}", tuple(lines))


def loss(trace: Trace) -> Section:
    """E = sum(w E_i) / sum(w)"""
    kind = trace.design.loss
    if isinstance(kind, CrossEntropy):
        s = kind.label_smoothing
        formula = f"-sum y' log(a), y' = {1 - s:g} y + {s:g} / n_L"
        formula = formula if s else "-sum y log(a)"
    elif isinstance(kind, CustomLoss):
        formula = f"the user's function {getattr(kind.function, '__name__', '')}"
    else:
        formula = (inspect.getdoc(type(kind)) or kind.name).splitlines()[0].rstrip(".")
    weighted = trace.weight is not None
    each, mean = ("w E_i", "sum(w E_i) / sum(w)") if weighted else ("E_i", "mean(E_i)")
    return Section(
        f"loss: {kind.name}",
        (
            Line(f"E_i = {formula}"),
            Line(f"{each}, of every sample", by_row(trace, trace.losses)),
            Line(f"E = {mean}", trace.loss),
        ),
    )


def backward_layer(trace: Trace, l: int) -> Section:
    """delta[l] = dE/da[l+1] * f'(z[l]),  dW[l] = a[l].T @ delta[l]"""
    design = trace.design
    f, norm, last = design.activations[l], design.norms[l], l == trace.n_layers - 1
    share = " / n" if trace.weight is None else " w / sum(w)"
    by_a, by_z = design.loss.derivatives(f)
    if trace.y.ndim == 1 or np.allclose(trace.y.sum(axis=1), 1):
        by_z = re.sub(r"a \* sum\(y'?\)", "a", by_z)  # classes, or their shares
    kept = f" * kept[{l}]" if design.dropout[l] else ""
    lines = []
    if last:
        lines.append(Line(f"dE/da[{l + 1}] = ({by_a}){share}", trace.da[-1]))
    else:
        source = "du" if design.norms[l + 1] else "delta"
        lines.append(
            Line(f"dE/da[{l + 1}] = {source}[{l + 1}] @ W[{l + 1}].T", trace.da[l + 1])
        )
    slope = f"da_j/dz_k of {f}" if f == "softmax" else f"{f}'(z)"
    if f not in design.activations[l + 1 :]:
        lines.append(Line(f"{slope} = {ACTIVATIONS[f].derivative}"))
    if f != "softmax":
        lines.append(Line(f"{f}'(z[{l}])", trace._derivative(l)))
    elif is_small(trace):  # else it is a large matrix for every row
        lines.append(Line(f"da[{l + 1}]_j/dz[{l}]_k", trace.derivatives[l]))
    if last and design.loss_takes_z:
        lines.append(Line("the product of these two, which the step takes at once:"))
        product = f"({by_z}){share}"
    elif f == "softmax":
        product = f"sum_j dE/da[{l + 1}]_j{kept} da_j/dz"
    else:
        product = f"dE/da[{l + 1}] * {f}'(z[{l}]){kept}"
    lines.append(Line(f"delta[{l}] = dE/dz[{l}] = {product}", trace.delta[l]))
    source = "delta"
    if norm:
        source = "du"
        lines += [
            Line(f"dgain[{l}] = (delta[{l}] * hat[{l}]).sum(0)", trace.dgain[l]),
            Line("d = delta * gain"),
            Line(
                f"du[{l}] = (d - mean(d) - hat mean(d hat)) / sqrt(variance + 1e-5)",
                trace.du[l],
            ),
        ]
    lines += [
        Line(f"dW[{l}] = a[{l}].T @ {source}[{l}]", trace.dW[l]),
        Line(f"db[{l}] = delta[{l}].sum(0)", trace.db[l]),
    ]
    if l == 0:
        lines.append(Line(f"dE/dX = {source}[0] @ W[0].T", trace.da[0]))
    return Section(f"backward, layer {l}", tuple(lines))


def update_rule(trace: Trace) -> tuple[Line, ...]:
    """The equations of every weight: the rule, and what is before and after it."""
    optimizer = trace.optimizer
    letters = [
        f"{letter}: {name}"
        for name in optimizer.states
        if (letter := letter_of(optimizer, name)) != name
    ]
    equations = before_rule(optimizer) + rule_of(optimizer) + after_rule(optimizer)
    head = "for each w = W[l][i, j] with g = dW[l][i, j], biases and gains alike"
    if letters:
        head += f" ({', '.join(letters)})"
    if told := constants(optimizer, equations, trace.step):
        equations.append(f"with {told}")
    return (Line(head), *(Line(f"    {equation}") for equation in equations))


def update_layer(trace: Trace, l: int) -> Section:
    """W[l] and b[l], and what the optimizer keeps of them, before and after."""
    if trace.frozen[l]:
        return Section(f"update, layer {l}", (Line("frozen: nothing changes"),))
    before, after = trace.before, trace.after
    lines = []
    factor, of_biases = trace.lr_factors[l], trace.optimizer.groups()[1]["lr_factor"]
    if factor != 1 or of_biases != 1:
        rates = trace.lr * factor, trace.lr * factor * of_biases
        lines.append(
            Line("learning rates of W and b", f"{rates[0]:g} and {rates[1]:g}")
        )
    names = [("W", "weights"), ("b", "biases")]
    if trace.design.norms[l]:
        names.append(("gain", "gains"))
    for symbol, attribute in names:

        def of(parameters: Parameters, attribute: str = attribute) -> Any:
            return getattr(parameters, attribute)[l]

        for state in before.state:
            old, new = (getattr(p.state[state], attribute)[l] for p in (before, after))
            lines += [
                Line(f"{state} of {symbol}[{l}], before", old),
                Line(f"{state} of {symbol}[{l}], after", new),
            ]
        lines += [
            Line(f"{symbol}[{l}], before", of(before)),
            Line(f"{symbol}[{l}], after", of(after)),
            Line(f"change of {symbol}[{l}]", of(after) - of(before)),
        ]
    if before.running_moments[l] is not None:
        lines += [
            Line("running mean and variance, before", before.running_moments[l]),
            Line("running mean and variance, after", after.running_moments[l]),
        ]
    return Section(f"update, layer {l}", tuple(lines))
