"""Activations as nodes of an ONNX graph.

Where an operator exists, and runtimes have it for the dtype, it is used; else the
formula is built from arithmetic, in a form in which no exponential overflows.
(``onnxruntime`` has Elu, Selu, Softplus, Softsign, HardSigmoid and Erf for float32
only, and the slope of LeakyRelu is a number in float32.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from bpcore.files.coefficients import coefficients
from bpcore.files.onnx.graph import Graph

#: The value of a node f(z), added to a graph.
Nodes = Callable[[Graph, str], str]

#: The scale of selu, and its alpha.
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

#: Beyond it the normal distribution function is 0 or 1.
NORMAL_END = 10


def add_activation(graph: Graph, f: str, z: str) -> str:
    """The value f(z), of an activation by name.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.onnx.activations import add_activation
    >>> from bpcore.files.onnx.graph import Graph
    >>> add_activation(Graph(np.float32), "tanh", "z")
    'tanh'
    """
    if graph.dtype == "float32" and f in FLOAT32_OPERATORS:
        return FLOAT32_OPERATORS[f](graph, z)
    return NODES[f](graph, z)


def operator(op: str, **attributes: Any) -> Nodes:
    """The nodes of one operator.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.onnx.activations import operator
    >>> from bpcore.files.onnx.graph import Graph
    >>> operator("LeakyRelu", alpha=0.01)(Graph(np.float32), "z")
    'leakyrelu'
    """

    def nodes(graph: Graph, z: str) -> str:
        return graph.add(op, z, **attributes)

    return nodes


def polynomial(graph: Graph, name: str, x: str) -> str:
    """c[0] + c[1] x + c[2] x^2 + ... by Horner's rule.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.onnx.activations import polynomial
    >>> from bpcore.files.onnx.graph import Graph
    >>> polynomial(Graph(np.float32), "EXP", "x")
    'add_3'
    """
    *lower, total = map(float.fromhex, coefficients(graph.dtype.name, name))
    found = graph.constant(total)
    for c in reversed(lower):
        found = graph.add("Add", graph.add("Mul", found, x), graph.constant(c))
    return found


def _clip(graph: Graph, z: str, least: float, most: float) -> str:
    return graph.add("Clip", z, graph.constant(least), graph.constant(most))


def _above(graph: Graph, z: str) -> str:
    """z as a factor of a function that is 0 far below 0: bounded, to avoid inf * 0."""
    return graph.add("Max", z, graph.constant(-1000))


def _exp_of_minus_abs(graph: Graph, z: str) -> str:
    return graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))


def _expm1_below(graph: Graph, z: str) -> str:
    """exp(z) - 1 for z <= 0, 0 above."""
    e = graph.add("Exp", graph.add("Min", z, graph.constant(0)))
    return graph.add("Sub", e, graph.constant(1))


def _where_above(graph: Graph, z: str, above: str, below: str) -> str:
    return graph.add("Where", graph.add("Greater", z, graph.constant(0)), above, below)


def _leaky_relu(graph: Graph, z: str) -> str:
    """z where z > 0, else 0.01 z"""
    return _where_above(graph, z, z, graph.add("Mul", z, graph.constant(0.01)))


def _elu(graph: Graph, z: str) -> str:
    """z where z > 0, else exp(z) - 1"""
    return _where_above(graph, z, z, _expm1_below(graph, z))


def _selu(graph: Graph, z: str) -> str:
    """scale z where z > 0, else scale alpha (exp(z) - 1)"""
    below = graph.add("Mul", _expm1_below(graph, z), graph.constant(SELU_ALPHA))
    return graph.add(
        "Mul", _where_above(graph, z, z, below), graph.constant(SELU_SCALE)
    )


def _gelu_of_erf(graph: Graph, z: str) -> str:
    """z (1 + erf(z / sqrt(2))) / 2"""
    erf = graph.add("Erf", graph.add("Mul", z, graph.constant(math.sqrt(0.5))))
    return _half_of(graph, z, erf)


def _gelu_tanh(graph: Graph, z: str) -> str:
    """z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2"""
    square = graph.add("Mul", graph.add("Mul", z, graph.constant(0.044715)), z)
    cubic = graph.add("Add", square, graph.constant(1))
    inner = graph.add("Mul", z, graph.constant(math.sqrt(2 / math.pi)))
    return _half_of(graph, z, graph.add("Tanh", graph.add("Mul", inner, cubic)))


def _half_of(graph: Graph, z: str, sign: str) -> str:
    """z (1 + sign) / 2"""
    half = graph.add("Mul", _above(graph, z), graph.constant(0.5))
    return graph.add("Mul", half, graph.add("Add", sign, graph.constant(1)))


def _gelu(graph: Graph, z: str) -> str:
    """z Phi(z)"""
    return graph.add("Mul", _above(graph, z), _normal_cdf(graph, z))


def _normal_cdf(graph: Graph, z: str) -> str:
    """Phi(z): 1/2 + z CENTRE(z^2) up to |z| = 1, then e^(-z^2/2) TAIL(v), or 1 - it

    where 1 / (|z| + 4) is mapped to v = -1 .. 1.
    """
    most, least = 1 / 5, 1 / (NORMAL_END + 4)
    one, half = graph.constant(1), graph.constant(0.5)
    z = _clip(graph, z, -NORMAL_END, NORMAL_END)
    y, square = graph.add("Abs", z), graph.add("Mul", z, z)
    centre = graph.add("Mul", z, polynomial(graph, "NORMAL_CENTRE", square))
    centre = graph.add("Add", centre, half)
    bounded = graph.add("Add", graph.add("Max", y, one), graph.constant(4))
    v = graph.add("Sub", graph.add("Div", one, bounded),
                  graph.constant((most + least) / 2))  # fmt: skip
    v = graph.add("Mul", v, graph.constant(2 / (most - least)))
    e = graph.add("Exp", graph.add("Mul", square, graph.constant(-0.5)))
    tail = graph.add("Mul", e, polynomial(graph, "NORMAL_TAIL", v))
    far = _where_above(graph, z, graph.add("Sub", one, tail), tail)
    return graph.add("Where", graph.add("Less", y, one), centre, far)


def _silu(graph: Graph, z: str) -> str:
    """z sigmoid(z)"""
    return graph.add("Mul", _above(graph, z), graph.add("Sigmoid", z))


def _mish(graph: Graph, z: str) -> str:
    """z n / d, n = u (u + 2 v), d = n + 2 v^2, u = e^min(z, 0), v = e^-max(z, 0)"""
    one, two, e = graph.constant(1), graph.constant(2), _exp_of_minus_abs(graph, z)
    u, v = _where_above(graph, z, one, e), _where_above(graph, z, e, one)
    double = graph.add("Mul", v, two)
    n = graph.add("Mul", u, graph.add("Add", u, double))
    d = graph.add("Add", n, graph.add("Mul", double, v))
    return graph.add("Mul", _above(graph, z), graph.add("Div", n, d))


def _softplus(graph: Graph, z: str) -> str:
    """max(z, 0) + log(1 + exp(-|z|))"""
    e = graph.add("Add", _exp_of_minus_abs(graph, z), graph.constant(1))
    return graph.add("Add", graph.add("Relu", z), graph.add("Log", e))


def _softsign(graph: Graph, z: str) -> str:
    """z / (1 + |z|)"""
    divisor = graph.add("Add", graph.add("Abs", z), graph.constant(1))
    return graph.add("Div", z, divisor)


def _hard_sigmoid(graph: Graph, z: str) -> str:
    """min(max((z + 3) / 6, 0), 1)"""
    shifted = graph.add("Add", z, graph.constant(3))
    return _clip(graph, graph.add("Div", shifted, graph.constant(6)), 0, 1)


def _step(graph: Graph, z: str) -> str:
    """1 where z > 0, else 0"""
    return _where_above(graph, z, graph.constant(1), graph.constant(0))


#: The nodes of each activation, in either dtype.
NODES: dict[str, Nodes] = {
    "identity": lambda graph, z: z,
    "sigmoid": operator("Sigmoid"),
    "tanh": operator("Tanh"),
    "relu": operator("Relu"),
    "softmax": operator("Softmax", axis=-1),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
    "softsign": _softsign,
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": lambda graph, z: _clip(graph, z, -1, 1),
    "exp": operator("Exp"),
    "step": _step,
}

#: Those that runtimes have as an operator, or with one, for float32 only.
FLOAT32_OPERATORS: dict[str, Nodes] = {
    "leaky_relu": operator("LeakyRelu", alpha=0.01),
    "elu": operator("Elu", alpha=1.0),
    "selu": operator("Selu", alpha=SELU_ALPHA, gamma=SELU_SCALE),
    "gelu": _gelu_of_erf,
    "softplus": operator("Softplus"),
    "softsign": operator("Softsign"),
    "hard_sigmoid": operator("HardSigmoid", alpha=1 / 6, beta=0.5),
}
