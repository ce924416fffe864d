"""Handwritten digits: which ones are taken for others
====================================================

The 1797 images of 8 x 8 pixels that are shipped with the package; every third is held
back for the test.  A network 64-64-10 learns the rest in a fraction of a second.  The
table counts what each digit is taken for, and the picture shows the images that are
taken for another digit.

Run it::

    python examples/digits.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import bpcore as bp
from bpcore.datasets import load_digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def load() -> tuple[NDArray[Any], ...]:
    """X and y for training, and for the test."""
    X, y = load_digits()
    test = np.arange(len(X)) % 3 == 2
    return X[~test], y[~test], X[test], y[test]


def build(seed: int = 0) -> bp.Network:
    """A network with a hidden layer of 64 units."""
    return bp.Network(
        [64, 64, 10],
        activation="relu",
        loss="cross_entropy",
        optimizer=bp.SGD(lr=0.1, momentum=0.9),
        rng=seed,
    )


def confusion(y: NDArray[Any], taken_for: NDArray[Any]) -> NDArray[Any]:
    """How many images of digit i are taken for digit j, (10, 10)."""
    table = np.zeros((10, 10), int)
    np.add.at(table, (y, taken_for), 1)
    return table


def learn(epochs: int = 20) -> tuple[bp.Network, NDArray[Any]]:
    """The trained network, and what it takes the images of the test for."""
    X, y, X_test, _ = load()
    net = build()
    net.fit(X, y, epochs=epochs, progress=False)
    return net, net.predict(X_test).argmax(axis=1)


def picture() -> Figure:
    """The images that are taken for another digit, at most 16 of them."""
    from matplotlib.figure import Figure

    *_, X, y = load()
    net, taken_for = learn()
    wrong = np.flatnonzero(taken_for != y)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, i in zip(figure.subplots(2, 8).flat, wrong, strict=False):
        axes.imshow(X[i].reshape(8, 8), cmap="Greys")
        sure = net.predict(X[i]).max()
        axes.set_title(f"{y[i]} as {taken_for[i]}\n{sure:.0%}", fontsize="small")
    for axes in figure.axes:
        axes.set_axis_off()
    return figure


def main() -> None:
    """Print the accuracy, and the table of digits and what they are taken for."""
    *_, y = load()
    net, taken_for = learn()
    print(net)
    print(f"{(taken_for == y).mean():.1%} of {len(y)} digits right\n")
    print("digit  taken for 0 .. 9")
    for digit, row in enumerate(confusion(y, taken_for)):
        print(f"{digit:5}  " + "".join(f"{count or '.':>4}" for count in row))


if __name__ == "__main__":
    main()
