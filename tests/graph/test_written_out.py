"""Networks written out as expressions: an independent check of their gradients."""

import copy

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph
from bpcore.graph import Variable
from helpers.graph_networks import LOSSES, OUTPUTS, normal, targets

SELU = 1.0507009873554805, 1.6732632423543772


def softmax(z):
    e = graph.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def elu(z, alpha=1.0):
    return z.relu() + alpha * (graph.exp(graph.minimum(z, 0)) - 1)


#: Every activation with a derivative but gelu, whose normal distribution is no formula.
ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": graph.sigmoid,
    "tanh": graph.tanh,
    "relu": graph.relu,
    "softmax": softmax,
    "leaky_relu": lambda z: graph.maximum(z, 0.01 * z),
    "elu": elu,
    "selu": lambda z: SELU[0] * elu(z, SELU[1]),
    "gelu_tanh": lambda z: (
        0.5 * z * (1 + graph.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
    ),
    "silu": lambda z: z * z.sigmoid(),
    "mish": lambda z: z * graph.tanh(graph.log(1 + graph.exp(z))),
    "softplus": lambda z: z.relu() + graph.log(1 + graph.exp(-abs(z))),
    "softsign": lambda z: z / (1 + abs(z)),
    "hard_sigmoid": lambda z: graph.maximum(0, graph.minimum((z + 3) / 6, 1)),
    "hard_tanh": lambda z: graph.maximum(-1, graph.minimum(z, 1)),
    "exp": graph.exp,
}


def architecture(seed):
    """Settings of a network, and a mini-batch for it."""
    rng = np.random.default_rng(seed)
    names, losses = [*ACTIVATIONS], [*LOSSES]
    layers = int(rng.integers(1, 5))
    sizes = rng.integers(1, 9, layers + 1).tolist()
    sizes[-1] = max(sizes[-1], 2)
    loss = losses[seed % len(losses)]  # each of them several times
    settings = {
        "activation": [names[(seed + 4 * l) % len(names)] for l in range(layers - 1)],
        "output": OUTPUTS.get(loss) or names[int(rng.integers(len(names)))],
        "loss": loss,
        "dtype": "float64",
        "rng": seed,
    }
    n = int(rng.integers(1, 12))
    X, y = rng.normal(size=(n, sizes[0])), targets(rng, loss, (n, sizes[-1]))
    weight = rng.integers(0, 4, n) + (np.arange(n) == 0) if seed % 3 == 0 else None
    return sizes, settings, X, y, weight


def written_out(net, X, y, weight):
    """Mean loss, W, b and X as variables of the same network."""
    W = [Variable(W.copy(), f"W{l}") for l, W in enumerate(net.weights)]
    b = [Variable(b.copy(), f"b{l}") for l, b in enumerate(net.biases)]
    X = a = Variable(X, "X")
    for l, f in enumerate(net.activations):
        a = ACTIVATIONS[f](a @ W[l] + b[l])
    E = LOSSES[net.loss](a, y)
    J = E.mean() if weight is None else (weight * E).mean()
    return J, W, b, X


def test_all_activations_and_losses_are_written_out():
    trains = {name for name, f in bp.ACTIVATIONS.items() if f.trains}
    assert {*ACTIVATIONS} == trains - {"gelu"}
    assert {*LOSSES} == {*bp.LOSSES}
    seen = [architecture(seed)[1] for seed in range(66)]
    assert {f for settings in seen for f in settings["activation"]} == {*ACTIVATIONS}
    assert {settings["loss"] for settings in seen} == {*LOSSES}


@pytest.mark.parametrize("seed", range(66))
def test_gradients_are_those_of_the_network_written_out(Network, seed):
    sizes, settings, X, y, weight = architecture(seed)
    net = Network(sizes, **settings)
    for l, b in enumerate(net.biases):
        b[...] = 0.3 * normal(seed + l, *b.shape)
    grads = net.gradients(X, y, weight)
    J, W, b, X = written_out(net, X, y, weight)
    J.backward()
    assert grads.loss == pytest.approx(J.value.item(), rel=1e-10)
    pairs = [
        *zip(grads.weights, W, strict=True),
        *zip(grads.biases, b, strict=True),
        (grads.input, X),
    ]
    assert any(np.abs(own).max() > 1e-6 for own, _ in pairs)
    for own, variable in pairs:
        scale = max(np.abs(own).max(), np.abs(variable.grad).max(), 1e-6)
        np.testing.assert_allclose(own, variable.grad, rtol=0, atol=1e-10 * scale)


def test_most_gradients_are_not_zero():
    """Otherwise the comparison above would prove little."""
    zero = total = 0
    for seed in range(66):
        sizes, settings, *batch = architecture(seed)
        grads = bp.Network(sizes, **settings).gradients(*batch)
        zero += sum(not dW.any() for dW in grads.weights)
        total += len(grads.weights)
    assert zero < 0.2 * total


def test_training_by_the_graph_reaches_the_same_weights(Network):
    X, y = normal(0, 20, 3), np.arange(20) % 4
    net = Network(
        [3, 8, 4],
        activation="tanh",
        loss="cross_entropy",
        dtype="float64",
        optimizer=bp.SGD(0.5),
        rng=0,
    )
    twin = copy.deepcopy(net)
    for _ in range(50):
        J, W, b, _ = written_out(twin, X, y, None)
        J.backward()
        for l, (own, shift) in enumerate(zip(W, b, strict=True)):
            twin.weights[l][...] -= 0.5 * own.grad
            twin.biases[l][...] -= 0.5 * shift.grad
        net.train_step(X, y)
    assert net.evaluate(X, y) < 0.9
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=1e-9, atol=1e-10)
