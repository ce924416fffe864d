"""Nodes: operators, constants, inputs and outputs of a decoded model, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.cached import cached_property
from bpcore.errors import ModelFileError
from bpcore.files.onnx.decode import Message
from bpcore.files.onnx.tensors import array_of

#: {field of an attribute: its number of ``AttributeProto.AttributeType``}
KINDS = {"f": 1, "i": 2, "s": 3, "t": 4, "floats": 6, "ints": 7}

#: Values of attributes that a file leaves out because they are 0 or empty.
EMPTY: dict[str, Any] = {"f": 0.0, "i": 0, "s": b"", "floats": [], "ints": []}

#: The lowest version of the operators that can be read: broadcasting as in NumPy.
LEAST_OPSET = 7


@dataclass(frozen=True, slots=True)
class Node:
    """One operator with its inputs and outputs, by names; "" is an absent input."""

    index: int
    op: str
    domain: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Message]

    @property
    def at(self) -> str:
        """Its place, for messages."""
        name = f" {self.name[:80]!r}" if self.name else ""
        return f"node {self.index}{name} ({self.op[:80]})"

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number, the shortest decimal that is its float32.

        So 0.001 is 0.001 again in float64, as it was before it was written.
        """
        value = self._value(name, "f", None)
        return default if value is None else float(str(np.float32(value)))

    def integer(self, name: str, default: int) -> int:
        """An attribute that is a whole number."""
        return int(self._value(name, "i", default))

    def text(self, name: str, default: str) -> str:
        """An attribute that is a text; its first 100 bytes."""
        value = self._value(name, "s", default.encode())
        return bytes(value[:100]).decode(errors="replace")

    def integers(self, name: str) -> list[int] | None:
        """An attribute that is a list of whole numbers, None if it is not there."""
        found: list[int] | None = self._value(name, "ints", None)
        return found

    def numbers(self, name: str) -> NDArray[np.float32]:
        """An attribute that is a list of numbers."""
        parts = self._value(name, "floats", [])
        arrays = [np.frombuffer(part, "<f4") for part in parts]
        return np.concatenate([np.empty(0, np.float32), *arrays])

    def tensor(self, name: str) -> NDArray[Any] | None:
        """An attribute that is a tensor, None if it is not there."""
        message = self._value(name, "t", None)
        return None if message is None else array_of(message)

    def _value(self, name: str, field: str, default: Any) -> Any:
        if name not in self.attributes:
            return default
        attribute = self.attributes[name]
        kind = attribute.get("type", KINDS[field])
        if kind != KINDS[field] or (field == "t" and field not in attribute):
            raise ModelFileError(f"{self.at}: attribute {name} is of another type")
        return attribute.get(field, EMPTY.get(field))


@dataclass(frozen=True)
class Port:
    """An input or output of the graph.

    `kind` is the type of its elements, 0 if it is not given or no tensor.  `shape` has
    None for sizes that are not fixed, and is None if it is not given.
    """

    name: str
    kind: int
    shape: tuple[int | None, ...] | None


class Graph:
    """The graph of a decoded ``ModelProto``."""

    def __init__(self, model: Message) -> None:
        if "graph" not in model or not model.get("ir_version"):
            raise ModelFileError("is no ONNX model: it has no graph or no ir_version")
        graph = model["graph"]
        self.opset = _opset(model)
        self.tensors = _by_name("initializer", graph.get("initializer", []))
        self.nodes = [_node(i, node) for i, node in enumerate(graph.get("node", []))]
        self.inputs = [
            port
            for port in map(_port, graph.get("input", []))
            if port.name not in self.tensors
        ]
        self.outputs = [_port(value) for value in graph.get("output", [])]

    @cached_property
    def producers(self) -> dict[str, Node | None]:
        """The node of each value, None for inputs and constants of the graph."""
        found: dict[str, Node | None] = dict.fromkeys(self.tensors)
        found.update((port.name, None) for port in self.inputs)
        for node in self.nodes:
            for name in node.inputs:
                if name and name not in found:
                    raise ModelFileError(
                        f"{node.at}: nothing before it gives {name[:80]!r}"
                    )
            for name in filter(None, node.outputs):
                if name in found:
                    raise ModelFileError(f"{node.at}: {name[:80]!r} is there already")
                found[name] = node
        return found


def _opset(model: Message) -> int:
    """The version of the operators of the default domain."""
    versions = [
        entry.get("version", 0)
        for entry in model.get("opset_import", [])
        if entry.get("domain", "") in ("", "ai.onnx")
    ]
    if len(versions) != 1:
        raise ModelFileError(f"must have one version of operators; got {versions[:9]}")
    if versions[0] < LEAST_OPSET:
        raise ModelFileError(
            f"opset must be at least {LEAST_OPSET}; got {versions[0]}: convert the "
            "model, as by onnx.version_converter"
        )
    return int(versions[0])


def _by_name(kind: str, messages: list[Message]) -> dict[str, Message]:
    """Messages by their names, each of which there must be once."""
    found: dict[str, Message] = {}
    for message in messages:
        name = message.get("name", "")
        if name in found:
            raise ModelFileError(f"{kind} {name[:80]!r} is there twice")
        found[name] = message
    return found


def _node(index: int, node: Message) -> Node:
    given = node.get("op_type", ""), node.get("domain", ""), node.get("name", "")
    try:
        attributes = _by_name("attribute", node.get("attribute", []))
    except ModelFileError as error:
        raise ModelFileError(f"node {index} ({given[0]}): {error}") from None
    lists = node.get("input", []), node.get("output", [])
    return Node(index, *given, *lists, attributes)


def _port(value: Message) -> Port:
    tensor = value.get("type", {}).get("tensor_type", {})
    shape = None
    if "shape" in tensor:
        sizes = [d.get("dim_value") for d in tensor["shape"].get("dim", [])]
        shape = tuple(None if not n or n < 0 else n for n in sizes)
    return Port(value.get("name", ""), tensor.get("elem_type", 0), shape)
