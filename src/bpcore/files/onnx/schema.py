"""Schema: the messages of an ONNX file that are written or read, field by field.

An ONNX file is one protocol-buffers message, a ``ModelProto``.  The numbers are those
of ``onnx.proto3`` of the ONNX project.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """A field of a message.

    Attributes
    ----------
    number : int
        Its number in the file.
    kind : str
        "int" (a varint of 64 bits), "float" (32 bits), "double" (64 bits), "bytes",
        "text" (UTF-8), or the name of a message.
    repeated : bool
        Whether it is a list.  Lists of numbers are packed.
    """

    number: int
    kind: str
    repeated: bool = False


#: {message: {field: number, kind, whether it is a list}}
MESSAGES: dict[str, dict[str, Field]] = {
    "ModelProto": {
        "ir_version": Field(1, "int"),
        "producer_name": Field(2, "text"),
        "producer_version": Field(3, "text"),
        "domain": Field(4, "text"),
        "model_version": Field(5, "int"),
        "doc_string": Field(6, "text"),
        "graph": Field(7, "GraphProto"),
        "opset_import": Field(8, "OperatorSetIdProto", repeated=True),
        "metadata_props": Field(14, "StringStringEntryProto", repeated=True),
    },
    "OperatorSetIdProto": {"domain": Field(1, "text"), "version": Field(2, "int")},
    "StringStringEntryProto": {"key": Field(1, "text"), "value": Field(2, "text")},
    "GraphProto": {
        "node": Field(1, "NodeProto", repeated=True),
        "name": Field(2, "text"),
        "initializer": Field(5, "TensorProto", repeated=True),
        "doc_string": Field(10, "text"),
        "input": Field(11, "ValueInfoProto", repeated=True),
        "output": Field(12, "ValueInfoProto", repeated=True),
        "value_info": Field(13, "ValueInfoProto", repeated=True),
    },
    "NodeProto": {
        "input": Field(1, "text", repeated=True),
        "output": Field(2, "text", repeated=True),
        "name": Field(3, "text"),
        "op_type": Field(4, "text"),
        "attribute": Field(5, "AttributeProto", repeated=True),
        "doc_string": Field(6, "text"),
        "domain": Field(7, "text"),
    },
    "AttributeProto": {
        "name": Field(1, "text"),
        "f": Field(2, "float"),
        "i": Field(3, "int"),
        "s": Field(4, "bytes"),
        "t": Field(5, "TensorProto"),
        "floats": Field(7, "float", repeated=True),
        "ints": Field(8, "int", repeated=True),
        "strings": Field(9, "bytes", repeated=True),
        "type": Field(20, "int"),
    },
    "TensorProto": {
        "dims": Field(1, "int", repeated=True),
        "data_type": Field(2, "int"),
        "float_data": Field(4, "float", repeated=True),
        "int32_data": Field(5, "int", repeated=True),
        "string_data": Field(6, "bytes", repeated=True),
        "int64_data": Field(7, "int", repeated=True),
        "name": Field(8, "text"),
        "raw_data": Field(9, "bytes"),
        "double_data": Field(10, "double", repeated=True),
        "external_data": Field(13, "StringStringEntryProto", repeated=True),
        "data_location": Field(14, "int"),
    },
    "ValueInfoProto": {"name": Field(1, "text"), "type": Field(2, "TypeProto")},
    "TypeProto": {"tensor_type": Field(1, "TensorTypeProto")},
    "TensorTypeProto": {
        "elem_type": Field(1, "int"),
        "shape": Field(2, "TensorShapeProto"),
    },
    "TensorShapeProto": {"dim": Field(1, "DimensionProto", repeated=True)},
    "DimensionProto": {"dim_value": Field(1, "int"), "dim_param": Field(2, "text")},
}
