"""MNIST to about 98.6 % in a few seconds
======================================

AdamW, one cycle, dropout, batch norm, noise.

A network 784-256-128-10 with 235,530 parameters is trained on the 60,000 training
images.  The learning rate rises and falls once; dropout and input noise reduce
overfitting, batch norm allows a high learning rate.

Run it on a folder with the four IDX files of MNIST, plain or ``.gz``::

    python examples/mnist_adam.py DIR
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

import bpcore as bp
from bpcore.datasets import load_mnist

BATCH = 100


def build(steps: int, seed: int = 0) -> bp.Network:
    """The network, with a learning-rate schedule for so many steps."""
    return bp.Network(
        [784, 256, 128, 10],
        activation="relu",
        loss="cross_entropy",
        optimizer=bp.AdamW(bp.schedules.OneCycle(peak=5e-3, total=steps)),
        norm="batch",
        dropout=0.2,
        input_noise=0.3,
        rng=seed,
    )


def train(
    X: NDArray[Any],
    y: NDArray[Any],
    test: tuple[NDArray[Any], NDArray[Any]],
    epochs: int = 20,
    seed: int = 0,
    progress: bool = False,
) -> tuple[bp.Network, bp.History]:
    """Train on X and y; the test set is evaluated, but does not affect training."""
    net = build(epochs * math.ceil(len(X) / BATCH), seed)
    history = net.fit(
        X,
        y,
        epochs=epochs,
        batch_size=BATCH,
        validation=test,
        metrics="accuracy",
        progress=progress,
    )
    return net, history


def main(argv: Sequence[str] | None = None) -> None:
    """Train, and print the epochs and the test accuracy."""
    parser = argparse.ArgumentParser(description="MNIST with AdamW.")
    parser.add_argument("folder", metavar="DIR", help="the four IDX files of MNIST")
    parser.add_argument("--epochs", type=int, default=20, help="20 by default")
    parser.add_argument("--seed", type=int, default=0, help="0 by default")
    args = parser.parse_args(argv)

    X, y, X_test, y_test = load_mnist(args.folder)
    test = X_test, y_test
    net, history = train(X, y, test, args.epochs, args.seed, progress=True)
    print(history, end="\n\n")
    wrong = (net.predict(X_test).argmax(axis=1) != y_test).sum()
    print(f"parameters  {net.parameters.size:,}")
    print(f"accuracy    {1 - wrong / len(y_test):.2%} of {len(y_test):,} test images")
    print(f"wrong       {wrong} images")
    print(f"training    {history.seconds.sum():.1f} s")


if __name__ == "__main__":
    main()
