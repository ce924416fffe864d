"""Graph: nodes, constants, inputs and outputs of an ONNX model under construction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.files.onnx.encode import encoded

#: Versions that runtimes since 2022 read: of the format, of the operators, and of the
#: operators of domain ai.onnx.ml.
IR_VERSION, OPSET, ML_OPSET = 8, 17, 3

#: The domain of operators for tables.
ML = "ai.onnx.ml"

#: Numbers of the types of elements.
ELEMENT_TYPES = {"float32": 1, "int32": 6, "int64": 7, "object": 8, "bool": 9,
                 "float64": 11}  # fmt: skip

#: Numbers of the types of attributes.
FLOAT, INT, STRING, TENSOR, FLOATS, INTS, STRINGS = 1, 2, 3, 4, 6, 7, 8


class Graph:
    """A graph under construction; values are referred to by their names.

    Attributes
    ----------
    dtype : dtype
        Of its numbers: `constant` converts to it.

    Parameters
    ----------
    taken : collection of str
        Names of inputs and outputs, which no other value gets.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.onnx.graph import Graph
    >>> graph = Graph(np.float32, ("x", "y"))
    >>> graph.input("x", graph.dtype, ("n", 3))
    'x'
    >>> graph.output("y", graph.add("Relu", "x"), graph.dtype, ("n", 3))
    >>> len(b"".join(graph.encoded("relu", {})))
    92
    """

    def __init__(self, dtype: Any, taken: Collection[str] = ()) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._taken = set(taken)
        #: The number to try next for each name: those before are taken.
        self._next: dict[str, int] = {}
        self._nodes: list[dict[str, Any]] = []
        self._constants: list[dict[str, Any]] = []
        self._inputs: list[dict[str, Any]] = []
        self._outputs: list[dict[str, Any]] = []
        self._scalars: dict[tuple[str, bytes], str] = {}

    # --- values -----------------------------------------------------------------------

    def input(self, name: str, dtype: Any, shape: Sequence[int | str]) -> str:
        """An input; a text in the shape names a dimension of any length."""
        self._inputs.append(value_info(name, dtype, shape))
        return name

    def output(
        self, name: str, value: str, dtype: Any, shape: Sequence[int | str]
    ) -> None:
        """Make a value of a node an output of this name."""
        for node in self._nodes:
            for ends in (node["input"], node["output"]):
                ends[:] = [name if end == value else end for end in ends]
        self._outputs.append(value_info(name, dtype, shape))

    def constant(self, values: Any, name: str = "c", dtype: Any = None) -> str:
        """Numbers of the graph's dtype or another, or texts (an array of objects)."""
        array = np.asarray(values, self.dtype if dtype is None else dtype)
        if array.ndim > 0:
            return self._constant(array, name)
        key = array.dtype.name, array.tobytes()
        if key not in self._scalars:
            self._scalars[key] = self._constant(array, name)
        return self._scalars[key]

    def _constant(self, array: NDArray[Any], name: str) -> str:
        name = self._new(name)
        self._constants.append(tensor(name, array))
        return name

    def add(
        self,
        op: str,
        *inputs: str,
        name: str = "",
        domain: str = "",
        unused: int = 0,
        **attributes: Any,
    ) -> str:
        """The value of a new node, its first output: `name` or one like it.

        `unused` is the number of its other outputs.
        """
        output = self._new(name or op.lower())
        node: dict[str, Any] = {
            "input": list(inputs),
            "output": [output, *(self._new("unused") for _ in range(unused))],
            "name": f"{op}_{len(self._nodes)}",
            "op_type": op,
            "attribute": [attribute(*item) for item in attributes.items()],
        }
        if domain:
            node["domain"] = domain
        self._nodes.append(node)
        return output

    def _new(self, name: str) -> str:
        """A name that no value has: this one, or with a number."""
        found, count = name, self._next.get(name, 1)
        while found in self._taken:
            found, count = f"{name}_{count}", count + 1
        self._next[name] = count
        self._taken.add(found)
        return found

    # --- the model --------------------------------------------------------------------

    def encoded(self, name: str, metadata: Mapping[str, str]) -> list[bytes]:
        """The model as the parts of a file."""
        domains = {"": OPSET}
        if any(node.get("domain") == ML for node in self._nodes):
            domains[ML] = ML_OPSET
        model = {
            "ir_version": IR_VERSION,
            "producer_name": "bpcore",
            "producer_version": metadata.get("bpcore_version", ""),
            "graph": {
                "node": self._nodes,
                "name": name,
                "initializer": self._constants,
                "input": self._inputs,
                "output": self._outputs,
            },
            "opset_import": [
                {"domain": domain, "version": version}
                for domain, version in domains.items()
            ],
            "metadata_props": [
                {"key": key, "value": value} for key, value in metadata.items()
            ],
        }
        return encoded("ModelProto", model)


def value_info(name: str, dtype: Any, shape: Sequence[int | str]) -> dict[str, Any]:
    """The name, type and shape of an input or output.

    Examples
    --------
    >>> from bpcore.files.onnx.graph import value_info
    >>> value_info("x", "float32", ("n", 3))["type"]["tensor_type"]["elem_type"]
    1
    """
    dims = [
        {"dim_param": size} if isinstance(size, str) else {"dim_value": size}
        for size in shape
    ]
    elements = ELEMENT_TYPES[np.dtype(dtype).name]
    tensor_type = {"elem_type": elements, "shape": {"dim": dims}}
    return {"name": name, "type": {"tensor_type": tensor_type}}


def tensor(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Numbers, bools or texts as a tensor.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.onnx.graph import tensor
    >>> tensor("c", np.float32([1.0, 2.0]))["dims"]
    [2]
    """
    found = {
        "dims": list(array.shape),
        "data_type": ELEMENT_TYPES[array.dtype.name],
        "name": name,
    }
    if array.dtype == object:
        return {**found, "string_data": [text.encode() for text in array.flat]}
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    raw = little.view(np.uint8) if little.ndim else little.tobytes()
    return {**found, "raw_data": raw}


def attribute(name: str, value: Any) -> dict[str, Any]:
    """An attribute of a node: a number, a text, an array, or a list of one kind.

    Examples
    --------
    >>> from bpcore.files.onnx.graph import attribute
    >>> attribute("axis", -1)
    {'name': 'axis', 'i': -1, 'type': 2}
    """
    if isinstance(value, list):
        kind = type(value[0])
        if kind is str:
            return {"name": name, "strings": [v.encode() for v in value],
                    "type": STRINGS}  # fmt: skip
        field, number = {int: ("ints", INTS), float: ("floats", FLOATS)}[kind]
        return {"name": name, field: value, "type": number}
    if isinstance(value, np.ndarray):
        return {"name": name, "t": tensor("", value), "type": TENSOR}
    if isinstance(value, str):
        return {"name": name, "s": value.encode(), "type": STRING}
    field, number = ("i", INT) if isinstance(value, int) else ("f", FLOAT)
    return {"name": name, field: value, "type": number}
