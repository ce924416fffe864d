"""A hidden layer solves XOR
=========================

One training step in full, then the training.

XOR is not linearly separable, but two tanh units before the output can map it to points
that are.  The trace shows the first training step: each equation of backpropagation
with its numbers.  A path shows the gradient of one weight of the hidden layer, a sum
over all paths from it to the loss.  Then the network is trained, and the table shows
the outputs of the hidden layer for the four inputs: a line separates these.

Run it::

    python examples/steps/step2_xor.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import bpcore as bp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
XOR = np.array([0, 1, 1, 0])


def build(seed: int = 0, hidden: int = 2) -> bp.Network:
    """A network 2-hidden-1 with half squared error, E = mean of 1/2 (a - t)^2."""
    return bp.Network(
        [2, hidden, 1],
        activation="tanh",
        output="sigmoid",
        loss="squared_error",
        optimizer=bp.SGD(lr=4.0),
        dtype="float64",
        rng=seed,
    )


def train(net: bp.Network, epochs: int = 1000) -> bp.History:
    """Train; each mini-batch has all four samples."""
    return net.fit(X, XOR, epochs=epochs, batch_size=4, progress=False)


def show_space(net: bp.Network) -> None:
    """Print the outputs of the hidden layer and of the network for the four inputs."""
    _, hidden, a = net.forward(X).activations
    print("  x1  x2     a[1]              a[2]   t")
    for x, (h1, h2), out, t in zip(X, hidden, a[:, 0], XOR, strict=True):
        print(f"{x[0]:4}{x[1]:4}  {h1:+8.4f} {h2:+8.4f}  {out:8.4f}{t:4}")
    (w1, w2), b = net.weights[1][:, 0], net.biases[1][0]
    print(f"the line where a[2] = 1/2: {w1:.3g} h1 {w2:+.3g} h2 {b:+.3g} = 0")


def picture() -> Figure:
    """The output over the inputs, and over the outputs of the hidden layer."""
    from matplotlib.figure import Figure

    net = build()
    train(net)
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    inputs, hidden = figure.subplots(1, 2)
    u, v = np.meshgrid(np.linspace(-0.5, 1.5, 80), np.linspace(-0.5, 1.5, 80))
    a = net.predict(np.column_stack([u.ravel(), v.ravel()])).reshape(u.shape)
    colours = {"cmap": "RdBu_r", "vmin": -0.4, "vmax": 1.4}
    inputs.pcolormesh(u, v, a, **colours)
    inputs.contour(u, v, a, [0.5], colors="black")
    inputs.set(title="the inputs", xlabel="x1", ylabel="x2")
    h1, h2 = np.meshgrid(np.linspace(-1.2, 1.2, 80), np.linspace(-1.2, 1.2, 80))
    (w1, w2), b = net.weights[1][:, 0], net.biases[1][0]
    z = w1 * h1 + w2 * h2 + b
    hidden.pcolormesh(h1, h2, 1 / (1 + np.exp(-z)), **colours)
    hidden.contour(h1, h2, z, [0.0], colors="black")
    hidden.set(title="the hidden layer: a line separates", xlabel="h1", ylabel="h2")
    for axes, points in ((inputs, X), (hidden, net.forward(X).activations[1])):
        axes.scatter(*points.T, c=XOR, ec="white", s=120, cmap="RdBu_r")
        for x, point in zip(X, points, strict=True):
            at = (-8, -20 if x.all() else 9)  # (0, 0) and (1, 1) become neighbours
            axes.annotate(f"{x[0]}, {x[1]}", point, at, textcoords="offset points")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Print the trace, a path, the losses of the training and its result."""
    net = build()
    trace = bp.trace(net, X, XOR)  # does not change net
    print(trace, end="\n\n\n")
    print(trace.path(0, 0, 1), end="\n\n\n")

    history = train(net)
    for epoch in (1, 10, 100, len(history)):
        print(f"epoch {epoch:5}  E = {history.loss[epoch - 1]:.6f}")
    print()
    show_space(net)


if __name__ == "__main__":
    main()
