"""A network as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.files.layers import dense_layers
from bpcore.files.onnx.activations import add_activation
from bpcore.files.onnx.graph import Graph
from bpcore.files.onnx.names import (
    as_classes,
    output_names,
    properties,
    require_names,
)
from bpcore.model.design import Design
from bpcore.model.state import State
from bpcore.quoting import quoted

#: Added to variances, as in training.
EPSILON = 1e-5

#: The name of the dimension of rows.
ROWS = "n"

#: Losses whose outputs are probabilities.
PROBABILITIES = ("cross_entropy", "binary_cross_entropy")


class Names(NamedTuple):
    """Names in the ONNX file of a network.

    Attributes
    ----------
    graph, input : str
    outputs : sequence of str, or None
        One name, or those of the label and the probabilities; by default "output", or
        "label" and "probabilities".
    """

    graph: str = "network"
    input: str = "input"
    outputs: Sequence[str] | None = None


@own_errstate
def network_model(
    design: Design,
    state: State,
    names: Names,
    classes: Any = None,
    metadata: Mapping[str, str] | None = None,
) -> list[bytes]:
    """The parts of an ONNX file of a network whose batch norm and scale are folded.

    Parameters
    ----------
    design, state
        As ``Learner.folded`` returns them.
    names : Names
    classes : sequence of int or of str, optional
        What `label` is in place of 0, 1, ...
    metadata : mapping of str to str, optional

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.onnx.export import Names, network_model
    >>> net = bp.Network([2, 3, 1])
    >>> len(b"".join(network_model(*net.learner.folded(), Names()))) < 700
    True
    """
    classifies = design.loss.name in PROBABILITIES
    outputs = output_names(names.outputs, classifies)
    require_names(names.graph, [names.input], outputs)
    checked = checked_classes(design, classes)
    dtype, n_out = state.parameters.dtype, design.sizes[-1]
    about = properties(
        {
            "dtype": dtype.name,
            "sizes": " ".join(map(str, design.sizes)),
            "activations": " ".join(design.activations),
            "loss": design.loss.name,
        },
        metadata,
    )
    graph = Graph(dtype, (names.input, *outputs))
    x = graph.input(names.input, dtype, (ROWS, design.sizes[0]))
    a = add_network(graph, design, state, x)
    if not classifies:
        graph.output(outputs[0], a, dtype, (ROWS, n_out))
        return graph.encoded(names.graph, about)
    label, shape = add_label(graph, design, a)
    if checked is not None:
        label = graph.add(
            "Gather", graph.constant(checked, "classes", checked.dtype), label
        )
    kind = np.int64 if checked is None else checked.dtype
    graph.output(outputs[0], label, kind, shape)
    graph.output(outputs[1], a, dtype, (ROWS, n_out))
    return graph.encoded(names.graph, about)


def add_network(graph: Graph, design: Design, state: State, x: str) -> str:
    """The outputs (n, n_L) of a network, from its inputs (n, n_0).

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.onnx.export import add_network
    >>> from bpcore.files.onnx.graph import Graph
    >>> net = bp.Network([2, 3, 1], output="sigmoid")
    >>> add_network(Graph(net.dtype), *net.learner.folded(), "x")
    'sigmoid'
    """
    a = x
    for l, layer in enumerate(dense_layers(design, state)):
        W, b = graph.constant(layer.W, f"W{l}"), graph.constant(layer.b, f"b{l}")
        if layer.gain is None:
            z = graph.add("Gemm", a, W, b, name=f"z{l}")
        else:
            gain = graph.constant(layer.gain, f"gain{l}")
            z = add_layer_norm(graph, graph.add("MatMul", a, W), gain, b)
        a = add_activation(graph, layer.activation, z)
    return a


def add_layer_norm(graph: Graph, u: str, gain: str, shift: str) -> str:
    """gain (u - mean) / sqrt(variance + epsilon) + shift, of each row.

    The operator has its epsilon in float32, which is another number in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.onnx.export import add_layer_norm
    >>> from bpcore.files.onnx.graph import Graph
    >>> add_layer_norm(Graph(np.float32), "u", "gain", "b")
    'layernormalization'
    """
    if graph.dtype == "float32":
        return graph.add("LayerNormalization", u, gain, shift, axis=-1, epsilon=EPSILON)
    centred = graph.add("Sub", u, graph.add("ReduceMean", u, axes=[-1]))
    squares = graph.add("Mul", centred, centred)
    variance = graph.add("ReduceMean", squares, axes=[-1])
    divisor = graph.add("Sqrt", graph.add("Add", variance, graph.constant(EPSILON)))
    hat = graph.add("Div", centred, divisor)
    return graph.add("Add", graph.add("Mul", hat, gain), shift)


def add_label(graph: Graph, design: Design, a: str) -> tuple[str, tuple[Any, ...]]:
    """The class of each row, or 0 or 1 for each of several labels, and their shape."""
    n_out = design.sizes[-1]
    if design.loss.name == "cross_entropy":
        return graph.add("ArgMax", a, axis=1, keepdims=0), (ROWS,)
    above = graph.add("Greater", a, graph.constant(0.5))
    label = graph.add("Cast", above, to=7)
    if n_out > 1:
        return label, (ROWS, n_out)
    return graph.add("Reshape", label, graph.constant([-1], "flat", np.int64)), (ROWS,)


def checked_classes(design: Design, classes: Any) -> Any:
    """The classes as an array of int64 or of texts, or None.

    Raises
    ------
    ValueError, TypeError
        If there are not as many as the network has, or they are of several kinds.
    """
    if classes is None:
        return None
    if design.loss.name not in PROBABILITIES:
        raise ValueError(
            f"classes must be None with loss {design.loss.name!r}, whose outputs are "
            "no probabilities of classes"
        )
    count = design.sizes[-1]
    if design.loss.name == "binary_cross_entropy":
        if count > 1:
            raise ValueError(
                f"classes must be None for {count} labels of one sample, which are 0 "
                "or 1 each"
            )
        count = 2
    if isinstance(classes, str) or not isinstance(classes, Sequence | np.ndarray):
        raise TypeError(
            f"classes must be a sequence of ints or texts; got {quoted(classes)}"
        )
    found = as_classes(classes)
    if len(found) != count or len(set(found.tolist())) != count:
        raise ValueError(
            f"classes must be {count} different ones; got {quoted(classes)}"
        )
    return found
