"""Bad files: each raises ModelFileError that says what is wrong; nothing else."""

import json
import os
import pickle
import resource
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import everything
from helpers.files import mutations, parts_of, raw_container, rewrite

SETTINGS = {
    "optimizer": bp.Adam(schedules.WarmUp(schedules.ReduceOnPlateau(0.1), 2)),
    "norm": "batch",
    "rng": 0,
}
X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")


@pytest.fixture
def path(tmp_path):
    net = bp.Network([3, 4, 2], **SETTINGS)
    net.fit(X, X[:, :2], epochs=2, progress=False)
    net.save(tmp_path / "net.bpc")
    return tmp_path / "net.bpc"


def refused(path, match=None, **how):
    """Loading raises ModelFileError, whose message begins with the path."""
    with pytest.raises(bp.ModelFileError, match=match) as caught:
        bp.load(path, **how)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value)) < 600 + len(str(path))


NO_DATA = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}

HEADERS = {
    # header (a text or a value), data, message
    "empty": (b"", b"", "must begin with"),
    "a list": ([], b"", "must begin with"),
    "cut short": (b'{"a": ', b"", "must be JSON"),
    "no UTF-8": (b'{"\xff": 1}', b"", "must be JSON; got text that is not UTF-8"),
    "surrogates": (b'{"\\ud800": 1}', b"", "not UTF-8"),
    "deep": (b'{"a":' + b"[" * 100_000, b"", "must be JSON; got more than 64 brackets"),
    "brackets in a text": (b'{"a": "' + b"[" * 99 + b'"', b"", "Expecting ',' delim"),
    "texts": (b'{"a":' + b"[" * 33 + b'"[[\\"["' * 9999 + b"[" * 33, b"", "JSON"),
    "more closed than opened": (b'{"a":' + b"]" * 99_999, b"", "Expecting value"),
    "a text without an end": (
        b'{"a":' + b"[" * 65 + b'\\"' * 500_000, b"", "64 brackets",
    ),
    "wide": (b'{"a":[' + b"0," * 500_000 + b"0]}", b"", "more than 400000 values"),
    "a key twice": (b'{"a": 1, "a": 2}', b"", "the key 'a' is there twice"),
    "NaN": (b'{"a": NaN}', b"", "the number NaN"),
    "infinite": (b'{"a": 1e999}', b"", "not finite"),
    "a huge number": (b'{"a": ' + b"9" * 5000 + b"}", b"", "number of 5000 digits"),
    "metadata that are no texts": ({"__metadata__": {"a": 1}}, b"", "object of texts"),
    "an array that is none": ({"a": 3}, b"", "'a' must have a dtype, a shape"),
    "one key too many": ({"a": {**NO_DATA, "b": 1}}, b"", "must have a dtype"),
    "an unknown dtype": ({"a": {**NO_DATA, "dtype": "O"}}, b"", "dtype of the array"),
    "a dtype that is a list": ({"a": {**NO_DATA, "dtype": []}}, b"", "dtype of the"),
    "a negative dimension": ({"a": {**NO_DATA, "shape": [-1]}}, b"", "whole numbers"),
    "a huge dimension": ({"a": {**NO_DATA, "shape": [1 << 70]}}, b"", "whole numbers"),
    "dimensions that overflow": (
        {"a": {**NO_DATA, "shape": [1 << 61] * 30}}, b"", "must have .* bytes",
    ),
    "a dimension that is a bool": ({"a": {**NO_DATA, "shape": [True]}}, b"", "whole"),
    "a dimension with a point": ({"a": {**NO_DATA, "shape": [1.0]}}, b"", "whole"),
    "33 dimensions": ({"a": {**ONE, "shape": [1] * 33}}, b"1234", "must have 4 bytes"),
    "offsets the wrong way": ({"a": {**ONE, "data_offsets": [4, 0]}}, b"1234", "4 byt"),
    "one offset": ({"a": {**ONE, "data_offsets": [0]}}, b"1234", "whole numbers"),
    "beyond the end": ({"a": ONE}, b"", "cut short: the arrays have 4 bytes"),
    "more at the end": ({"a": ONE}, b"12345678", "more behind them: the arrays have 4"),
    "arrays that overlap": ({"a": ONE, "b": ONE}, b"1234", "must begin at byte 4"),
    "a gap": ({"a": {**ONE, "data_offsets": [4, 8]}}, b"12345678", "begin at byte 0"),
    "no model": ({"a": ONE}, b"1234", "safetensors file without a model of bpcore"),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADERS)
def test_headers(case, path):
    header, data, match = HEADERS[case]
    raw_container(path, header, data)
    refused(path, match)


@pytest.mark.parametrize("length", [9, 1 << 20, 1 << 40, (1 << 64) - 1])
def test_lengths_of_the_header(length, path):
    path.write_bytes(length.to_bytes(8, "little") + b"{}")
    refused(path, "its header must fit the 10 bytes")


def changed(part, name, value):
    """A function that changes an entry of the JSON text; None takes it out."""

    def change(content):
        inner = content
        for key in part.split("."):
            inner = inner[key] if key else inner
        if value is None:
            del inner[name]
        else:
            inner[name] = value

    return change


CONTENTS = {
    # part, entry, value, message
    "no format": ("", "format", "", "format must be a whole number"),
    "a format of another type": ("", "format", True, "format must be a whole number"),
    "a newer format": ("", "format", 99, "format 99, written by bpcore .* newer one"),
    "no writer": ("", "writer", 3, "writer must be a text"),
    "another kind": ("", "kind", "forest", "kind must be"),
    "a kind of another type": ("", "kind", [], "kind must be a text"),
    "more": ("", "more", 1, "content must be an object with"),
    "no network": ("", "network", None, "content must be an object with"),
    "a network that is a list": ("", "network", [], "must be an object"),
    "no dtype": ("network", "dtype", None, "must have dtype"),
    "another dtype": ("network", "dtype", "float16", "dtype must be float32 or"),
    "the other dtype": ("network", "dtype", "float64", "must have shape .*float64"),
    "no sizes": ("network", "sizes", None, "design must have"),
    "huge sizes": ("network", "sizes", [3, 1 << 40, 2], "weights.0 must have shape"),
    "sizes that overflow": ("network", "sizes", [1 << 62, 1 << 62], "2.59 parameters"),
    "no sizes at all": ("network", "sizes", [], "at least 2 entries"),
    "sizes as a text": ("network", "sizes", "34", "sizes must be a sequence"),
    "another width": ("network", "sizes", [3, 5, 2], "weights.0 must have shape"),
    "an unknown activation": (
        "network", "activations", ["os.system", "identity"], "activations must be one",
    ),
    "dropout of 2": ("network", "dropout", [2.0, 0.0], "dropout must be"),
    "a negative seed": ("network", "seed", -1, "seed must be"),
    "threads": ("network", "n_threads", -3, "n_threads must be"),
    "threads of another type": ("network", "n_threads", [], "n_threads must be"),
    "an unknown loss": ("network", "loss", {"type": "eval"}, "loss must have a type"),
    "a loss of another type": ("network", "loss", {"type": {}}, "unhashable|must have"),
    "a loss with more": (
        "network", "loss", {"type": "SquaredError", "a": 1}, "stored SquaredError must",
    ),
    "a loss out of range": (
        "network", "loss", {"type": "Huber", "delta": -1}, "delta must be",
    ),
    "no optimizer's type": ("network", "optimizer", {}, "optimizer must have a type"),
    "a loss as optimizer": (
        "network", "optimizer", {"type": "SquaredError"}, "optimizer must have a type",
    ),
    "a negative rate": ("network.optimizer", "lr", -1.0, "lr must be"),
    "a rate that is a bool": ("network.optimizer", "lr", True, "lr must be"),
    "a rate that is a list": ("network.optimizer", "lr", [], "lr must be"),
    "an unknown setting of biases": (
        "network.optimizer", "biases", [["lr", 1.0]], "a setting in biases must be",
    ),
    "biases of another shape": ("network.optimizer", "biases", [[]], "biases must be"),
    "an unknown schedule": (
        "network.optimizer", "lr", {"type": "subprocess.run"}, "lr must have a type",
    ),
    "no plateau": ("network.optimizer", "lr", 0.1, "plateau must be there"),
    "a schedule that is deep": (
        "network.optimizer", "lr", json.loads(
            '{"type": "WarmUp", "length": 1, "start": 0.5, "after": ' * 300
            + "1.0" + "}" * 300
        ), "more than 64 brackets within each other",
    ),
    "history without columns": ("history", "columns", None, "history must have"),
    "history without a loss": (
        "history", "columns", ["a", "lr", "seconds"], "history must have .loss",
    ),
    "an unknown end": ("history", "stopped", "crash", "stopped must be one of"),
    "exact as a number": ("", "exact", 1, "exact must be"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTENTS)
def test_contents(case, path):
    part, name, value, match = CONTENTS[case]
    content, arrays = parts_of(path)
    changed(part, name, value)(content)
    rewrite(path, content, arrays)
    refused(path, match)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"format":1,"format":1}'])
def test_texts_that_are_no_content(text, path):
    raw_container(path, {"__metadata__": {"bpcore": text}})
    refused(path, "must be a JSON object|Expecting|there twice")


def filled(value):
    return lambda array: np.full_like(array, value)


ARRAYS = {
    # array, change (None takes it out), message
    "no weights": ("weights.1", None, "'weights.1' is missing"),
    "weights of another shape": ("weights.0", np.ravel, "weights.0 must have shape"),
    "weights of another dtype": (
        "weights.0", lambda a: a.astype("float64"), "weights.0 must have shape",
    ),
    "weights that are not finite": ("weights.1", filled(np.inf), "must be finite"),
    "biases that are NaN": ("biases.0", filled(np.nan), "must be finite"),
    "a negative variance": ("moments", filled(-1.0), "no negative variance"),
    "state that is NaN": ("optimizer.mean", filled(np.nan), "optimizer.mean must be"),
    "no state": ("optimizer.mean", None, "'optimizer.mean' is missing"),
    "no counters": ("counters", None, "'counters' is missing"),
    "negative counters": ("counters", filled(-1), "counters must be from 0"),
    "counters of another kind": (
        "counters", lambda a: a.astype("float64"), "counters must not be of dtype",
    ),
    "random words": ("bits", filled(0), "bits must be the words of a PCG64"),
    "factors that are negative": ("lr_factors", filled(-1.0), "lr_factors"),
    "frozen as numbers": ("frozen", lambda a: a.astype("int8"), "frozen must not be"),
    "a plateau": ("plateau", filled(np.nan), "plateau must be"),
    "a quantity": ("quantity", filled(255), "quantity must be"),
    "no self-test": ("self_test.input", None, "'self_test.input' is missing"),
    "another input": ("self_test.input", filled(0.0), "the self-test failed"),
    "an infinite input": ("self_test.input", filled(np.inf), "must be finite"),
    "a self-test of another shape": (
        "self_test.output", lambda a: a[:1], "must have one input and one output",
    ),
    "other weights": ("weights.0", lambda a: a * 1.0001, "the self-test failed"),
    "another history": ("history.0", lambda a: a[:-1], "lr must have shape"),
}  # fmt: skip


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(case, path):
    name, change, match = ARRAYS[case]
    content, arrays = parts_of(path)
    if change is None:
        del arrays[name]
    else:
        arrays[name] = change(arrays[name])
    rewrite(path, content, arrays)
    refused(path, match)


def test_arrays_that_nothing_needs(path):
    content, arrays = parts_of(path)
    rewrite(path, content, arrays | {"more": np.zeros(3)})
    refused(path, "unknown arrays; got more")
    refused(path, "unknown arrays; got more", weights_only=True)


def test_parameters_in_another_order(path):
    content, arrays = parts_of(path)
    weights = arrays.pop("weights.0")
    rewrite(path, content, arrays | {"weights.0": weights})
    refused(path, "must follow the array before it")


class Trap:
    """Its pickle would write a file."""

    def __reduce__(self):
        return open, ("trapped", "w")


def test_files_of_other_kinds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("a.npz", "w") as file:
        file.writestr("a.txt", "text")
    np.save("a.npy", X)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "a.csv").write_text("a,b\n1,2\n" * 9)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "a.net").write_text("FANN_FLO_2.1\nnum_layers=2\n")
    (tmp_path / "short").write_bytes(b"{}")
    for name, match in {
        "a.npz": "a zip file",
        "a.npy": "an array of NumPy",
        "a.pkl": "a pickle",
        "a.h5": "an HDF5 file",
        "a.csv": "no file of a network",
        "empty": "it is empty",
        "a.net": "a network of FANN; bpcore.from_fann",
        "short": "no file of a network",
    }.items():
        refused(tmp_path / name, match)
    assert not (tmp_path / "trapped").exists()


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        bp.load(tmp_path / "missing.bpc")
    refused(tmp_path, "is a folder")
    if os.path.exists("/dev/zero"):
        refused("/dev/zero", "a device")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        refused(tmp_path / "pipe", "a pipe")
    with pytest.raises(TypeError):
        bp.load(3)


def at_every_depth(function):
    """Call it at Python's recursion limit, then with one frame more each time."""
    try:
        return at_every_depth(function)
    except RecursionError:
        return function()


READERS = {
    "net.bpc": (lambda net, path: net.save(path), bp.load),
    "net.onnx": (lambda net, path: net.to_onnx(path), bp.load),
    "net.net": (bp.to_fann, bp.from_fann),
}


@pytest.mark.parametrize("name", READERS)
def test_no_file_is_called_bad_where_the_stack_is_full(name, tmp_path):
    write, read = READERS[name]
    write(bp.Network([3, 4, 2], activation="tanh", rng=0), tmp_path / name)
    assert at_every_depth(lambda: read(tmp_path / name)).sizes == (3, 4, 2)


@pytest.mark.parametrize("mmap", [False, True])
def test_mutations(mmap, path):
    """Whatever is changed, it loads, or raises ModelFileError; nothing else."""
    data = path.read_bytes()
    loaded = 0
    for mutated in mutations(data, 400, seed=int(mmap)):
        path.write_bytes(mutated)
        try:
            bp.load(path, mmap=mmap)
        except bp.ModelFileError:
            continue
        loaded += 1
    assert loaded < 300


def test_every_flipped_bit_of_the_arrays_is_found(path):
    data = bytearray(path.read_bytes())
    begins = 8 + int.from_bytes(data[:8], "little")
    for place in range(begins, len(data), 7):
        data[place] ^= 1 << place % 8
        path.write_bytes(data)
        refused(path)
        data[place] ^= 1 << place % 8
    path.write_bytes(data)
    bp.load(path)


def test_every_flipped_bit_of_the_header_is_found(path):
    data = bytearray(path.read_bytes())
    ends = 8 + int.from_bytes(data[:8], "little")
    for place in range(ends):
        data[place] ^= 1 << place % 3  # often another digit or letter
        path.write_bytes(data)
        refused(path)
        data[place] ^= 1 << place % 3
    path.write_bytes(data)
    bp.load(path)


CHECKSUMS = {
    # arrays of a file, from those without checksums, message
    "none": (lambda arrays: arrays, "the array 'checksums' is missing"),
    "not the last": (
        lambda arrays: {"checksums": np.zeros(3, np.uint64), **arrays}, "last array",
    ),
    "too few": (
        lambda arrays: {**arrays, "checksums": np.zeros(3, np.uint64)}, "last array",
    ),
    "of another header": (
        lambda arrays: {**arrays, "checksums": np.zeros(len(arrays) + 1, np.uint64)},
        "the header is damaged: its checksum differs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKSUMS)
def test_checksums(case, path):
    change, match = CHECKSUMS[case]
    content, arrays = parts_of(path)
    header, data = {"__metadata__": {"bpcore": json.dumps(content)}}, b""
    codes = {"f": "F", "i": "I", "u": "U"}
    for name, array in change(arrays).items():
        dtype, end = array.dtype, len(data) + array.nbytes
        code = (
            "BOOL" if dtype.kind == "b" else f"{codes[dtype.kind]}{dtype.itemsize * 8}"
        )
        offsets = [len(data), end]
        header[name] = {"dtype": code, "shape": array.shape, "data_offsets": offsets}
        data += array.tobytes()
    raw_container(path, header, data)
    refused(path, match)


def test_every_length(path):
    data = path.read_bytes()
    for length in range(0, len(data), 13):
        path.write_bytes(data[:length])
        refused(path)


BOMBS = {
    "many lists": b'{"a":[' + b"[]," * 133_000 + b"[]]}",
    "many objects": b'{"a":[' + b"{}," * 133_000 + b"{}]}",
    "many arrays": json.dumps({f"a{i}": NO_DATA for i in range(15_000)}).encode(),
    "many layers": json.dumps(
        {"__metadata__": {"bpcore": json.dumps({"network": {"sizes": [1] * 300_000}})}}
    ).encode(),
}


@pytest.mark.parametrize("case", BOMBS)
def test_memory(case, path):
    raw_container(path, BOMBS[case])
    tracemalloc.start()
    try:
        refused(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < path.stat().st_size + (64 << 20)


def test_a_network_of_as_many_layers_as_fit(tmp_path):
    path = tmp_path / "deep.bpc"
    net = bp.Network([1] * 5000)
    net.save(path)
    assert everything(bp.load(path)) == everything(net)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, as on Linux")
def test_sizes_that_the_file_does_not_have_take_no_memory(path):
    content, arrays = parts_of(path)
    content["network"]["sizes"] = [3, 1 << 34, 2]
    rewrite(path, content, arrays)
    script = (
        "import resource, sys, bpcore\n"
        "try: bpcore.load(sys.argv[1])\n"
        "except bpcore.ModelFileError: print(resource.getrusage(0).ru_maxrss)"
    )
    run = [sys.executable, "-c", script, str(path)]
    kilobytes = int(subprocess.run(run, capture_output=True, check=True).stdout)
    assert kilobytes < 64 << 10 or kilobytes < 1.5 * resource.getrusage(0).ru_maxrss
