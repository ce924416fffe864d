"""Bad ONNX files: each raises ModelFileError that says where and what."""

import itertools
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.onnx.read import read, read_bytes
from helpers import GOLDEN
from helpers.files import mutations
from helpers.onnx_files import chain, field, graph, message, model, node, port, varint

FOLDER = GOLDEN / "exchanged"
W = np.ones((3, 3), np.float32)
GOOD = chain(("MatMul", "W", {}), ("Relu", "", {}), W=W)


def test_the_good_file():
    assert read_bytes(GOOD)[0].sizes == (3, 3)


DAMAGED = {
    "nothing": (b"", "no graph or no ir_version"),
    "a text": (b"import os\n", "byte 10: a number is cut off"),
    "a zip file": (b"PK\x03\x04\x14\x00", "byte "),
    "a pickle": (b"\x80\x04\x95\x00", "byte |no graph"),
    "an image": (b"\x89PNG\r\n\x1a\n", "byte "),
    "no graph": (message("ModelProto", {"ir_version": 8}), "no graph"),
    "field 0": (b"\x00\x00", "byte 0: 0 is no number"),
    "a group": (b"\x0b\x0c", "byte 0: wire type 3"),
    "an unknown wire type": (b"\x0f", "wire type 7"),
    "a key cut off": (b"\x08", "byte 1: a number is cut off"),
    "a key of 11 bytes": (b"\xff" * 11, "more than 64 bits"),
    "a number of 70 bits": (b"\x08" + b"\xff" * 9 + b"\x7f", "more than 64 bits"),
    "a length beyond the end": (b"\x3a\x7f\x00", "a field of 127 bytes where 1 are"),
    "a huge length": (b"\x3a" + varint(1 << 63), "9,223,372,036,854,775,808 bytes"),
    "four bytes cut off": (b"\x3d\x00", "a field of 4 bytes where 1"),
    "a number as bytes": (field(1, b"\x08"), "ir_version has wire type 2"),
    "a graph as a number": (b"\x38\x01", "graph has wire type 0"),
    "ir_version twice": (b"\x08\x08\x08\x08", "byte 2 in ir_version: .* there twice"),
    "a graph twice": (GOOD + field(7, b""), "in graph: graph is there twice"),
    "no UTF-8": (field(2, b"\xff\xfe"), "in producer_name: the text is not UTF-8"),
    "cut inside": (field(7, field(1, b"\x0a\x05abc")), r"in graph.node\[0\]"),
    "too many fields": (b"\xa0\x06\x00" * 100_001, "more than 100,000 fields"),
    "too much text": (field(2, b"a" * (1 << 23)) + field(3, b"ab"), "bytes of text"),
}  # fmt: skip


@pytest.mark.parametrize("data, expected", DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(data, expected, tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(data)
    with pytest.raises(bp.ModelFileError, match=expected) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def changed(**changes):
    made = graph([node("MatMul", "x W", "y", "product")], {"W": W})
    return model({**made, **changes})


CONTENT = {
    "no opset": (model(graph([], {}), opset_import=[]), "one version of operators"),
    "two opsets": (
        model(graph([], {}), opset_import=[{"version": 9}] * 2), r"got \[9, 9\]",
    ),
    "an old opset": (model(graph([], {}), opset=6), "at least 7; got 6"),
    "no nodes": (changed(node=[]), "no node gives the output 'y'"),
    "no output": (changed(output=[]), "got none"),
    "no input": (changed(input=[]), "nothing before it gives 'x'"),
    "an initializer twice": (
        changed(initializer=[{"name": "W"}, {"name": "W"}]), "'W' is there twice",
    ),
    "an attribute twice": (
        changed(node=[node("Relu", "x", "y") | {"attribute": [{"name": "a"}] * 2}]),
        r"node 0 \(Relu\): attribute 'a' is there twice",
    ),
    "an output twice": (
        changed(node=[node("Relu", "x", "y"), node("Tanh", "x", "y")]),
        "node 1 .*'y' is there already",
    ),
    "a circle": (
        changed(node=[node("Relu", "b", "a"), node("Tanh", "a", "b")]),
        "nothing before it gives 'b'",
    ),
    "a metadata key twice": (
        model(
            graph([node("MatMul", "x W", "y")], {"W": W}),
            metadata_props=[{"key": "a"}, {"key": "a"}],
        ),
        "metadata key 'a' is there twice",
    ),
    "an input of other sizes": (changed(input=[port("x", (None, 7))]), "rows have 7"),
    "a sum that adds a dimension": (
        chain(("MatMul", "W", {}), ("Add", "c", {}), W=W, c=np.ones((1, 1, 3), "f4")),
        r"must be \(k,\) or \(1, k\); got \(1, 1, 3\)",
    ),
    "a huge input": (
        changed(input=[port("x", (None, 1 << 62, 1 << 62))]), "a Flatten before",
    ),
}  # fmt: skip


@pytest.mark.parametrize("data, expected", CONTENT.values(), ids=CONTENT)
def test_files_of_bad_content(data, expected):
    with pytest.raises(bp.ModelFileError, match=expected):
        read_bytes(data)


def inside_graph(number, content):
    """A model whose graph has a field of messages with some content."""
    rest = {"ir_version": 8, "opset_import": [{"version": 17}]}
    return field(7, field(number, content)) + message("ModelProto", rest)


def nodes_that_double(op, count):
    """Each node has the one before twice; all are one function of x."""
    names = ["x", *(f"v{i}" for i in range(count))]
    pairs = itertools.pairwise(names)
    doubled = (node(op, f"{a} {a}", b, axis=1) for a, b in pairs)
    return [*doubled, node("Add", f"x {names[-1]}", "y")]


BOMBS = {
    "empty nodes": lambda: model({"node": [{}] * 99_990, "output": [port("y")]}),
    "numbers": lambda: inside_graph(5, field(1, b"\x01" * 99_970)),
    "too many numbers": lambda: inside_graph(5, field(1, b"\x01" * 10_000_000)),
    "names of values": lambda: inside_graph(1, field(1, b"abcdefgh") * 99_970),
    "attributes": lambda: inside_graph(1, field(5, b"\x15abcd") * 49_970),
    "parts of numbers": lambda: inside_graph(5, field(4, b"abcd") * 99_970),
    "long texts": lambda: changed(node=[{"name": "\U0001f600" * (1 << 20)}] * 2),
    "weights used again": lambda: chain(
        *[("MatMul", "W", {})] * 500, W=np.ones((300, 300), np.float32), n_in=300
    ),
    "a long name": lambda: changed(output=[port("a" * (1 << 22))]),
    "branches": lambda: model(
        graph(
            [
                *(node("Relu", "x", f"a{i}") for i in range(9000)),
                node("Sum", " ".join(f"a{i}" for i in range(9000)), "y"),
            ],
            {},
        )
    ),
    "doubled products": lambda: model(graph(nodes_that_double("Mul", 20), {})),
    "doubled terms": lambda: model(graph(nodes_that_double("Concat", 20), {})),
    "a long chain": lambda: chain(*[("Identity", "", {})] * 15_000),
    "copies": lambda: model(
        graph(
            [
                node("Transpose", "W", "a"),
                *(node("Reshape", "a shape", f"a{i}") for i in range(100)),
                node("Sum", "x " + " ".join(f"a{i}" for i in range(100)), "y"),
            ],
            {"W": np.ones((500, 500), np.float32), "shape": np.array([500, 500])},
        )
    ),
}

#: Reads each file with at most 64 MB more than its size.
BOUNDED = """
import resource, sys
from bpcore import ModelFileError
from bpcore.files.onnx.read import read
for path in sys.argv[1:]:
    size = len(open(path, "rb").read())
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + size + (64 << 20), -1))
    try:
        read(path)
    except ModelFileError as error:
        print(str(error)[len(path):])
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_bombs_take_little_memory(tmp_path):
    paths = [tmp_path / f"{i}.onnx" for i in range(len(BOMBS))]
    for path, made in zip(paths, BOMBS.values(), strict=True):
        path.write_bytes(made())
    run = [sys.executable, "-c", BOUNDED, *map(str, paths)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    messages = dict(zip(BOMBS, done.stdout.splitlines(), strict=True))
    assert "more than 1,048,576 fields" in messages["too many numbers"]
    assert len(messages["a long name"]) < 200
    assert "bytes of text" in messages["long texts"]
    assert "share weights" in messages["weights used again"]
    assert "function that cannot be read: Concat" in messages["doubled terms"]
    assert "only sequences can be read" in messages["doubled products"]
    assert "branch of 9001 nodes" in messages["branches"]
    assert "changes the shape of a transposed" in messages["copies"]


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(bp.ModelFileError, match="is a folder, a pipe or a device"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.onnx")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(bp.ModelFileError, match="is a folder, a pipe or a device"):
            read(tmp_path / "pipe")


@pytest.mark.parametrize(
    "name", ["torch_old_norms", "skl_two_classes_zipmap", "tf2onnx_forms"]
)
def test_changed_files_raise_or_are_networks(name, tmp_path):
    data = (FOLDER / f"{name}.onnx").read_bytes()
    path, refused = tmp_path / "a.onnx", 0
    for i, changed in enumerate(mutations(data, 160, seed=1)):
        path.write_bytes(changed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                design, state, _ = read(path)
            assert np.isfinite(state.parameters).all(), i
            assert design.sizes[0] == 4
        except bp.ModelFileError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
            assert len(str(error)) < len(str(path)) + 600
    assert refused > 60


def test_files_cut_at_every_length():
    for end in range(0, len(GOOD)):
        with pytest.raises(bp.ModelFileError):
            read_bytes(GOOD[:end])
