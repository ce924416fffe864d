"""Patterns: functions that exporters write as several operators.

The nodes between two values of a sequence are written as an expression of the first
value and compared with the table's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bpcore.arrays import Real
from bpcore.files.onnx.expressions import Expression, NoFunctionError, Terms, rounded
from bpcore.files.onnx.nodes import Node

#: The most nodes of a pattern.
MOST_NODES = 24

#: The most arrays that a pattern reads.
MOST_VECTORS = 4

#: What the name of a term that is an array begins with.
ARRAY = "constant "

#: Operators of ``x.reshape(x.shape[0], width)``.
FLATTENING = ["Shape", "Gather", "Unsqueeze", "Concat", "Reshape"]

#: Operators that an expression is made with.
ARITHMETIC: dict[str, Callable[[Terms, Expression, Expression], Expression]] = {
    "Add": Terms.plus,
    "Sub": Terms.minus,
    "Mul": Terms.times,
    "Div": Terms.over,
    "Pow": Terms.power,
}

#: Operators that an expression contains as they are.
CALLS = frozenset(
    (
        "Abs",
        "Concat",
        "Erf",
        "Exp",
        "Greater",
        "Log",
        "ReduceMean",
        "Sigmoid",
        "Softplus",
        "Sqrt",
        "Tanh",
        "Where",
    )
)


def _normal_cdf(t: Terms, z: Expression) -> Expression:
    return t.plus(t.constant(1), t.call("Erf", t.scaled(z, math.sqrt(0.5))))


def _gelu_tanh(t: Terms) -> Expression:
    cube = t.scaled(t.power(t.x, t.constant(3)), 0.044715)
    inner = t.scaled(t.plus(t.x, cube), math.sqrt(2 / math.pi))
    return t.times(t.x, t.plus(t.constant(1), t.call("Tanh", inner)))


def _softplus_of_exp(t: Terms) -> Expression:
    return t.call("Log", t.plus(t.constant(1), t.call("Exp", t.x)))


def _softplus_until_20(t: Terms) -> Expression:
    return t.call(
        "Where",
        t.call("Greater", t.x, t.constant(20)),
        t.x,
        t.call("Softplus", t.x),
    )


#: {activation: its expressions}
ACTIVATIONS: dict[str, Sequence[Callable[[Terms], Expression]]] = {
    "gelu": [lambda t: t.scaled(t.times(t.x, _normal_cdf(t, t.x)), 0.5)],
    "gelu_tanh": [lambda t: t.scaled(_gelu_tanh(t), 0.5)],
    "silu": [lambda t: t.times(t.x, t.call("Sigmoid", t.x))],
    "mish": [
        lambda t: t.times(t.x, t.call("Tanh", t.call("Softplus", t.x))),
        lambda t: t.times(t.x, t.call("Tanh", _softplus_of_exp(t))),
        lambda t: t.times(t.x, t.call("Tanh", _softplus_until_20(t))),
    ],
    "softplus": [_softplus_until_20],
    "softsign": [
        lambda t: t.over(t.x, t.plus(t.constant(1), t.call("Abs", t.x))),
    ],
}

#: What exporters multiply by later, or before: x (1 + erf(x / sqrt(2))) is 2 gelu(x).
FACTORS = (1.0, 2.0)


def both_classes(t: Terms) -> Expression:
    """(1 - x, x), the probabilities of two classes"""
    return t.call("Concat", t.minus(t.constant(1), t.x), t.x)


def centred(t: Terms) -> Expression:
    """x - m, with m the mean of each row"""
    return t.minus(t.x, t.call("ReduceMean", t.x))


class LayerNormFound(NamedTuple):
    """A layer norm: eps, and the names of its gain and shift, or None."""

    eps: float
    gain: str | None
    shift: str | None


def layer_norm(
    t: Terms, constants: Mapping[str, Real], found: Expression
) -> LayerNormFound | None:
    """The layer norm that an expression is, None if it is none.

    ``gain (x - m) / sqrt(v + eps) + shift``, with m and v the moments of each row, v as
    the mean of (x - m)^2 or as that of x^2 less m^2, gain and shift there or not.
    """
    m, x_m = t.call("ReduceMean", t.x), centred(t)
    variances = (
        t.call("ReduceMean", t.times(x_m, x_m)),
        t.minus(t.call("ReduceMean", t.times(t.x, t.x)), t.times(m, m)),
    )
    numbers = {float(a.reshape(())) for a in constants.values() if a.size == 1}
    vectors = [name for name, a in constants.items() if a.size > 1]
    if len(vectors) > MOST_VECTORS or len(numbers) > MOST_NODES:
        return None
    for v, eps in itertools.product(variances, sorted(n for n in numbers if n > 0)):
        normal = t.over(x_m, t.call("Sqrt", t.plus(v, t.constant(eps))))
        for gain, shift in itertools.product([None, *vectors], repeat=2):
            form = normal
            if gain is not None:
                form = t.times(form, t.call(ARRAY + gain))
            if shift is not None:
                form = t.plus(form, t.call(ARRAY + shift))
            if same(found, form):
                return LayerNormFound(eps, gain, shift)
    return None


def same(a: Expression, b: Expression) -> bool:
    """Whether two expressions are equal but for the rounding of their numbers."""
    return rounded(a) == rounded(b)


def flattened_width(
    nodes: Sequence[Node], source: str, constants: Mapping[str, Real]
) -> int | None:
    """The width of ``x.reshape(x.shape[0], width)``, None if nodes are something else.

    Older exporters of PyTorch write it so, -1 for all that is left.
    """
    if [node.op for node in nodes] != FLATTENING:
        return None
    _, gather, _, concat, reshape = nodes
    chain = zip(
        nodes,
        (source, *(node.outputs[0] for node in nodes[:3]), source),
        strict=True,
    )
    wired = all(node.inputs[:1] == [name] for node, name in chain)
    wired = wired and reshape.inputs[1:] == concat.outputs
    first, width = (constants.get(node.inputs[-1]) for node in (gather, concat))
    axis = gather.integer("axis", 0) or concat.integer("axis", 0)
    if not wired or axis or first is None or width is None or len(concat.inputs) != 2:
        return None
    if first.size != 1 or first.any() or width.size != 1:
        return None
    return int(width.reshape(()))


def activation_of(t: Terms, found: Expression) -> tuple[str, float] | None:
    """The name of an activation and a factor of it, None if there is none such."""
    for name, forms in ACTIVATIONS.items():
        for form in forms:
            for factor in FACTORS:
                if same(found, t.scaled(form(t), factor)):
                    return name, factor
    return None


def expression_of(
    t: Terms, nodes: Sequence[Node], source: str, constants: Mapping[str, Real]
) -> Expression | Node:
    """The last node's output as an expression of `source`, or a node that has none."""
    values: dict[str, Expression] = {source: t.x}
    for node in nodes:
        try:
            inputs = [
                values[name]
                if name in values
                else _constant(t, name, constants.get(name))
                for name in node.inputs
            ]
            found = _applied(t, node, inputs, constants)
        except NoFunctionError:
            return node
        if found is None:
            return node
        values[node.outputs[0]] = found
    return values[nodes[-1].outputs[0]]


def constants_of(
    nodes: Sequence[Node], constants: Mapping[str, Real]
) -> dict[str, Real]:
    """The constants that nodes read."""
    names = {name for node in nodes for name in node.inputs if name in constants}
    return {name: constants[name] for name in sorted(names)}


def _applied(
    t: Terms, node: Node, inputs: list[Expression], constants: Mapping[str, Real]
) -> Expression | None:
    """An operator's expression, None if it cannot be part of one."""
    if node.domain not in ("", "ai.onnx") or len(node.outputs) != 1:
        return None
    if node.op in ARITHMETIC and len(inputs) == 2:
        return ARITHMETIC[node.op](t, *inputs)
    if node.op == "Identity" and len(inputs) == 1:
        return inputs[0]
    if node.op == "Reciprocal" and len(inputs) == 1:
        return t.over(t.constant(1), inputs[0])
    if node.op == "Neg" and len(inputs) == 1:
        return t.scaled(inputs[0], -1)
    if node.op not in CALLS:
        return None
    if node.op == "ReduceMean":
        axes = node.integers("axes")
        if axes is None and len(node.inputs) == 2 and node.inputs[1] in constants:
            axes = constants[node.inputs[1]].reshape(-1).tolist()
        if axes not in ([-1], [1]) or not node.integer("keepdims", 1):
            return None
        inputs = inputs[:1]
    if node.op == "Concat" and node.integer("axis", 0) not in (1, -1):
        return None
    return t.call(node.op, *inputs)


def _constant(t: Terms, name: str, array: Real | None) -> Expression:
    """A constant: its number, or for an array a term of its name."""
    if array is None or not array.size or not np.isfinite(array).all():
        raise NoFunctionError
    if array.size > 1:
        return t.call(ARRAY + name)
    return t.constant(float(array.reshape(())))
