"""onnxruntime, for predictions only."""

from functools import partial

import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

_ELEMENT = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


class Peer:
    """An inference session over a graph of Gemm, Relu and Softmax."""

    title = "onnxruntime"

    def __init__(self, case):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            _model(case).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        self._parameters = case.parameters
        self._run = partial(session.run, None, {"a0": case.X})

    def parameters(self):
        return self._parameters

    def predict(self):
        return self._run()[0]


def _model(case):
    """The network of the case as an ONNX model."""
    nodes, constants = [], []
    last = len(case.layers)
    for layer, (W, b) in enumerate(zip(case.weights, case.biases, strict=True), 1):
        constants.append(numpy_helper.from_array(W, f"W{layer}"))
        constants.append(numpy_helper.from_array(b, f"b{layer}"))
        inputs = [f"a{layer - 1}", f"W{layer}", f"b{layer}"]
        nodes.append(helper.make_node("Gemm", inputs, [f"z{layer}"]))
        activation = "Relu" if layer < last else "Softmax"
        nodes.append(helper.make_node(activation, [f"z{layer}"], [f"a{layer}"]))
    graph = helper.make_graph(
        nodes,
        "mlp",
        [_tensor("a0", case, case.sizes[0])],
        [_tensor(f"a{last}", case, case.sizes[-1])],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    checker.check_model(model)
    return model


def _tensor(name, case, n_columns):
    shape = [case.batch, n_columns]
    return helper.make_tensor_value_info(name, _ELEMENT[case.dtype], shape)
