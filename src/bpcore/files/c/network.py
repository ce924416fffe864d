"""The layers of a network as C."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bpcore.arrays import Real
from bpcore.files.c.function import NUMBERS
from bpcore.files.c.source import Source
from bpcore.files.layers import DenseLayer, dense_layers
from bpcore.model.design import Design
from bpcore.model.state import State


class Buffers(NamedTuple):
    """The most numbers of the values between layers, of even and odd layers."""

    even: int
    odd: int

    @classmethod
    def of(cls, design: Design) -> Buffers:
        """The buffers of a network; scaled inputs are the values of layer 0."""
        inside = [*design.sizes[:-1]]
        if not design.input_scale:
            inside[0] = 0
        return cls(max(inside[::2]), max(inside[1::2], default=0))

    @property
    def size(self) -> int:
        """The numbers of both."""
        return self.even + self.odd


def add_network(
    source: Source, label: str, design: Design, state: State, quantised: Any = None
) -> str:
    """The name of a new C function from inputs x to outputs `out`.

    Its arguments are ``(x, out, even, odd)``, the last two for the values between.

    Parameters
    ----------
    source : Source
    label : str
        For the names of the function and its arrays.
    design, state
        Of a network without batch norm.
    quantised : list of Quantised, optional
        The weights of 8 bits of every layer.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.c.network import add_network
    >>> from bpcore.files.c.source import Source
    >>> source, net = Source("model", "float32"), bp.Network([2, 3, 1])
    >>> add_network(source, "net", *net.learner.folded())
    'model_net'
    >>> source.flash == net.parameters.nbytes
    True
    """
    real, a = NUMBERS[source.dtype]["REAL"], "x"
    lines = []
    scale = design.layout.views(state.parameters).scale
    if scale is not None:
        a = "even"
        array = source.array(f"{label}_scale", scale)
        lines.append(each(design.sizes[0], f"even[i] = x[i] * {array}[i];"))
    last = len(design.sizes) - 2
    for l, layer in enumerate(dense_layers(design, state)):
        z = "out" if l == last else ("odd", "even")[l % 2]
        integers = None if quantised is None else quantised[l]
        lines += _layer(source, f"{label}_%s{l}", layer, integers, a, z)
        a = z
    name = f"{source.name}_{label}"
    body = "".join(f"    {line}\n" for line in lines)
    source.code(
        f"\nstatic inline void {name}(const {real} *x, {real} *out, {real} *even, "
        f"{real} *odd) {{\n    (void)even, (void)odd;\n{body}}}\n"
    )
    return name


def _layer(
    source: Source, label: str, layer: DenseLayer, quantised: Any, a: str, z: str
) -> list[str]:
    """The calls of one layer; its arrays are added."""
    n_in, n_out = layer.W.shape
    b = source.array(label % "b", layer.b)
    start = b if layer.gain is None else "0"
    if quantised is None:
        W = source.array(label % "W", by_unit(layer.W))
        calls = [
            f"{source.function('dense')}({a}, {n_in}, {W}, {start}, {n_out}, {z});"
        ]
    else:
        W = source.array(label % "W", by_unit(quantised.integers))
        scale = source.array(label % "scale", quantised.scale)
        dense = source.function("dense_int8")
        calls = [f"{dense}({a}, {n_in}, {W}, {scale}, {start}, {n_out}, {z});"]
    if layer.gain is not None:
        gain = source.array(label % "gain", layer.gain)
        calls.append(f"{source.function('layer_norm')}({z}, {gain}, {b}, {n_out});")
    if layer.activation == "softmax":
        calls.append(f"{source.function('softmax')}({z}, {n_out});")
    elif layer.activation != "identity":
        f = source.function(layer.activation)
        calls.append(each(n_out, f"{z}[i] = {f}({z}[i]);"))
    return calls


def by_unit(W: Real) -> Real:
    """The weights with those of one unit beside each other."""
    return np.ascontiguousarray(W.T)


def each(count: int, statement: str) -> str:
    """A loop in C."""
    return f"for (int32_t i = 0; i < {count}; i++) {statement}"
