"""A decision boundary in motion
=============================

A network learns two moons, as PNG frames: the network and its decision boundary.

Each frame shows the network after some epochs.  On the left is a trace of the next step
(``trace.plot()``), with the activations and deltas of one sample; on the right that
sample is marked by a ring.  There the plane is coloured by the output, with the
decision boundary, where it is 1/2, and a dotted line for each hidden unit, where its z
is 0.  ``bp.animate(net, X, y, "moons.gif", epochs=60)`` makes a film of the plane in
one line.

It needs matplotlib, and no display::

    python examples/steps/step6_boundary.py [DIR]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import bpcore as bp

ROW = 3  # the marked sample, at the tip of its moon


def moons(n: int = 200, noise: float = 0.15) -> tuple[NDArray[Any], NDArray[Any]]:
    """Points on two interleaved half circles with noise, and their labels."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    angle = np.pi * (rng.random(n) + y)
    X = np.column_stack([np.cos(angle) + y - 0.5, np.sin(angle) + 0.5 * y - 0.25])
    return X + rng.normal(scale=noise, size=X.shape), y


def build(seed: int = 0, hidden: int = 4) -> bp.Network:
    """A network 2-hidden-1 for the probability of the second moon."""
    return bp.Network(
        [2, hidden, 1],
        activation="tanh",
        loss="binary_cross_entropy",
        optimizer=bp.SGD(lr=0.1, momentum=0.9),
        rng=seed,
    )


def draw_plane(axes: Axes, net: bp.Network, X: NDArray[Any], y: NDArray[Any]) -> None:
    """The network's output over the plane, with the samples."""
    u, v = np.meshgrid(np.linspace(-2, 2, 160), np.linspace(-1.7, 1.7, 136))
    plane = np.column_stack([u.ravel(), v.ravel()])
    a = net.predict(plane).reshape(u.shape)
    # Paler than the samples, which have the same colour map.
    pale = {"cmap": "RdBu_r", "vmin": -0.7, "vmax": 1.7, "interpolation": "bilinear"}
    axes.imshow(a, origin="lower", extent=(-2, 2, -1.7, 1.7), **pale)
    for z in (plane @ net.weights[0] + net.biases[0]).T:
        axes.contour(u, v, z.reshape(u.shape), [0.0], colors="0.4", linestyles=":")
    axes.contour(u, v, a, [0.5], colors="black", linewidths=2.5)
    axes.scatter(*X.T, c=y, cmap="RdBu_r", vmin=-0.2, vmax=1.2, ec="white", s=45)
    axes.scatter(*X[ROW], fc="none", ec="black", lw=2, s=160)
    axes.set(xlabel="x1", ylabel="x2")


def frames(
    net: bp.Network, epochs: int, every: int, folder: Path
) -> Iterator[tuple[int, float, float]]:
    """Train, write a frame every some epochs, and yield epoch, accuracy and loss."""
    X, y = moons()
    folder.mkdir(parents=True, exist_ok=True)
    for epoch in range(0, epochs + 1, every):
        if epoch:
            net.fit(X, y, epochs=every, batch_size=20, progress=False)
        loss, accuracy = net.evaluate(X, y, metrics="accuracy").values()
        figure = Figure(figsize=(18, 7), layout="constrained")
        network, plane = figure.subplots(1, 2, width_ratios=(1.15, 1))
        bp.trace(net, X, y).plot(ROW, network, limit=1.0)
        draw_plane(plane, net, X, y)
        plane.set_title(f"Epoch {epoch}: {accuracy:.1%} right, E = {loss:.4f}")
        figure.savefig(folder / f"epoch{epoch:04}.png", dpi=80)
        yield epoch, accuracy, loss


def picture() -> Figure:
    """The plane after 0, 30 and 60 epochs."""
    X, y = moons()
    net = build()
    figure = Figure(figsize=(12, 3.8), layout="constrained")
    for axes, epoch in zip(figure.subplots(1, 3), (0, 30, 60), strict=True):
        if epoch:
            net.fit(X, y, epochs=30, batch_size=20, progress=False)
        draw_plane(axes, net, X, y)
        axes.set_title(f"epoch {epoch}")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Write the frames, and print their accuracies and folder."""
    parser = argparse.ArgumentParser(description="A decision boundary in frames.")
    parser.add_argument("folder", metavar="DIR", nargs="?", default="frames", type=Path)
    parser.add_argument("--epochs", type=int, default=60, help="60 by default")
    parser.add_argument("--every", type=int, default=3, help="3 by default")
    parser.add_argument("--seed", type=int, default=0, help="0 by default")
    args = parser.parse_args(argv)
    net = build(args.seed)
    for epoch, accuracy, loss in frames(net, args.epochs, args.every, args.folder):
        print(f"epoch {epoch:4}  accuracy {accuracy:7.1%}  E = {loss:.4f}")
    print(f"frames written to {args.folder}")


if __name__ == "__main__":
    main()
