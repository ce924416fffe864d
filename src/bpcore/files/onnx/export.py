"""A network as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.files.layers import dense_layers
from bpcore.files.onnx.activations import add_activation
from bpcore.files.onnx.graph import Graph
from bpcore.model.design import Design
from bpcore.model.state import State
from bpcore.version import VERSION

#: Added to variances, as in training.
EPSILON = 1e-5

#: The name of the dimension of rows.
ROWS = "n"

#: Losses whose outputs are probabilities.
PROBABILITIES = ("cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class Names:
    """Names in an ONNX file.

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

    def checked(self, classifies: bool) -> tuple[str, ...]:
        """The names of the outputs; raises if a name is empty or there twice."""
        default = ("label", "probabilities") if classifies else ("output",)
        outputs = default if self.outputs is None else self.outputs
        if isinstance(outputs, str) or len(outputs) != len(default):
            raise ValueError(
                f"output_names must be {len(default)} names, as {default}; "
                f"got {outputs!r}"
            )
        for argument, name in (
            ("name", self.graph),
            ("input_name", self.input),
            *(("output_names", output) for output in outputs),
        ):
            if not isinstance(name, str) or not name:
                raise ValueError(f"{argument} must be a text, not empty; got {name!r}")
        if len({self.input, *outputs}) <= len(outputs):
            raise ValueError(
                "input_name and output_names must be different names; got "
                f"{self.input!r} and {list(outputs)}"
            )
        return tuple(outputs)


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
    outputs = names.checked(classifies)
    checked = checked_classes(design, classes)
    properties = checked_metadata(design, state, metadata or {})
    dtype, n_out = state.parameters.dtype, design.sizes[-1]
    graph = Graph(dtype, (names.input, *outputs))
    x = graph.input(names.input, dtype, (ROWS, design.sizes[0]))
    a = add_network(graph, design, state, x)
    if not classifies:
        if a == x:
            a = graph.add("Identity", x)
        graph.output(outputs[0], a, dtype, (ROWS, n_out))
        return graph.encoded(names.graph, properties)
    label, shape = add_label(graph, design, a)
    label = add_names(graph, label, checked)
    kind = np.int64 if checked is None else checked.dtype
    graph.output(outputs[0], label, kind, shape)
    graph.output(outputs[1], a, dtype, (ROWS, n_out))
    return graph.encoded(names.graph, properties)


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


def add_names(graph: Graph, label: str, classes: Any) -> str:
    """The class of each number of a class, if there are names."""
    if classes is None:
        return label
    return graph.add("Gather", graph.constant(classes, "classes", classes.dtype), label)


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
        raise TypeError(f"classes must be a sequence of ints or texts; got {classes!r}")
    found = as_classes(classes)
    if len(found) != count or len(set(found.tolist())) != count:
        raise ValueError(f"classes must be {count} different ones; got {classes!r}")
    return found


def as_classes(classes: Any) -> Any:
    """Integers as int64, or texts as objects.

    Examples
    --------
    >>> from bpcore.files.onnx.export import as_classes
    >>> as_classes(["no", "yes"])
    array(['no', 'yes'], dtype=object)
    """
    values = [getattr(value, "item", lambda v=value: v)() for value in classes]
    kinds = {type(value) for value in values}
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return np.array(values, np.int64)
    if kinds == {str}:
        return np.array(values, object)
    raise TypeError(
        f"classes must be all whole numbers of 64 bits, or all texts; got {classes!r}"
    )


def checked_metadata(
    design: Design, state: State, metadata: Mapping[str, str]
) -> dict[str, str]:
    """What is always there, and the user's own texts.

    Raises
    ------
    TypeError, ValueError
        If a key or value is no text, or a key is one of those that are always there.
    """
    checks.instance("metadata", metadata, Mapping)
    found = {
        "bpcore_version": VERSION,
        "dtype": state.parameters.dtype.name,
        "sizes": " ".join(map(str, design.sizes)),
        "activations": " ".join(design.activations),
        "loss": design.loss.name,
    }
    for key, value in metadata.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"metadata must be texts by texts; got {value!r} for {key!r}"
            )
        if key in found:
            raise ValueError(f"metadata must not have {key!r}, which is always there")
    return {**found, **metadata}
