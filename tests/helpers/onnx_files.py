"""ONNX files of any content, however wrong, without the package onnx."""

import struct

import numpy as np

from bpcore.files.onnx.schema import MESSAGES

TYPES = {"float32": 1, "int32": 6, "int64": 7, "float16": 10, "float64": 11}


def varint(value):
    """A number in groups of 7 bits."""
    value %= 1 << 64
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def field(number, content):
    """A field of bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def message(name, values):
    """A message from its fields by name."""
    found = b""
    for key, value in values.items():
        number, kind, repeated = MESSAGES[name][key]
        if repeated and kind in ("int", "float", "double"):
            form = {"float": "<f", "double": "<d"}.get(kind)
            parts = [varint(v) if form is None else struct.pack(form, v) for v in value]
            found += field(number, b"".join(parts))
            continue
        for one in value if repeated else [value]:
            if kind == "int":
                found += varint(number << 3) + varint(one)
            elif kind == "float":
                found += varint(number << 3 | 5) + struct.pack("<f", one)
            elif kind in ("text", "bytes"):
                content = one.encode() if isinstance(one, str) else bytes(one)
                found += field(number, content)
            else:
                found += field(number, message(kind, one))
    return found


def tensor(name, array):
    """A TensorProto of an array."""
    array = np.asarray(array)
    return {
        "dims": list(array.shape),
        "data_type": TYPES[array.dtype.name],
        "name": name,
        "raw_data": array.tobytes(),
    }


def attribute(name, value):
    """An AttributeProto of a number, a text, whole numbers or an array."""
    if isinstance(value, float):
        return {"name": name, "f": value, "type": 1}
    if isinstance(value, int):
        return {"name": name, "i": value, "type": 2}
    if isinstance(value, str):
        return {"name": name, "s": value, "type": 3}
    if isinstance(value, np.ndarray):
        return {"name": name, "t": tensor("", value), "type": 4}
    return {"name": name, "ints": list(value), "type": 7}


def node(op, inputs, outputs, name="", domain="", **settings):
    """A NodeProto; inputs and outputs are names, with spaces in between."""
    return {
        "input": inputs.split(" "),
        "output": outputs.split(" "),
        "name": name,
        "op_type": op,
        "attribute": [attribute(key, value) for key, value in settings.items()],
        "domain": domain,
    }


def port(name, shape=None, kind=1):
    """A ValueInfoProto; sizes of None are free."""
    tensor_type = {"elem_type": kind}
    if shape is not None:
        sizes = [{} if n is None else {"dim_value": n} for n in shape]
        tensor_type["shape"] = {"dim": sizes}
    return {"name": name, "type": {"tensor_type": tensor_type}}


def graph(nodes, arrays, n_in=3, outputs=None):
    """A GraphProto from "x", (n, n_in), to "y"."""
    return {
        "node": nodes,
        "initializer": [tensor(name, array) for name, array in arrays.items()],
        "input": [port("x", (None, n_in))],
        "output": [port("y")] if outputs is None else outputs,
    }


def model(graph, opset=17, **more):
    """The bytes of a ModelProto."""
    fields = {"ir_version": 8, "graph": graph, "opset_import": [{"version": opset}]}
    return message("ModelProto", {**fields, **more})


def chain(*nodes, opset=17, n_in=3, **arrays):
    """The bytes of a model whose nodes follow one another.

    A node is its operator, its further inputs as names with spaces, and its settings.
    """
    made, at = [], "x"
    for i, (op, others, settings) in enumerate(nodes):
        out = "y" if i == len(nodes) - 1 else f"v{i}"
        made.append(node(op, f"{at} {others}".strip(), out, f"n{i}", **settings))
        at = out
    return model(graph(made, arrays, n_in), opset)
