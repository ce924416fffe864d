"""Make exchanged.npz and the folder exchanged; no test needs what this script needs.

Small networks of PyTorch, scikit-learn (by skl2onnx), Keras and FANN as files, forms of
tf2onnx written with the package onnx, and what each computes for `X`.  It needs torch
2.13 with onnxscript, skl2onnx, keras 3 with h5py, onnxruntime for the outputs of ONNX
files that no framework wrote, and FANN's shared library for float and for double
(Debian's libfann2), whose folder is the argument.
"""

import ctypes
import os
import sys
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

FOLDER = Path(__file__).parent / "exchanged"
N_IN = 4
RNG = np.random.default_rng(7)
X = RNG.normal(size=(9, N_IN)).astype(np.float32)
FOUND = {"X": X}

ACTIVATIONS = (
    nn.ReLU(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.LeakyReLU(),
    nn.ELU(),
    nn.SELU(),
    nn.GELU(),
    nn.GELU(approximate="tanh"),
    nn.SiLU(),
    nn.Mish(),
    nn.Softplus(),
    nn.Softsign(),
    nn.Hardsigmoid(),
    nn.Hardtanh(),
    nn.CELU(),
    nn.Softmax(1),
)


# --- PyTorch --------------------------------------------------------------------------


def activations():
    """Every activation once."""
    parts = []
    for i, f in enumerate(ACTIVATIONS):
        parts += [nn.Linear(5 if i else N_IN, 5), f]
    return nn.Sequential(*parts, nn.Linear(5, 2))


def norms():
    """Norms before and after activations, at the front and of the last layer."""
    return nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(N_IN),
        nn.Linear(N_IN, 5),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(5, 6, bias=False),
        nn.LayerNorm(6),
        nn.Tanh(),
        nn.BatchNorm1d(6, eps=1e-3),
        nn.Linear(6, 3),
        nn.BatchNorm1d(3),
        nn.Softmax(1),
    )


def trained(net, dtype=torch.float32):
    """A net with numbers that are no defaults, in eval()."""
    net = net.to(dtype).train()
    with torch.no_grad():
        for _ in range(30):
            net(torch.from_numpy(RNG.normal(0.5, 2, (16, N_IN))).to(dtype))
        for parameter in net.parameters():
            noise = RNG.normal(size=tuple(parameter.shape)) * 0.3
            parameter += torch.from_numpy(noise).to(dtype)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    return net.eval()


def output_of(net, dtype=torch.float32):
    with torch.no_grad():
        return net(torch.from_numpy(X).to(dtype)).numpy()


def export(name, net, new, opset, dtype=torch.float32):
    x = torch.from_numpy(X).to(dtype)
    how = {"dynamic_axes": {"input": {0: "n"}}, "input_names": ["input"]}
    if new:
        n = torch.export.Dim("n")
        how = {"external_data": False, "dynamic_shapes": ({0: n},)}
    path = FOLDER / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (x,), path, dynamo=new, opset_version=opset, verbose=False, **how
        )
    model = onnx.load(path)
    for node in model.graph.node:  # paths of the machine that wrote it
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.save(model, path)
    FOUND[name] = output_of(net, dtype)


def make_torch():
    net, net_64 = trained(activations()), trained(activations(), torch.float64)
    export("torch_old_activations", net, False, 14)
    export("torch_old_activations_17", net, False, 17)
    export("torch_new_activations_18", net, True, 18)
    export("torch_new_activations_20", net, True, 20)
    export("torch_old_activations_float64", net_64, False, 14, torch.float64)
    net, net_64 = trained(norms()), trained(norms(), torch.float64)
    export("torch_old_norms", net, False, 14)
    export("torch_old_norms_17", net, False, 17)
    export("torch_new_norms", net, True, 18)
    export("torch_old_norms_float64", net_64, False, 14, torch.float64)
    parts = nn.Linear(N_IN, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)
    net = trained(nn.Sequential(*parts))
    save_file(net.state_dict(), FOLDER / "torch.safetensors")
    FOUND["torch_safetensors"] = output_of(net)


# --- scikit-learn ---------------------------------------------------------------------


def make_sklearn():
    rows = RNG.normal(size=(60, N_IN)).astype(np.float32)
    how = {"hidden_layer_sizes": (5, 3), "max_iter": 20, "random_state": 0}
    warnings.simplefilter("ignore")

    def save(name, model, dtype=np.float32, **options):
        given = {id(model): options} if options else None
        onnx.save(
            to_onnx(model, X[:1].astype(dtype), options=given), FOLDER / f"{name}.onnx"
        )
        x = X.astype(dtype)
        classifies = hasattr(model, "predict_proba")
        found = model.predict_proba(x) if classifies else model.predict(x)
        FOUND[name] = found.reshape(len(X), -1)

    y = rows[:, 0] * rows[:, 1]
    for f in ("tanh", "logistic"):
        save(f"skl_regressor_{f}", MLPRegressor(activation=f, **how).fit(rows, y))
    wide = MLPRegressor(**how).fit(rows.astype(np.float64), y)
    save("skl_regressor_float64", wide, np.float64)
    two = MLPClassifier(**how).fit(rows, np.where(y > 0, "yes", "no"))
    save("skl_two_classes_zipmap", two, zipmap=True)
    save("skl_two_classes", two, zipmap=False)
    three = MLPClassifier(**how).fit(rows, np.arange(60) % 3)
    save("skl_three_classes_zipmap", three, zipmap=True)
    save("skl_three_classes", three, zipmap=False)
    labels = MLPClassifier(**how).fit(rows, (rows[:, :3] > 0).astype(int))
    save("skl_labels", labels, zipmap=False)
    line = make_pipeline(StandardScaler(), MLPRegressor(**how)).fit(rows * 3 + 1, y)
    save("skl_pipeline", line)


# --- tf2onnx --------------------------------------------------------------------------


def make_tensorflow_forms():
    """Operators and names as tf2onnx writes them for models of Keras."""
    base = "StatefulPartitionedCall/sequential/"
    arrays, nodes, at = {}, [], ["dense_input"]

    def constant(name, array):
        arrays[base + name] = np.asarray(array, np.float32)
        return base + name

    def node(op, name, *others, first=True, **settings):
        out = f"{base}{name}:0"
        inputs = (at[-1], *others) if first else (*others, at[-1])
        nodes.append(helper.make_node(op, inputs, [out], base + name, **settings))
        at.append(out)
        return out

    def dense(name, n_in, n_out):
        W = constant(f"{name}/MatMul/ReadVariableOp:0", RNG.normal(size=(n_in, n_out)))
        node("MatMul", f"{name}/MatMul", W)
        b = constant(f"{name}/BiasAdd/ReadVariableOp:0", RNG.normal(size=n_out))
        node("Add", f"{name}/BiasAdd", b)

    dense("dense", N_IN, 6)
    node("Relu", "dense/Relu")
    factor = constant("batch_normalization/batchnorm/mul:0", RNG.uniform(0.5, 1, 6))
    node("Mul", "batch_normalization/batchnorm/mul_1", factor)
    shift = constant("batch_normalization/batchnorm/sub:0", RNG.normal(size=6))
    node("Add", "batch_normalization/batchnorm/add_1", shift)
    node("Identity", "dropout/Identity")
    dense("dense_1", 6, 5)
    x = at[-1]  # gelu: 0.5 x (1 + erf(x / sqrt(2)))
    half = constant("dense_1/Gelu/mul/x:0", 0.5)
    halved = node("Mul", "dense_1/Gelu/mul", half, first=False)
    at.append(x)
    node("Div", "dense_1/Gelu/truediv", constant("dense_1/Gelu/Cast:0", 2**0.5))
    node("Erf", "dense_1/Gelu/Erf")
    node("Add", "dense_1/Gelu/add", constant("dense_1/Gelu/add/x:0", 1), first=False)
    node("Mul", "dense_1/Gelu/mul_1", halved, first=False)
    W = constant("dense_2/MatMul/ReadVariableOp:0", RNG.normal(size=(5, 4)))
    node("MatMul", "dense_2/MatMul", W)
    x = at[-1]  # layer norm: x inv + (beta - mean inv), inv = gamma / sqrt(v + eps)
    name = "layer_normalization/"
    mean = node("ReduceMean", name + "moments/mean", axes=[-1], keepdims=1)
    at.append(x)
    difference = node("Sub", name + "moments/SquaredDifference__1", mean)
    node("Mul", name + "moments/SquaredDifference", difference)
    node("ReduceMean", name + "moments/variance", axes=[-1], keepdims=1)
    node("Add", name + "batchnorm/add", constant(name + "batchnorm/add/y:0", 1e-3))
    node("Sqrt", name + "batchnorm/Rsqrt__1")
    node("Reciprocal", name + "batchnorm/Rsqrt")
    gamma = constant(name + "batchnorm/mul/ReadVariableOp:0", RNG.uniform(0.5, 1, 4))
    inverse = node("Mul", name + "batchnorm/mul", gamma)
    at.append(mean)
    node("Mul", name + "batchnorm/mul_2", inverse)
    beta = constant(name + "batchnorm/ReadVariableOp:0", RNG.normal(size=4))
    offset = node("Sub", name + "batchnorm/sub", beta, first=False)
    at.append(x)
    node("Mul", name + "batchnorm/mul_1", inverse)
    node("Add", name + "batchnorm/add_1", offset)
    node("Sigmoid", "dense_3/Sigmoid")
    dense("dense_3", 4, 3)
    node("Softmax", "dense_3/Softmax", axis=-1)
    nodes.append(helper.make_node("Identity", [at[-1]], ["dense_3"], "Identity"))
    make = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tf2onnx",
        [make("dense_input", TensorProto.FLOAT, ["unk__1", N_IN])],
        [make("dense_3", TensorProto.FLOAT, ["unk__2", 3])],
        [numpy_helper.from_array(array, key) for key, array in arrays.items()],
    )
    opset = [helper.make_opsetid("", 15)]
    model = helper.make_model(
        graph, producer_name="tf2onnx", opset_imports=opset, ir_version=8
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, FOLDER / "tf2onnx_forms.onnx")
    session = onnxruntime.InferenceSession(FOLDER / "tf2onnx_forms.onnx")
    (FOUND["tf2onnx_forms"],) = session.run(None, {"dense_input": X})


# --- Keras ----------------------------------------------------------------------------


def make_keras():
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((N_IN,)),
            layers.Dense(5),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.2),
            layers.Dense(6, use_bias=False),
            layers.LayerNormalization(),
            layers.ELU(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    x = keras.Input((N_IN,))
    a = layers.Dense(5, activation="gelu")(layers.Rescaling(0.5, 0.1)(x))
    functional = keras.Model(x, layers.Dense(1)(layers.BatchNormalization()(a)))
    plain = keras.Sequential(
        [keras.Input((N_IN,)), layers.Dense(5, activation="tanh"), layers.Dense(2)]
    )
    for name, net in {
        "keras": model,
        "keras_functional": functional,
        "keras_plain": plain,
    }.items():
        weights = [
            (w + np.abs(RNG.normal(size=w.shape)) * 0.3).astype(np.float32)
            for w in net.get_weights()
        ]
        net.set_weights(weights)
        FOUND[name] = net.predict(X, verbose=0)
        if name == "keras_plain":
            net.save_weights(FOLDER / "keras_plain.weights.h5")
        else:
            net.save(FOLDER / f"{name}.keras")
        for i, w in enumerate(weights):
            FOUND[f"{name}.{i}"] = w


# --- FANN -----------------------------------------------------------------------------

LAYERS = (N_IN, 5, 4, 5, 4, 3, 3, 2)
#: sigmoid, sigmoid_symmetric, elliot, elliot_symmetric, linear_piece,
#: linear_piece_symmetric, linear
FUNCTIONS = (3, 5, 10, 11, 12, 13, 0)


def make_fann(folder):
    warnings.simplefilter("ignore")
    for kind, c_type in (("double", ctypes.c_double), ("float", ctypes.c_float)):
        library = ctypes.CDLL(str(folder / f"lib{kind}fann.so.2"))
        for function in (
            "fann_create_standard_array",
            "fann_create_shortcut_array",
            "fann_create_sparse_array",
        ):
            getattr(library, function).restype = ctypes.c_void_p
        library.fann_run.restype = ctypes.POINTER(c_type)
        library.fann_create_sparse_array.argtypes = (
            ctypes.c_float,
            ctypes.c_uint,
            ctypes.c_void_p,
        )
        sizes = (ctypes.c_uint * len(LAYERS))(*LAYERS)
        net = ctypes.c_void_p(library.fann_create_standard_array(len(LAYERS), sizes))
        library.fann_randomize_weights(net, c_type(-1), c_type(1))
        for l, f in enumerate(FUNCTIONS, 1):
            library.fann_set_activation_function_layer(net, f, l)
            for unit in range(LAYERS[l]):
                steepness = c_type(float(RNG.uniform(0.3, 1.2)))
                library.fann_set_activation_steepness(net, steepness, l, unit)
        name = f"fann_{kind}"
        library.fann_save(net, str(FOLDER / f"{name}.net").encode())
        FOUND[name] = np.array(
            [library.fann_run(net, (c_type * N_IN)(*row))[: LAYERS[-1]] for row in X]
        )
    three = (ctypes.c_uint * 3)(2, 3, 1)
    for name, net in {
        "shortcut": library.fann_create_shortcut_array(3, three),
        "sparse": library.fann_create_sparse_array(0.5, 3, ctypes.addressof(three)),
    }.items():
        net = ctypes.c_void_p(net)
        library.fann_save(net, str(FOLDER / f"fann_{name}.net").encode())
    library.fann_save_to_fixed(net, str(FOLDER / "fann_fixed.net").encode())


if __name__ == "__main__":
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    FOLDER.mkdir(exist_ok=True)
    make_torch()
    make_sklearn()
    make_tensorflow_forms()
    make_keras()
    make_fann(Path(sys.argv[1]))
    np.savez_compressed(FOLDER.with_suffix(".npz"), **FOUND)
