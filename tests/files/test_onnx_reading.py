"""ONNX files: those of PyTorch, scikit-learn and tf2onnx, and each operator."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.onnx.read import read, read_bytes
from bpcore.network import network_of
from bpcore.reference.activations import FUNCTIONS
from helpers import GOLDEN, golden
from helpers.onnx_files import chain, graph, model, node, port, tensor

EXCHANGED = golden("exchanged")
FILES = sorted((GOLDEN / "exchanged").glob("*.onnx"))
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(6, 3)).astype(np.float32)
W = RANDOM.normal(size=(3, 4)).astype(np.float32)
V = RANDOM.normal(size=(4, 2)).astype(np.float32)
B = RANDOM.normal(size=4).astype(np.float32)


def network(data):
    return network_of(*read_bytes(data)[:2])


def predicted(data):
    return network(data).predict(X)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_of_other_libraries_predict_the_same(path):
    design, state, metadata = read(path)
    expected, net = EXCHANGED[path.stem], network_of(design, state)
    assert net.dtype == ("float64" if "float64" in path.stem else "float32")
    assert metadata == {}
    tolerance = 1e-12 if net.dtype == "float64" else 1e-6
    scale = np.abs(expected).max()
    found = net.predict(EXCHANGED["X"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


def test_files_of_other_libraries_have_the_layers_that_were_written():
    def layers(name):
        design = read(GOLDEN / "exchanged" / f"{name}.onnx")[0]
        return design.activations, design.norms

    kinds = """relu sigmoid tanh leaky_relu elu selu gelu gelu_tanh silu mish softplus
    softsign hard_sigmoid hard_tanh elu softmax identity"""
    for name in ("old_activations", "new_activations_18", "new_activations_20"):
        found = layers(f"torch_{name}")[0]
        assert list(found) == kinds.split()
    assert layers("torch_old_norms")[1] == ("batch", "layer", None)
    assert layers("tf2onnx_forms") == (
        ("relu", "gelu", "sigmoid", "softmax"),
        (None, None, "layer", None),
    )
    assert layers("skl_two_classes_zipmap")[0] == ("relu", "relu", "softmax")


# --- operators ------------------------------------------------------------------------

PRODUCT = ("MatMul", "W", {})
ARRAYS = {"W": W, "V": V, "B": B}

#: Operators with what they compute of z = X W.
AFTER_PRODUCT = {
    "Add": (("Add", "B", {}), lambda z: z + B),
    "Sub": (("Sub", "B", {}), lambda z: z - B),
    "Mul": (("Mul", "B", {}), lambda z: z * B),
    "Div": (("Div", "B", {}), lambda z: z / B),
    "Identity": (("Identity", "", {}), lambda z: z),
    "Dropout": (("Dropout", "", {}), lambda z: z),
    "Cast": (("Cast", "", {"to": 1}), lambda z: z),
    "Flatten": (("Flatten", "", {}), lambda z: z),
    "Reshape": (("Reshape", "shape", {}), lambda z: z),
    "Celu": (("Celu", "", {}), FUNCTIONS["elu"]),
    "Swish": (("Swish", "", {}), FUNCTIONS["silu"]),
    "Gelu": (("Gelu", "", {"approximate": "tanh"}), FUNCTIONS["gelu_tanh"]),
    "Exp": (("Exp", "", {}), np.exp),
    "Clip": (("Clip", "zero", {}), FUNCTIONS["relu"]),
    "Clip by attributes": (
        ("Clip", "", {"min": -1.0, "max": 1.0}), FUNCTIONS["hard_tanh"],
    ),
    "Softmax": (("Softmax", "", {"axis": 1}), FUNCTIONS["softmax"]),
}  # fmt: skip


@pytest.mark.parametrize("operator, f", AFTER_PRODUCT.values(), ids=AFTER_PRODUCT)
def test_operators(operator, f):
    arrays = {"shape": np.array([-1, 4]), "zero": np.float32(0)}
    data = chain(PRODUCT, operator, **ARRAYS, **arrays)
    expected = f((X @ W).astype(np.float64))
    np.testing.assert_allclose(predicted(data), expected, rtol=1e-5, atol=2e-6)


def test_constants_on_the_left():
    nodes = [
        node("MatMul", "x W", "a"),
        node("Sub", "B a", "b"),
        node("Mul", "B b", "c"),
        node("Add", "B c", "y"),
    ]
    found = predicted(model(graph(nodes, ARRAYS)))
    np.testing.assert_allclose(found, B + B * (B - X @ W), rtol=1e-5, atol=1e-5)


def test_gemm():
    how = {"alpha": 0.5, "beta": 2.0, "transB": 1}
    data = chain(("Gemm", "T B", how), T=np.ascontiguousarray(W.T), B=B[None])
    expected = 0.5 * X @ W + 2 * B
    np.testing.assert_allclose(predicted(data), expected, rtol=1e-5, atol=1e-6)


def test_constants_that_nodes_give():
    nodes = [
        node("Constant", "", "raw", value=np.ascontiguousarray(W.T)),
        node("Identity", "raw", "same"),
        node("Cast", "same", "cast", to=1),
        node("Transpose", "cast", "T", perm=[1, 0]),
        node("Constant", "", "two", value_float=2.0),
        node("Constant", "", "axis", value_ints=[0]),
        node("Unsqueeze", "B axis", "row"),
        node("Constant", "", "flat", value_ints=[4]),
        node("Reshape", "row flat", "vector"),
        node("MatMul", "x T", "a"),
        node("Mul", "a two", "b"),
        node("Add", "b vector", "y"),
    ]
    for made in nodes:
        made["input"] = list(filter(None, made["input"]))
    found = predicted(model(graph(nodes, {"B": B})))
    np.testing.assert_allclose(found, 2 * X @ W + B, rtol=1e-5, atol=1e-6)


def test_numbers_in_lists_of_their_type():
    raw = graph([node("MatMul", "x W", "y")], {})
    form = {"dims": [3, 4], "name": "W"}
    raw["initializer"] = [{**form, "data_type": 1, "float_data": W.ravel().tolist()}]
    assert np.array_equal(network(model(raw)).weights[0], W)
    raw["initializer"] = [{**form, "data_type": 11, "double_data": W.ravel().tolist()}]
    assert network(model(raw)).dtype == "float64"


def test_dropout_of_the_inputs_and_outputs_is_left_out():
    drop = ("Dropout", "rate", {})
    rate = {"rate": np.float32(0.25)}
    nodes = drop, PRODUCT, ("Relu", "", {}), drop, ("MatMul", "V", {}), drop
    net = network(chain(*nodes, **ARRAYS, **rate))
    assert net.dropout == (0.25, 0.0)


def test_flatten_of_images():
    nodes = [node("Flatten", "x", "a"), node("MatMul", "a W", "y")]
    image = graph(nodes, {"W": np.ones((6, 2), np.float32)})
    image["input"] = [port("x", (None, 1, 2, 3))]
    assert network(model(image)).sizes == (6, 2)
    image["node"] = [node("MatMul", "x W", "y")]
    with pytest.raises(bp.ModelFileError, match="there must be a Flatten before"):
        network(model(image))


def test_flatten_by_the_shape_of_the_input():
    """``x.view(x.size(0), -1)``, as the older exporter of PyTorch writes it."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "n", axis=0),
        node("Unsqueeze", "n axis", "first"),
        node("Concat", "first rest", "target", axis=0),
        node("Reshape", "x target", "a"),
        node("MatMul", "a W", "y"),
    ]
    arrays = {"W": np.ones((6, 2), np.float32), "zero": np.array(0)}
    arrays |= {"axis": np.array([0]), "rest": np.array([-1])}
    image = graph(nodes, arrays)
    image["input"] = [port("x", (None, 1, 2, 3))]
    assert network(model(image)).sizes == (6, 2)
    for changed in ({"rest": np.array([3])}, {"zero": np.array(1)}):
        image = graph(nodes, arrays | changed)
        image["input"] = [port("x", (None, 1, 2, 3))]
        with pytest.raises(bp.ModelFileError, match=r"Shape\)|6 units; got shape"):
            network(model(image))


def test_reshape_of_a_fixed_number_of_rows():
    nodes = [node("Reshape", "x shape", "a"), node("MatMul", "a W", "y")]
    arrays = {"W": np.ones((6, 2), np.float32), "shape": np.array([5, -1])}
    image = graph(nodes, arrays)
    image["input"] = [port("x", (5, 2, 3))]
    assert network(model(image)).sizes == (6, 2)
    image["input"] = [port("x", (10, 2, 3))]
    with pytest.raises(bp.ModelFileError, match=r"keep the rows; got shape \(5, -1\)"):
        network(model(image))


def test_metadata_and_constants_that_are_inputs_too():
    made = graph([node("MatMul", "x W", "y")], ARRAYS)
    made["input"] += [port("W"), port("unused")]
    pairs = [{"key": "author", "value": "me"}]
    assert read_bytes(model(made, metadata_props=pairs))[2] == {"author": "me"}


def test_the_output_that_is_of_real_numbers():
    nodes = [
        node("MatMul", "x W", "a"),
        node("Softmax", "a", "p"),
        node("ArgMax", "p", "label", axis=1),
    ]
    outputs = [port("label", kind=7), port("p")]
    net = network(model(graph(nodes, ARRAYS, outputs=outputs)))
    assert net.activations == ("softmax",)


def test_decomposed_functions_in_any_order():
    """gelu, with the products and sums in an order that no exporter has."""
    nodes = [
        node("MatMul", "x W", "z"),
        node("Mul", "s z", "u"),
        node("Erf", "u", "e"),
        node("Mul", "z e", "ze"),
        node("Add", "ze z", "sum"),
        node("Div", "sum two", "y"),
    ]
    arrays = {"W": W, "s": np.float32(0.5**0.5), "two": np.float32(2)}
    assert network(model(graph(nodes, arrays))).activations == ("gelu",)
    arrays["s"] = np.float32(0.7)
    with pytest.raises(bp.ModelFileError, match=r"node 1 .*Mul, Erf, Mul, Add"):
        network(model(graph(nodes, arrays)))


# --- what cannot be read --------------------------------------------------------------

REFUSED = {
    # nodes after the product, message
    "unknown operator": ([("Conv", "W", {})], r"node 1 'n1' \(Conv\): there is no"),
    "another domain": ([("Relu", "", {"domain": "mine"})], "operator Relu of mine"),
    "slope": ([("LeakyRelu", "", {"alpha": 0.2})], "alpha must be 0.01 .* got 0.2"),
    "hard sigmoid": ([("HardSigmoid", "", {})], "alpha must be 0.1666667 .* got 0.2"),
    "relu6": ([("Clip", "zero six", {})], "got 0, 6"),
    "softmax of rows": ([("Softmax", "", {"axis": 0})], "axis must be 1 or -1; got 0"),
    "flatten of rows": ([("Flatten", "", {"axis": 0})], "axis must be 1; got 0"),
    "cast to float16": ([("Cast", "", {"to": 10})], "got type 10"),
    "reshape of rows": ([("Reshape", "shape", {})], r"of 4 units; got shape \(-1, 2\)"),
    "training": ([("Dropout", "rate true", {})], "must not be in training mode"),
    "division by 0": ([("Div", "zero", {})], "divides by 0"),
    "columns": ([("Add", "column", {})], r"must be \(k,\) or \(1, k\)"),
    "integers": ([("Add", "shape", {})], "must be of real numbers; got int64"),
    "two activations": ([("Relu", "", {}), ("Tanh", "", {})], r"node 2 .*Tanh.: tanh"),
    "weights that do not fit": ([("MatMul", "W", {})], "3 inputs; the rows have 4"),
    "no constant": ([("Gemm", "v0", {})], "more than once"),
    "missing value": ([("Add", "nothing", {})], "nothing before it gives 'nothing'"),
    "no input": ([("MatMul", "", {})], "input 1 must be there"),
    "transposed rows": ([("Gemm", "V", {"transA": 1})], "not transposed"),
    "attribute of another type": ([("LeakyRelu", "", {"alpha": 1})], "another type"),
    "gelu": ([("Gelu", "", {"approximate": "sine"})], "got 'sine'"),
}  # fmt: skip


@pytest.mark.parametrize("nodes, message", REFUSED.values(), ids=REFUSED)
def test_the_first_operator_that_cannot_be_read_is_named(nodes, message):
    arrays = {
        "shape": np.array([-1, 2]),
        "zero": np.float32(0),
        "six": np.float32(6),
        "rate": np.float32(0.5),
        "true": np.array([1]),
        "column": np.ones((4, 1), np.float32),
    }
    data = chain(PRODUCT, *nodes, ("Sin", "", {}), **ARRAYS, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        network(data)
    assert "Sin" not in str(caught.value)


def test_branches_are_refused():
    nodes = [
        node("MatMul", "x S", "a", "first"),
        node("Relu", "a", "b", "second"),
        node("MatMul", "b S", "c"),
        node("Add", "a c", "y", "last"),
    ]
    data = model(graph(nodes, {"S": np.ones((3, 3), np.float32)}))
    with pytest.raises(bp.ModelFileError, match=r"'second' .*ends at node 3 'last'"):
        network(data)


def test_inputs_and_outputs_that_are_several():
    made = graph([node("Add", "x z", "y")], {})
    made["input"].append(port("z"))
    with pytest.raises(bp.ModelFileError, match="one input that is used; got 'x', 'z'"):
        network(model(made))
    made = graph([node("MatMul", "x W", "y"), node("Relu", "y", "q")], ARRAYS)
    made["output"].append(port("q"))
    with pytest.raises(bp.ModelFileError, match=r"one output of real .*; got 'y', 'q'"):
        network(model(made))
    made["output"] = [port("W")]
    with pytest.raises(bp.ModelFileError, match=r"does not depend|one input that is"):
        network(model(made))


def test_further_outputs_of_a_node_are_refused():
    nodes = [node("MatMul", "x W", "a"), node("Dropout", "a", "b y")]
    with pytest.raises(bp.ModelFileError, match=r"node 1 .*only its first output"):
        network(model(graph(nodes, ARRAYS)))


def test_numbers_in_another_file_are_refused_with_advice():
    made = graph([node("MatMul", "x W", "y")], ARRAYS)
    made["initializer"][0] |= {"data_location": 1}
    with pytest.raises(bp.ModelFileError, match="external_data=False"):
        network(model(made))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data_type": 10}, "type FLOAT16"),
        ({"data_type": 99}, "type 99"),
        ({"dims": [3, 5]}, r"shape \[3, 5\], and 12 numbers"),
        ({"dims": [-3, -4]}, r"shape \[-3, -4\]"),
        ({"dims": [1 << 62, 1 << 62]}, "and 12 numbers"),
        ({"dims": [1] * 9}, r"has shape \[1, 1"),
        ({"raw_data": bytes(47)}, "no whole numbers"),
        ({"float_data": [1.0]}, "raw_data and float_data"),
        ({"raw_data": np.full(12, np.nan, "f4").tobytes()}, "W must be finite"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_tensors(change, message):
    made = graph([node("MatMul", "x W", "y")], {})
    made["initializer"] = [tensor("W", W) | change]
    with pytest.raises(ValueError, match=message):
        network(model(made))


def test_load_reads_onnx_files():
    net = bp.load(FILES[0])
    assert isinstance(net, bp.Network) and net.optimizer == bp.SGD()


@pytest.mark.parametrize("how", [{"mmap": True}, {"loss": print}, {"lr": print}])
def test_load_refuses_what_onnx_files_do_not_have(how):
    with pytest.raises(ValueError, match="are for native files, not for ONNX"):
        bp.load(FILES[0], **how)
