"""How the weights of samples and classes enter the loss of a step: the equations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bpcore.losses import BinaryCrossEntropy, CrossEntropy, CustomLoss

if TYPE_CHECKING:
    from bpcore.tracing.step import Trace


def of_classes(trace: Trace) -> dict[str, str]:
    """Class weights at work: symbols, and their formulas in c, y and weight.

    y' are the targets, and w the weights, with which the loss is that of weighted
    classes; see ``weights.with_class_weights``.
    """
    design = trace.design
    loss, output, n_out = design.loss, design.activations[-1], design.sizes[-1]
    kind, labels = loss.target_kind(output), trace.y.ndim == 1
    found, y, y_new = {}, "y", ""
    if isinstance(loss, CrossEntropy) and loss.label_smoothing:
        y, found = "s", {"s": loss.definitions["y'"]}
    shares = isinstance(loss, CrossEntropy) or (
        isinstance(loss, CustomLoss) and output == "softmax" and n_out > 1
    )
    if labels and y == "y":
        w = "c[y]"
    elif shares:
        w = f"sum(c * {y}) / sum({y})"
        y_new = f"c * {y} / ({w})" * isinstance(loss, CrossEntropy)
    elif isinstance(loss, BinaryCrossEntropy):
        c_1, w = ("c", "c * y + 1 - y")
        if n_out == 1:
            c_1, w = "c[1]", "c[1] * y + c[0] * (1 - y)"
        y_new = f"{c_1} * y / ({w})"
    elif n_out > 1 and not kind.several:
        w = "c[argmax(y)]"
    else:
        c_1, c_0 = ("c", "1") if n_out > 1 else ("c[1]", "c[0]")
        w = f"where(y > {kind.threshold:g}, {c_1}, {c_0})"
    if trace.weight is not None:
        sums = " + " in w and "(" not in w.split(" + ")[0]
        w = f"weight * ({w})" if sums else f"weight * {w}"
    if y_new:
        found["y'"] = y_new
    return found | {"w": w}


def has_labels(trace: Trace) -> bool:
    """Whether each output is a label of its own, which a sample has or has not."""
    return trace.design.loss.target_kind(trace.design.activations[-1]).several


def is_within(trace: Trace) -> bool:
    """Whether each output's part of the loss has a weight of its own."""
    weights = trace.weights
    return weights is not None and weights.ndim == 2 and has_labels(trace)


def factor(trace: Trace) -> str:
    """What the weights of the kernels are called, "" without."""
    if trace.weights is None:
        return ""
    return "weight" if trace.class_weight is None else "w"


def of_new_targets(formula: str, trace: Trace) -> str:
    """A formula of the loss, of y' in place of y where class weights change them."""
    if trace.class_weight is None or "y'" not in of_classes(trace):
        return formula
    return re.sub(r"\by\b(?!')", "y'", formula)


def weighted(formula: str) -> str:
    """A sum or mean over the outputs with their weights within.

    Examples
    --------
    >>> from bpcore.tracing.weighting import weighted
    >>> weighted("mean(max(0, 1 - y * a))")
    'mean(w * max(0, 1 - y * a))'
    >>> weighted("-sum(y * log(a) + (1 - y) * log(1 - a))")
    '-sum(w * (y * log(a) + (1 - y) * log(1 - a)))'
    """
    found = re.fullmatch(r"(-?(?:sum|mean))\((.*)\)", formula)
    if found is None:
        raise ValueError(f"formula must be a sum or mean; got {formula!r}")
    over, part = found.groups()
    if not re.fullmatch(r"max\(.*\)", part):
        part = f"({part})"
    return f"{over}(w * {part})"
