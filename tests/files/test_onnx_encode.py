"""Protocol buffers as bytes."""

import numpy as np
import pytest

from bpcore.files.onnx import encode
from bpcore.files.onnx.encode import encoded, varint
from bpcore.files.onnx.graph import Graph


@pytest.mark.parametrize(
    "number, expected",
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (2**63 - 1, b"\xff" * 8 + b"\x7f"),
        (-1, b"\xff" * 9 + b"\x01"),
    ],
)
def test_varints(number, expected):
    assert varint(number) == expected


def test_packed_lists_and_repeated_texts():
    tensor = {"dims": [2, 300], "string_data": [b"a", b""]}
    found = b"".join(encoded("TensorProto", tensor))
    assert found == b"\x0a\x03\x02\xac\x02\x32\x01a2\x00"


def test_large_bytes_are_not_copied():
    array = np.zeros(5000, np.uint8)
    parts = encoded("GraphProto", {"initializer": [{"name": "a", "raw_data": array}]})
    arrays = [np.frombuffer(part, np.uint8) for part in parts]
    assert any(np.shares_memory(part, array) for part in arrays)


def test_too_large(monkeypatch):
    monkeypatch.setattr(encode, "LIMIT", 100)
    graph = Graph("float32")
    graph.constant(np.zeros(30))
    with pytest.raises(ValueError, match="fewer than 2\\^31 bytes"):
        graph.encoded("g", {})
