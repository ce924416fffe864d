"""Activations as this library writes them are read as what they are."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.onnx.activations import add_activation
from bpcore.files.onnx.graph import Graph
from bpcore.files.onnx.read import read_bytes
from bpcore.network import network_of

W = np.random.default_rng(0).normal(size=(3, 4))
V = np.random.default_rng(1).normal(size=(4, 4))
X = np.random.default_rng(2).normal(size=(5, 3)) * 3


def written(f, dtype, metadata):
    """The file of a network with an activation twice."""
    graph = Graph(dtype, ("x", "y"))
    a = graph.input("x", dtype, ("n", 3))
    for weights in (W, V):
        z = graph.add("MatMul", a, graph.constant(weights))
        a = add_activation(graph, f, z)
    graph.output("y", a, dtype, ("n", 4))
    return b"".join(graph.encoded("own", metadata))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("f", [f for f in bp.ACTIVATIONS if f != "identity"])
def test_own_forms_are_read(f, dtype):
    design, state, metadata = read_bytes(written(f, dtype, {"bpcore_version": "1"}))
    assert design.activations == (f, f)
    assert metadata == {"bpcore_version": "1"}
    net = bp.Network([3, 4, 4], activation=f, output=f, loss="huber", dtype=dtype)
    for own, given in zip(net.weights, (W, V), strict=True):
        own[...] = given
    assert state.parameters.dtype == dtype
    assert np.array_equal(network_of(design, state).predict(X), net.predict(X))


def test_forms_that_were_changed_are_not():
    data = written("gelu", "float64", {"bpcore_version": "1"})
    half, other = np.float64(0.5).tobytes(), np.float64(0.25).tobytes()
    assert half in data
    with pytest.raises(bp.ModelFileError, match="node 1 'Max_1'"):
        read_bytes(data.replace(half, other))
    with pytest.raises(bp.ModelFileError, match="node 1 'Max_1'"):
        read_bytes(written("gelu", "float64", {}))
