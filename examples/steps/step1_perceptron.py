"""A single perceptron: it learns AND, and cannot learn XOR
========================================================

One unit with a step activation, a = 1 where x w + b > 0 and else 0, and Rosenblatt's
rule (1958): after every sample::

    w = w + lr (t - a) x,     b = b + lr (t - a)

The network predicts; its weights are changed through the views `net.weights` and
`net.biases`.  No derivative is needed: that of a step is 0.

Run it::

    python examples/steps/step1_perceptron.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import bpcore as bp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
AND = np.array([0, 0, 0, 1])
XOR = np.array([0, 1, 1, 0])

WHY = """\
No line has (0, 1) and (1, 0) on one side and (0, 0) and (1, 1) on the other.  It takes
    b <= 0,   w2 + b > 0,   w1 + b > 0,   w1 + w2 + b <= 0
but the two in the middle add up to w1 + w2 + 2 b > 0, the outer two to the opposite."""


def perceptron() -> bp.Network:
    """Two inputs, one step unit, all weights 0."""
    return bp.Network([2, 1], output="step", init="zeros")


def learn_sample(net: bp.Network, x: NDArray[Any], t: float, lr: float = 1.0) -> bool:
    """Apply Rosenblatt's rule to a sample; return whether the prediction was wrong."""
    error = t - net.predict(x)
    net.weights[0][...] += lr * np.outer(x, error)
    net.biases[0][...] += lr * error
    return bool(error.any())


def learn(
    net: bp.Network, t: NDArray[Any], epochs: int = 100
) -> list[tuple[NDArray[Any], int]]:
    """w1, w2, b after every epoch, with its number of errors.

    Training ends after an epoch without errors, or when the weights are equal to those
    after an earlier epoch: since the rule depends on nothing else, the epochs repeat.
    """
    history = [(net.parameters.copy(), len(X))]
    for _ in range(epochs):
        samples = zip(X, t, strict=True)
        errors = sum(learn_sample(net, x, target) for x, target in samples)
        seen = any((net.parameters == before).all() for before, _ in history)
        history.append((net.parameters.copy(), errors))
        if errors == 0 or seen:
            break
    return history[1:]


def report(name: str, t: NDArray[Any]) -> tuple[bp.Network, list[NDArray[Any]]]:
    """Learn, and print the weights of every epoch."""
    net = perceptron()
    history = learn(net, t)
    print(f"{name}\nepoch  w1  w2   b  errors")
    for epoch, ((w1, w2, b), errors) in enumerate(history, 1):
        print(f"{epoch:5}{w1:4.0f}{w2:4.0f}{b:4.0f}{errors:8}")
    return net, [w for w, _ in history]


def picture() -> Figure:
    """The line after each epoch, for AND and for XOR; the last one is the darkest."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.8), layout="constrained")
    for axes, (name, t) in zip(
        figure.subplots(1, 2), {"AND": AND, "XOR": XOR}.items(), strict=True
    ):
        epochs = [w for w, _ in learn(perceptron(), t)]
        for epoch, (w1, w2, b) in enumerate(epochs, 1):
            if w1 or w2:
                x1, x2 = np.meshgrid([-1, 2], [-1, 2])
                grey = f"{0.8 * (1 - epoch / len(epochs)):.2f}"
                axes.contour(x1, x2, w1 * x1 + w2 * x2 + b, [0], colors=grey)
        axes.scatter(*X.T, c=t, cmap="RdBu_r", vmin=-0.2, vmax=1.2, s=160, zorder=3)
        axes.set(xlim=(-0.6, 1.6), ylim=(-0.6, 1.6), xlabel="x1", ylabel="x2")
        axes.set_title(f"{name}: the line after each of {len(epochs)} epochs")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Train AND until there is no error, XOR until weights repeat."""
    net, _ = report("AND", AND)
    w1, w2, b = net.parameters
    print(f"(1, 1) is alone above the line {w1:g} x1 {w2:+g} x2 {b:+g} = 0.\n")

    net, epochs = report("XOR", XOR)
    first = 1 + next(i for i, w in enumerate(epochs) if (w == net.parameters).all())
    print(f"The weights are again those after epoch {first}.  Once around:")
    print("  x1  x2   t   a    w1  w2   b")
    for x, t in zip(X, XOR, strict=True):
        a = net.predict(x).item()
        learn_sample(net, x, t)
        w1, w2, b = net.parameters
        print(f"{x[0]:4.0f}{x[1]:4.0f}{t:4}{a:4.0f}  {w1:4.0f}{w2:4.0f}{b:4.0f}")
    print("and so on for ever.\n", WHY, sep="\n")


if __name__ == "__main__":
    main()
