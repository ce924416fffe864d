"""Networks as ONNX files: what onnxruntime computes from them."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.onnx.graph import Graph

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

ACTIVATIONS = sorted(bp.ACTIVATIONS)
TYPES = {"float32": "tensor(float)", "float64": "tensor(double)"}
#: Of the largest of 1 and the output.
TOLERANCE = {"float32": 1e-6, "float64": 3e-15}


def session(path, full_check=True):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=full_check)
    return runtime.InferenceSession(path, providers=["CPUExecutionProvider"])


def outputs(path, X):
    return session(path).run(None, {"input": X})


def network(f, dtype, norm, rng):
    """A network whose parameters and moments are all random."""
    net = bp.Network(
        [5, 9, 6, 3],
        activation=f,
        output=f,
        loss="squared_error",
        norm=norm,
        input_scale=2.0 if norm == "batch" else None,
        dtype=dtype,
        rng=1,
    )
    size = 0.3 if f == "exp" else 0.6  # exp of exp of exp grows
    net.parameters[:] = size * rng.normal(size=net.parameters.size)
    for moments in net.running_moments:
        if moments is not None:
            moments[0], moments[1] = rng.normal(size=moments.shape[1]), 0.5
    return net


def assert_close(got, expected, dtype):
    scale = np.maximum(1, np.abs(expected))
    assert (np.abs(got - expected) / scale).max() <= TOLERANCE[dtype]


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("f", ACTIVATIONS)
def test_same_outputs(f, dtype, norm, tmp_path):
    rng = np.random.default_rng(2)
    net, path = network(f, dtype, norm, rng), tmp_path / "net.onnx"
    net.to_onnx(path)
    made = session(path)
    (x,), (y,) = made.get_inputs(), made.get_outputs()
    assert (x.name, x.shape, x.type) == ("input", ["n", 5], TYPES[dtype])
    assert (y.name, y.shape, y.type) == ("output", ["n", 3], TYPES[dtype])
    for n in (1, 40):
        X = rng.normal(size=(n, 5)).astype(dtype)
        (got,) = made.run(None, {"input": X})
        assert got.dtype == dtype
        assert_close(got, net.predict(X), dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("f", ACTIVATIONS)
def test_extremes(f, dtype, tmp_path):
    largest = float(np.finfo(dtype).max)
    far = [1e-30, 0.5, 1, 8, 17.5, 30, 80, 89, 200, 1001, 1e5, 1e18, largest / 4]
    z = np.array([0.0, -0.0, *far, *(-x for x in far)], dtype)
    net = bp.Network([len(z)] * 2, output=f, loss="squared_error", dtype=dtype)
    net.weights[0][...] = np.eye(len(z))
    net.to_onnx(tmp_path / "net.onnx")
    with np.errstate(all="ignore"):
        (got,) = outputs(tmp_path / "net.onnx", z[None])
    expected = net.predict(z)
    finite = np.isfinite(expected)
    assert (got[0][~finite] == expected[~finite]).all()
    assert_close(got[0][finite], expected[finite], dtype)


def test_sizes_of_one_and_wide_layers(tmp_path):
    rng = np.random.default_rng(3)
    net = bp.Network([1, 1, 700, 1], activation="tanh", rng=0)
    net.to_onnx(tmp_path / "net.onnx")
    X = rng.normal(size=(10, 1)).astype("f4")
    assert_close(outputs(tmp_path / "net.onnx", X)[0], net.predict(X), "float32")


def test_an_identity(tmp_path):
    net = bp.Network([2, 2], init="zeros")
    net.to_onnx(tmp_path / "net.onnx")
    (got,) = outputs(tmp_path / "net.onnx", np.ones((3, 2), "f4"))
    assert got.tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "classes", [None, [7, -1, 2**40], np.array(["red", "é", ""]), ("a", "b", "c")]
)
def test_labels(classes, dtype, tmp_path):
    net = bp.Network([4, 8, 3], loss="cross_entropy", dtype=dtype, rng=0)
    net.to_onnx(tmp_path / "net.onnx", classes=classes)
    X = np.random.default_rng(0).normal(size=(30, 4)).astype(dtype)
    label, probabilities = outputs(tmp_path / "net.onnx", X)
    assert_close(probabilities, net.predict(X), dtype)
    names = np.arange(3) if classes is None else np.asarray(classes)
    assert label.tolist() == names[net.predict(X).argmax(axis=1)].tolist()
    assert label.dtype == (object if names.dtype.kind == "U" else np.int64)


@pytest.mark.parametrize("classes", [None, ["no", "yes"]])
def test_one_label(classes, tmp_path):
    net = bp.Network([4, 8, 1], loss="binary_cross_entropy", rng=0)
    net.to_onnx(tmp_path / "net.onnx", classes=classes)
    X = np.random.default_rng(0).normal(size=(30, 4)).astype("f4")
    label, probabilities = outputs(tmp_path / "net.onnx", X)
    p = net.predict(X)
    assert_close(probabilities, p, "float32")
    expected = np.array(classes or [0, 1])[(p[:, 0] > 0.5).astype(int)].tolist()
    assert label.tolist() == expected and len(set(expected)) == 2


def test_several_labels(tmp_path):
    net = bp.Network([4, 8, 3], loss="binary_cross_entropy", rng=0)
    net.to_onnx(tmp_path / "net.onnx")
    X = np.random.default_rng(0).normal(size=(30, 4)).astype("f4")
    label, _ = outputs(tmp_path / "net.onnx", X)
    assert label.dtype == np.int64
    assert (label == (net.predict(X) > 0.5)).all()


def test_names_and_metadata(tmp_path):
    net = bp.Network([2, 3, 2], loss="cross_entropy", norm="layer")
    path = tmp_path / "net.onnx"
    # Names that the graph itself uses.
    net.to_onnx(
        path,
        name="sorter",
        input_name="W0",
        output_names=["softmax", "relu"],
        metadata={"author": "Ann", "note": "größer"},
    )
    made = session(path)
    assert [x.name for x in made.get_inputs()] == ["W0"]
    assert [y.name for y in made.get_outputs()] == ["softmax", "relu"]
    _, probabilities = made.run(None, {"W0": np.ones((1, 2), "f4")})
    assert_close(probabilities, net.predict(np.ones((1, 2))), "float32")
    model = onnx.load(path)
    assert model.graph.name == "sorter"
    assert model.producer_name == "bpcore"
    assert model.producer_version == bp.__version__
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "bpcore_version": bp.__version__,
        "dtype": "float32",
        "sizes": "2 3 2",
        "activations": "relu softmax",
        "loss": "cross_entropy",
        "author": "Ann",
        "note": "größer",
    }


def test_versions_that_old_runtimes_read(tmp_path):
    bp.Network([2, 2]).to_onnx(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert model.ir_version == 8
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]


def test_a_loss_of_ones_own(tmp_path):
    net = bp.Network([2, 3], loss=lambda a, y: ((a - y) ** 2).mean(), rng=0)
    net.to_onnx(tmp_path / "net.onnx")
    assert session(tmp_path / "net.onnx").get_outputs()[0].name == "output"


CE = {"loss": "cross_entropy"}


@pytest.mark.parametrize(
    "settings, arguments, message",
    [
        ({}, {"classes": ["a", "b"]}, "no probabilities of classes"),
        (CE, {"classes": ["a"]}, "classes must be 2 different ones"),
        (CE, {"classes": ["a", "a"]}, "classes must be 2 different ones"),
        (CE, {"classes": ["a", 1]}, "whole numbers of 64 bits, or all texts"),
        (CE, {"classes": [1.5, 2.5]}, "whole numbers of 64 bits, or all texts"),
        (CE, {"classes": [True, False]}, "whole numbers of 64 bits, or all texts"),
        (CE, {"classes": [2**63, 1]}, "whole numbers of 64 bits, or all texts"),
        (CE, {"classes": "ab"}, "classes must be a sequence"),
        (CE, {"output_names": ["a"]}, "output_names must be 2 names"),
        (CE, {"output_names": "ab"}, "output_names must be a list or tuple"),
        ({}, {"output_names": ["a", "b"]}, "output_names must be 1 names"),
        (CE, {"output_names": ["a", "a"]}, "must have different names"),
        ({}, {"output_names": ["input"]}, "must have different names"),
        ({}, {"input_name": ""}, "input_name must be a text, not empty"),
        ({}, {"name": 3}, "name must be a text, not empty"),
        ({}, {"metadata": {"a": 1}}, "metadata must be texts by texts"),
        ({}, {"metadata": {"dtype": "x"}}, "metadata must not have 'dtype'"),
        ({}, {"metadata": [1]}, "metadata must be"),
        (
            {"loss": "binary_cross_entropy"},
            {"classes": ["a", "b"]},
            "2 labels of one sample",
        ),
    ],
)
def test_bad_arguments(settings, arguments, message, tmp_path):
    net, path = bp.Network([2, 2], **settings), tmp_path / "net.onnx"
    path.write_text("as it was")
    with pytest.raises((ValueError, TypeError), match=message):
        net.to_onnx(path, **arguments)
    assert path.read_text() == "as it was"


def test_a_deep_network(tmp_path):
    """Its file can be read, and names have the numbers that they always had."""
    net = bp.Network([1] * 8001, activation="sigmoid", rng=0)
    net.to_onnx(tmp_path / "deep.onnx")
    assert np.array_equal(bp.load(tmp_path / "deep.onnx").parameters, net.parameters)
    graph = Graph(np.float32)
    names = [graph.add("Relu", "x") for _ in range(4)]
    assert names == ["relu", "relu_1", "relu_2", "relu_3"]
