"""Own forms: activations of several operators, as this library writes them.

A form is recognised by its operators, their order, wiring, settings and constants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from bpcore.activations import ACTIVATIONS
from bpcore.arrays import Real
from bpcore.files.onnx.activations import add_activation
from bpcore.files.onnx.decode import decode
from bpcore.files.onnx.graph import Graph
from bpcore.files.onnx.nodes import Graph as DecodedGraph
from bpcore.files.onnx.nodes import Node
from bpcore.files.onnx.sequence import sequence_of

#: What a form consists of: for each node operator, settings and inputs.
Form = tuple[Any, ...]

#: The most numbers of a constant in a form.
MOST_NUMBERS = 4


def own_activation(
    nodes: Sequence[Node], source: str, constants: Mapping[str, Real], dtype: str
) -> tuple[str, int] | None:
    """The activation that nodes begin with, and the number of its nodes.

    None if there is none; of two, the one of more nodes.
    """
    for operators, found in _forms(dtype).items():
        count = len(operators)
        if tuple(node.op for node in nodes[:count]) == operators:
            name = found.get(_form(nodes[:count], source, constants))
            if name is not None:
                return name, count
    return None


@cache
def _forms(dtype: str) -> dict[tuple[str, ...], dict[Form, str]]:
    """Activations by their forms, by the operators of those, the longest first."""
    found: dict[tuple[str, ...], dict[Form, str]] = {}
    for f in ACTIVATIONS:
        graph = Graph(dtype, ("x", "y"))
        graph.input("x", graph.dtype, ("n", 2))
        a = add_activation(graph, f, "x")
        if a == "x":  # the identity, which has no nodes
            continue
        graph.output("y", a, graph.dtype, ("n", 2))
        model = decode(b"".join(graph.encoded("f", {})), "ModelProto")
        sequence = sequence_of(DecodedGraph(model))
        nodes = [node for part in sequence.parts for node in part.nodes]
        operators = tuple(node.op for node in nodes)
        form = _form(nodes, "x", sequence.constants)
        found.setdefault(operators, {})[form] = f
    longest_first = sorted(found, key=len, reverse=True)
    return {operators: found[operators] for operators in longest_first}


def _form(nodes: Sequence[Node], source: str, constants: Mapping[str, Real]) -> Form:
    """The form of nodes: values are named by the order of their nodes."""
    names: dict[str, Any] = {source: "x", "": None}
    form = []
    for i, node in enumerate(nodes):
        inputs = []
        for name in node.inputs:
            array = constants.get(name)
            if array is not None and array.size <= MOST_NUMBERS:
                inputs.append((array.dtype.str, array.shape, array.tobytes()))
            else:
                inputs.append(names.get(name, name))
        settings = tuple(sorted((k, _plain(v)) for k, v in node.attributes.items()))
        form.append((node.op, node.domain, settings, tuple(inputs)))
        names.update((name, (i, j)) for j, name in enumerate(node.outputs))
    return tuple(form)


def _plain(value: Any) -> str:
    """A setting as a text, that of its bytes where it is a part of the file."""
    if isinstance(value, Mapping):
        return repr(sorted((key, _plain(item)) for key, item in value.items()))
    return repr(bytes(value) if isinstance(value, memoryview) else value)
