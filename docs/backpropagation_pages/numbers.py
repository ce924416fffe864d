"""The traced step of the pages, and every number computed from it."""

import copy
import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np

import bpcore as bp
from backpropagation_pages.markdown import Equation
from backpropagation_pages.mistakes import Mistakes, mistakes
from backpropagation_pages.programs import (
    ALGORITHM,
    LR,
    MOMENTUM,
    PROGRAM,
    algorithm_lines,
)
from bpcore.arrays import Real


@dataclass(frozen=True)
class Memory:
    """Megabytes of training steps of a large network."""

    sizes: str
    rows: int
    parameters: int
    own: float
    input: float
    fused: float
    stored: float


@dataclass(frozen=True)
class MomentumRow:
    """One weight after a step, changed by the sum of changes and by their product."""

    step: int
    gradient: float
    change: float
    weight: float
    product: float
    weight_by_product: float


@dataclass(frozen=True)
class Numbers:
    """The traced step and what the pages say besides.

    `moved` is the loss for X - 0.5 dE/dX, `from_new_W` the wrong delta[0], `wide` the
    multiplications by paths and layer by layer of a network of 50-100-100-100-10.
    """

    t: bp.Trace
    path: Any
    moved: float
    from_new_W: Real
    loss_after: float
    momentum: list[MomentumRow]
    algorithm_lines: int
    memory: Memory
    wide: tuple[int, int]
    n_parameters: int
    mistakes: Mistakes


def numbers() -> Numbers:
    """Run the program of the pages, verify each statement and return the numbers."""
    names: dict[str, Any] = {}
    exec(PROGRAM.template, names)
    net, t, X, y = (names[name] for name in ("net", "t", "X", "y"))
    path = t.path(0, 0, 1)
    assert path.difference < 1e-15, "the two forms disagree"
    moved = net.evaluate(X - 0.5 * t.da[0], y)  # the network has not made the step
    assert moved < t.loss
    wrong_steps = mistakes(t, net, X, y)
    step = copy.deepcopy(net)
    step.train_step(X, y)
    for W, after in zip(step.weights, t.after.weights, strict=True):
        assert W.tobytes() == after.tobytes(), "the trace is not what train_step does"
    loss_after = step.evaluate(X, y)
    assert loss_after < t.loss
    assert bp.check_gradients(step, X, y).largest < 1e-6
    verify_algorithm(t, X, y)
    wide = bp.Network([50, 100, 100, 100, 10], rng=0)
    wide_path = bp.trace(wide, np.ones((1, 50)), np.ones((1, 10))).path(0, 0, 0)
    return Numbers(
        t=t,
        path=path,
        moved=moved,
        from_new_W=t.delta[1] @ t.after.weights[1].T * t.derivatives[0],
        loss_after=loss_after,
        momentum=momentum(X, y),
        algorithm_lines=algorithm_lines(),
        memory=memory(),
        wide=wide_path.of_all_parameters,
        n_parameters=net.parameters.size,
        mistakes=wrong_steps,
    )


def forward_equations(t: bp.Trace) -> list[Equation]:
    """z and a of each layer."""
    pairs: list[Equation] = []
    for l in range(t.n_layers):
        f = t.design.activations[l]
        pairs += [
            (f"W[{l}]", t.before.weights[l]),
            (f"b[{l}]", t.before.biases[l]),
            (f"z[{l}] = a[{l}] @ W[{l}] + b[{l}]", t.z[l]),
            (f"a[{l + 1}] = {f}(z[{l}])", t.a[l + 1]),
        ]
    return pairs


def output_delta(t: bp.Trace) -> list[Equation]:
    """delta of the output layer."""
    return [
        ("dE/da[3] = (a[3] - y) / n", t.da[3]),
        ("sigmoid'(z) = a (1 - a)",),
        ("sigmoid'(z[2])", t.derivatives[2]),
        ("delta[2] = dE/da[3] * sigmoid'(z[2])", t.delta[2]),
    ]


def hidden_deltas(t: bp.Trace) -> list[Equation]:
    """delta of the hidden layers, from the last to the first."""
    hidden: list[Equation] = [("tanh'(z) = 1 - a^2",)]
    for l in (1, 0):
        hidden += [
            (f"dE/da[{l + 1}] = delta[{l + 1}] @ W[{l + 1}].T", t.da[l + 1]),
            (f"tanh'(z[{l}])", t.derivatives[l]),
            (f"delta[{l}] = dE/da[{l + 1}] * tanh'(z[{l}])", t.delta[l]),
        ]
    return hidden


def gradient_equations(t: bp.Trace) -> list[Equation]:
    """dW and db of each layer."""
    pairs: list[Equation] = []
    for l in (2, 1, 0):
        pairs += [
            (f"dW[{l}] = a[{l}].T @ delta[{l}]", t.dW[l]),
            (f"db[{l}] = delta[{l}].sum(0)", t.db[l]),
        ]
    return pairs


def bias_equations(t: bp.Trace) -> list[Equation]:
    """db as a sum over rows, in two ways."""
    ones = np.ones((len(t.X), 1))
    assert np.allclose(ones.T @ t.delta[2], t.db[2], rtol=1e-14)
    return [
        ("db[2] = delta[2].sum(0)", t.db[2]),
        ("ones.T @ delta[2]", ones.T @ t.delta[2]),
    ]


def momentum(X: Any, y: Any) -> list[MomentumRow]:
    """W[1][0, 1] in three steps, by the sum of changes and by their product."""
    net = bp.Network(
        [2, 2, 2, 1],
        activation="tanh",
        output="sigmoid",
        loss="squared_error",
        optimizer=bp.Momentum(LR, alpha=MOMENTUM),
        dtype="float64",
        rng=3,
    )
    w = by_product = float(net.weights[1][0, 1])
    change = product = 0.0
    rows: list[MomentumRow] = []
    for step in (1, 2, 3):
        t = bp.trace(net, X, y, apply=True)
        g = float(t.dW[1][0, 1])
        change = MOMENTUM * change - LR * g
        w += change
        assert np.isclose(w, t.after.weights[1][0, 1], rtol=1e-14)
        assert np.isclose(change, t.after.state["change"].weights[1][0, 1], rtol=1e-14)
        first = rows[0].gradient if rows else g  # constant, if no weight changes
        product *= -LR * first * MOMENTUM
        by_product += product
        rows.append(MomentumRow(step, g, change, w, abs(product), by_product))
    return rows


def verify_algorithm(t: bp.Trace, X: Any, y: Any) -> None:
    """Compare the algorithm of the pages with the trace."""
    names: dict[str, Any] = {}
    exec(ALGORITHM.template, names)
    W, b = ([x.copy() for x in p] for p in (t.before.weights, t.before.biases))
    velocity = t.before.state["velocity"]
    vW, vb = ([x.copy() for x in p] for p in (velocity.weights, velocity.biases))
    E = names["step"](W, b, vW, vb, X, y)
    after = [*t.after.weights, *t.after.biases]
    gap = max(np.abs(x - z).max() for x, z in zip(W + b, after, strict=True))
    assert np.isclose(E, t.loss, rtol=1e-14) and gap < 1e-15
    assert algorithm_lines() <= 20


def memory() -> Memory:
    """Megabytes that a training step takes, with and without a stored gradient."""
    sizes, rows = [784, 1024, 1024, 10], 128
    net = bp.Network(sizes, loss="cross_entropy", rng=0, n_threads=1)
    X = np.random.default_rng(0).random((rows, sizes[0]), dtype=np.float32)
    y = np.arange(rows) % sizes[-1]

    def stored() -> None:
        net.apply(net.gradients(X, y))

    def fused() -> None:
        net.train_step(X, y)

    peaks = []
    for step in (fused, stored):
        step()  # allocates memory that is used again in every step
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        step()
        peaks.append((tracemalloc.get_traced_memory()[1] - before) / 1e6)
        tracemalloc.stop()
    own, input = (x.nbytes / 1e6 for x in (net.parameters, X))
    assert peaks[0] < 0.05 and abs(peaks[1] - own - input) < 0.05
    return Memory(
        "-".join(map(str, sizes)), rows, net.parameters.size, own, input, *peaks
    )
