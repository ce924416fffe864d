"""Momentum in a narrow valley
===========================

Its equations, and its first steps by hand.

A linear network with half squared error has a quadratic loss, whose Hessian is
X.T @ X / n.  With inputs of unequal scale the loss is a narrow valley: steep across,
nearly level along.  A step multiplies the error along an axis of curvature h by
1 - lr h, so the steep axis bounds the learning rate, lr < 2 / h, with which the factor
along the valley is nearly 1.  Momentum adds up the past gradients::

    v = mu v + g,     w = w - lr v

so that gradients along the valley, which have the same sign, add up to 1 / (1 - mu)
times their size, and those across it, which alternate, cancel.  With too large mu the
steps overshoot.

Run it::

    python examples/steps/step5_momentum.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import bpcore as bp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

X = np.random.default_rng(0).normal(size=(50, 2)) * [1.0, 0.05]
Y = X @ [[1.0], [1.0]]  # the minimum is at w = (1, 1)
LR = 2.0


def build(mu: float) -> bp.Network:
    """A linear unit at w = (-1, -1), with a constant bias of 0."""
    net = bp.Network(
        [2, 1],
        optimizer=bp.SGD(LR, momentum=mu, biases={"lr_factor": 0.0}),
        dtype="float64",
    )
    net.weights[0][...] = -1
    return net


def steps_to(loss: float, mu: float, most: int = 10_000) -> int:
    """Training steps until the loss is below a value."""
    net = build(mu)
    for step in range(1, most + 1):
        net.train_step(X, Y)
        if net.evaluate(X, Y) < loss:
            return step
    return most


def by_hand(mu: float, steps: int) -> list[tuple[NDArray[Any], ...]]:
    """g, v and w after each step: the two equations and the gradient."""
    w, v = np.full((2, 1), -1.0), np.zeros((2, 1))
    rows = []
    for _ in range(steps):
        g = X.T @ (X @ w - Y) / len(X)
        v = mu * v + g
        w = w - LR * v
        rows.append((g, v, w))
    return rows


def picture() -> Figure:
    """The way of w over the loss, without momentum, with 0.9 and with 0.99."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    w1, w2 = np.meshgrid(np.linspace(-1.5, 3, 60), np.linspace(-1.5, 4, 60))
    H = X.T @ X / len(X)
    d1, d2 = w1 - 1, w2 - 1
    E = (H[0, 0] * d1**2 + 2 * H[0, 1] * d1 * d2 + H[1, 1] * d2**2) / 2
    for axes, mu in zip(
        figure.subplots(1, 3, sharey=True), (0, 0.9, 0.99), strict=True
    ):
        way = np.array([[-1.0, -1.0], *(w[:, 0] for *_, w in by_hand(mu, 100))])
        axes.contour(w1, w2, E, np.geomspace(1e-4, 3, 12), colors="0.8")
        axes.plot(*way.T, ".-", color="black", lw=0.8, ms=4)
        axes.plot(1, 1, "x", color="black", ms=10)
        axes.set(xlim=(-1.5, 3), ylim=(-1.5, 4), xlabel="w1", title=f"mu = {mu:g}")
    figure.axes[0].set_ylabel("w2")
    figure.suptitle("100 steps in the valley")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Print the curvatures, the steps for several mu, and three steps by hand."""
    print("         curvature h   1 - lr h")
    low, high = np.linalg.eigvalsh(X.T @ X / len(X))
    for name, h in (("across", high), ("along", low)):
        print(f"{name:8}{h:12.4f}{1 - LR * h:11.4f}")

    print("\n  mu  steps to E < 1e-8")
    for mu in (0.0, 0.5, 0.9, 0.95, 0.99):
        print(f"{mu:4.2f}{steps_to(1e-8, mu):19,}")

    net = build(mu=0.9)
    print("\nmu = 0.9 by hand, and how far the trace is from it")
    for step, (g, v, w) in enumerate(by_hand(0.9, steps=3), 1):
        trace = bp.trace(net, X, Y, apply=True)
        before = trace.before.state["velocity"].weights[0]
        after = trace.after.state["velocity"].weights[0]
        print(f"step {step}, E = {trace.loss:.6f}, v before {before[:, 0].round(6)}")
        for name, hand, traced in (
            ("g = dE/dw", g, trace.dW[0]),
            ("v = mu v + g", v, after),
            ("w = w - lr v", w, trace.after.weights[0]),
        ):
            gap = np.abs(hand - traced).max()
            print(f"  {name:14}{hand[0, 0]:10.6f}{hand[1, 0]:10.6f}{gap:8.0e}")


if __name__ == "__main__":
    main()
