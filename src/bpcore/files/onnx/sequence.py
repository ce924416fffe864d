"""Sequence: the nodes from a graph's input to its output, cut where one value is live.

Between two cuts there is one node, or several that together are one function, such as
``x Sigmoid(x)``.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from numpy.typing import NDArray

from bpcore.errors import ModelFileError
from bpcore.files.onnx.constants import evaluate
from bpcore.files.onnx.nodes import Graph, Node, Port
from bpcore.files.onnx.tensors import array_of

#: Types of elements of an output that are no real numbers: labels of classes.
LABELS = (2, 3, 4, 5, 6, 7, 8, 9, 12, 13)


class Part(NamedTuple):
    """The nodes between two values."""

    source: str
    nodes: list[Node]


class Sequence(NamedTuple):
    """The parts from the input to the output, and the constants that they read."""

    input: Port
    parts: list[Part]
    constants: dict[str, NDArray[Any]]


def sequence_of(graph: Graph) -> Sequence:
    """The parts of a graph.

    Raises
    ------
    ModelFileError
        If it has no or several inputs or outputs of real numbers, or a node reads what
        none before it gives.
    """
    output = _output(graph)
    if output.name not in graph.producers:
        raise ModelFileError(f"no node gives the output {output.name[:80]!r}")
    live = _live(graph, output.name)
    inputs = [port for port in graph.inputs if port.name in live]
    if len(inputs) != 1:
        names = ", ".join(repr(port.name[:80]) for port in inputs[:9])
        raise ModelFileError(f"must have one input that is used; got {names or 'none'}")
    (source,) = inputs
    constants: dict[str, NDArray[Any]] = {}
    moving = {source.name}
    nodes = []
    for node in graph.nodes:
        if live.isdisjoint(node.outputs):
            continue
        if moving.isdisjoint(node.inputs):
            arrays = [_constant(graph, constants, name) for name in node.inputs]
            constants[node.outputs[0]] = evaluate(node, arrays)
        else:
            for name in node.inputs:
                if name and name not in moving:
                    _constant(graph, constants, name)
            nodes.append(node)
            moving.update(node.outputs)
    if output.name not in moving:
        raise ModelFileError(
            f"the output {output.name[:80]!r} does not depend on the input"
        )
    return Sequence(source, _parts(source.name, nodes, output.name), constants)


def _output(graph: Graph) -> Port:
    """The output that is of real numbers: of a classifier, the probabilities."""
    if len(graph.outputs) == 1:
        return graph.outputs[0]
    found = [port for port in graph.outputs if port.kind not in LABELS]
    if len(found) != 1:
        names = ", ".join(repr(port.name[:80]) for port in graph.outputs[:9])
        raise ModelFileError(
            f"must have one output of real numbers; got {names or 'none'}"
        )
    return found[0]


def _live(graph: Graph, output: str) -> set[str]:
    """Names of the values that the output depends on."""
    live = {output}
    for node in reversed(graph.nodes):
        if not live.isdisjoint(node.outputs):
            live.update(filter(None, node.inputs))
    return live


def _constant(
    graph: Graph, constants: dict[str, NDArray[Any]], name: str
) -> NDArray[Any]:
    """A constant by its name, decoded at its first use."""
    if name not in constants:
        if name not in graph.tensors:
            raise ModelFileError(f"{name[:80]!r} must be a constant")
        constants[name] = array_of(graph.tensors[name])
    return constants[name]


def _parts(source: str, nodes: list[Node], output: str) -> list[Part]:
    """The nodes, cut after each at which only one value is read later."""
    uses = Counter(name for node in nodes for name in set(node.inputs))
    uses[output] += 1
    left = {source: uses[source]}
    parts, part = [], Part(source, [])
    for node in nodes:
        part.nodes.append(node)
        for name in set(node.inputs) & left.keys():
            left[name] -= 1
            if not left[name]:
                del left[name]
        left.update({name: uses[name] for name in node.outputs if name and uses[name]})
        if len(left) == 1:
            (name,) = left
            if name != node.outputs[0]:
                raise ModelFileError(f"{node.at}: only its first output can be read")
            parts.append(part)
            part = Part(name, [])
    if part.nodes:
        raise ModelFileError(
            f"{part.nodes[0].at}: begins a branch that has not ended at the output "
            f"{output[:80]!r}"
        )
    return parts
