"""How the weights of samples and classes enter the loss of a step: the equations."""

from __future__ import annotations

import re

from bpcore.losses import BinaryCrossEntropy, CrossEntropy, CustomLoss
from bpcore.quoting import quoted
from bpcore.tracing.step import Step


def class_equations(step: Step) -> dict[str, str]:
    """How class weights change targets and weights: symbols and their formulas.

    With the targets y' and the weights w the loss is that of weighted classes; see
    ``batches.weights.with_class_weights``.
    """
    design = step.design
    loss, output, n_out = design.loss, design.activations[-1], design.sizes[-1]
    kind, labels = loss.target_kind(output), step.y.ndim == 1
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
    if step.weight is not None:
        sums = " + " in w and "(" not in w.split(" + ")[0]
        w = f"weight * ({w})" if sums else f"weight * {w}"
    if y_new:
        found["y'"] = y_new
    return found | {"w": w}


def has_labels(step: Step) -> bool:
    """Whether a sample may have several labels, one for each output."""
    return step.design.loss.target_kind(step.design.activations[-1]).several


def is_within(step: Step) -> bool:
    """Whether each output's term of the loss has a weight of its own."""
    weights = step.weights
    return weights is not None and weights.ndim == 2 and has_labels(step)


def factor(step: Step) -> str:
    """The symbol of a sample's weight in the loss, "" without weights."""
    if step.weights is None:
        return ""
    return "weight" if step.class_weight is None else "w"


def with_new_targets(formula: str, step: Step) -> str:
    """A formula of the loss, with y' for y if class weights change the targets."""
    if step.class_weight is None or "y'" not in class_equations(step):
        return formula
    return re.sub(r"\by\b(?!')", "y'", formula)


def weighted(formula: str) -> str:
    """A sum or mean over the outputs, with their weights inside.

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
        raise ValueError(f"formula must be a sum or mean; got {quoted(formula)}")
    over, part = found.groups()
    if not re.fullmatch(r"max\(.*\)", part):
        part = f"({part})"
    return f"{over}(w * {part})"
