"""The demo: train a digit classifier, compare its time with NumPy, draw the result.

It is also an example, and uses the public interface only.  `numpy_epoch` is the same
training in plain NumPy, as one would write it by hand.  (`bpcore.reference`, the
specification in NumPy, does more and takes longer.)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import bpcore
from bpcore.cli.demo_picture import Counts, draw, percent
from bpcore.cli.outputs import blank_figure, mark_written, save_figure
from bpcore.datasets import load_digits, load_mnist

if TYPE_CHECKING:
    from bpcore.datasets.idx import FilePath
    from bpcore.datasets.mnist import Images, Labels

__all__ = ["numpy_epoch", "run"]

Array = NDArray[Any]

_MISSING = 'none: matplotlib is not installed; pip install "bpcore[demo]"'


@dataclass(frozen=True)
class _Task:
    """Data, layer sizes and settings of the training."""

    title: str
    data: tuple[Images, Labels, Images, Labels]  # training set, then test set
    sizes: tuple[int, ...]  # units per layer, the input first
    epochs: int
    numpy_epochs: int  # epochs of which plain NumPy is timed
    batch_size: int = 32
    lr: float = 0.1
    momentum: float = 0.9


@np.errstate(all="ignore")  # independent of the caller's setting
def run(
    mnist: FilePath | None = None,
    epochs: int | None = None,
    seed: int = 0,
    picture: FilePath = "bpcore-demo.png",
) -> tuple[bpcore.Network, bpcore.History]:
    """Train a digit classifier and show its accuracy and speed.

    Prints the test accuracy, the time of an epoch and the time of the same training in
    18 lines of plain NumPy (`numpy_epoch`), and draws the loss curves, the confusion
    matrix and the weights of the first layer.

    Parameters
    ----------
    mnist : str or path-like, optional
        A folder with the MNIST files (see `bpcore.datasets.load_mnist`), on which a
        network 784-128-10 is trained. By default a network 64-64-10 is trained on the
        digits shipped with the package, of which every third is in the test set.
        Pixels are centred on their training mean, and those of MNIST halved.
    epochs : int, optional
        Passes through the training data, at least 1; by default 30 for the shipped
        digits and 10 for MNIST.
    seed : int
        Seed of the initial weights and of the shuffling, at least 0.
    picture : str or path-like
        The file to draw into; its suffix is the format. Without matplotlib there is no
        picture.

    Returns
    -------
    net : bpcore.Network
        The trained network.
    history : bpcore.History
        Its losses and seconds per epoch.

    Raises
    ------
    OSError
        If a file cannot be read, or the picture cannot be written, which is checked
        before training.
    ValueError
        If an argument or a file is invalid.

    Examples
    --------
    >>> from bpcore.cli import demo_training
    >>> net, history = demo_training.run(epochs=5)  # doctest: +SKIP
    """
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs must be at least 1; got {epochs}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0; got {seed}")
    try:
        figure = blank_figure(picture, "picture")
    except ModuleNotFoundError:
        figure = None
    task = _digits_task(epochs) if mnist is None else _mnist_task(mnist, epochs)
    _announce(task)
    print("\nTraining in bpcore", flush=True)
    net, history = _train(task, seed)
    many = "epoch" if task.numpy_epochs == 1 else "epochs"
    print(f"Timing plain NumPy, {task.numpy_epochs} {many}", flush=True)
    numpy_seconds, threads = _time_numpy(task, seed)
    print()
    confusion = _confusion(net, task)
    if figure is not None:
        draw(figure, net, history, confusion)
        save_figure(figure, picture)
        mark_written(str(picture))
    _report_accuracy(confusion)
    _report_times(history, numpy_seconds, threads)
    _line("picture", _MISSING if figure is None else picture)
    return net, history


def _digits_task(epochs: int | None) -> _Task:
    X, y = load_digits()
    held_back = np.arange(len(X)) % 3 == 2
    return _Task(
        title="handwritten digits of 8 x 8 pixels (UCI)",
        data=_centred(X[~held_back], y[~held_back], X[held_back], y[held_back]),
        sizes=(64, 64, 10),
        epochs=epochs or 30,
        numpy_epochs=min(epochs, 30) if epochs else 30,
    )


def _mnist_task(directory: FilePath, epochs: int | None) -> _Task:
    # With unscaled pixels this learning rate and momentum are unstable.
    data = _centred(*load_mnist(directory), scale=0.5)
    return _Task(
        title="handwritten digits of 28 x 28 pixels (MNIST)",
        data=data,
        sizes=(784, 128, 10),
        epochs=epochs or 10,
        numpy_epochs=1,
    )


def _centred(
    X: Images, y: Labels, X_test: Images, y_test: Labels, scale: float = 1.0
) -> tuple[Images, Labels, Images, Labels]:
    """Shift every pixel, in place, to mean 0 over the training images, then scale."""
    mean = X.mean(axis=0)
    for images in (X, X_test):
        images -= mean
        images *= scale
    return X, y, X_test, y_test


def _network(task: _Task, seed: int) -> bpcore.Network:
    return bpcore.Network(
        task.sizes,
        activation="relu",
        loss="cross_entropy",
        optimizer=bpcore.SGD(lr=task.lr, momentum=task.momentum),
        rng=seed,
        n_threads=1,  # as NumPy
    )


def _train(task: _Task, seed: int) -> tuple[bpcore.Network, bpcore.History]:
    X, y, X_test, y_test = task.data
    net = _network(task, seed)
    history = net.fit(
        X,
        y,
        epochs=task.epochs,
        batch_size=task.batch_size,
        validation=(X_test, y_test),
        progress=sys.stderr.isatty(),
    )
    return net, history


def numpy_epoch(
    W: Sequence[Array],
    b: Sequence[Array],
    velocity: Sequence[Array],
    X: Array,
    y: Array,
    order: Array,
    batch_size: int,
    lr: float,
    momentum: float,
) -> None:
    """Train for one epoch in plain NumPy, for comparison: W, b and velocity in place.

    Hidden units are relu, outputs softmax with cross-entropy; the optimizer is gradient
    descent with momentum, v = momentum v + g, w = w - lr v.

    Parameters
    ----------
    W, b : sequences of arrays (n_in, n_out) and (n_out,)
        Weights and biases, one of each per layer.
    velocity : sequence of arrays
        Velocities of each W, then of each b.
    X : array (n, n_in)
    y : array (n,)
        Labels 0, 1, ...
    order : array (n,)
        Permutation of the rows.
    batch_size : int
    lr, momentum : float

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.cli import demo_training
    >>> W, b = [np.zeros((1, 2))], [np.zeros(2)]
    >>> velocity = [np.zeros((1, 2)), np.zeros(2)]
    >>> X, y, order = np.ones((2, 1)), np.array([0, 0]), np.arange(2)
    >>> demo_training.numpy_epoch(W, b, velocity, X, y, order, 2, lr=1.0, momentum=0.9)
    >>> W[0], b[0]  # delta = a - y = [-1/2, 1/2]
    (array([[ 0.5, -0.5]]), array([ 0.5, -0.5]))
    """
    for start in range(0, len(X), batch_size):
        rows = order[start : start + batch_size]
        a = [X[rows]]
        for l in range(len(W)):
            z = a[l] @ W[l] + b[l]
            a.append(np.maximum(z, 0) if l < len(W) - 1 else z)
        delta = np.exp(a[-1] - a[-1].max(axis=1, keepdims=True))
        delta /= delta.sum(axis=1, keepdims=True)
        delta[np.arange(len(rows)), y[rows]] -= 1
        delta /= len(rows)
        for l in reversed(range(len(W))):
            dW, db = a[l].T @ delta, delta.sum(axis=0)
            if l > 0:
                delta = (delta @ W[l].T) * (a[l] > 0)
            for w, v, g in (W[l], velocity[l], dW), (b[l], velocity[l - len(b)], db):
                v *= momentum
                v += g
                w -= lr * v


def _time_numpy(task: _Task, seed: int) -> tuple[float, str]:
    """Median seconds of `numpy_epoch`, and the number of threads used, as text.

    NumPy is limited to one thread, as bpcore is, if threadpoolctl is installed.
    """
    limit: AbstractContextManager[Any]
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
    except ImportError:
        limit, threads = nullcontext(), "on the threads of its BLAS"
    else:
        limit, threads = threadpool_limits(limits=1), "on one thread"
    X, y, _, _ = task.data
    net, rng = _network(task, seed), np.random.default_rng(seed)
    W, b = net.weights, net.biases
    velocity = [np.zeros_like(array) for array in (*W, *b)]
    settings = task.batch_size, task.lr, task.momentum
    seconds = []
    with limit:
        for _ in range(task.numpy_epochs):
            start = time.perf_counter()
            numpy_epoch(W, b, velocity, X, y, rng.permutation(len(X)), *settings)
            seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), threads


def _confusion(net: bpcore.Network, task: _Task) -> Counts:
    """The confusion matrix of the test set, (digits, predictions)."""
    _, _, X_test, y_test = task.data
    n_classes = task.sizes[-1]
    predictions = net.predict(X_test).argmax(axis=1)
    counts = np.bincount(y_test * n_classes + predictions, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


# --- text ---


def _announce(task: _Task) -> None:
    X, _, X_test, _ = task.data
    sizes = "-".join(map(str, task.sizes))
    isa = bpcore.config()["isa"]
    _line("bpcore", f"{bpcore.__version__}, instruction set {isa}")
    _line("data", task.title)
    _line("", f"{len(X):,} to train on, {len(X_test):,} held back for the test")
    _line("network", f"{sizes}, relu, softmax with cross-entropy")
    epochs = f"{task.epochs} epoch" if task.epochs == 1 else f"{task.epochs} epochs"
    _line("training", f"{epochs} of mini-batches of {task.batch_size}")
    _line("", f"SGD, learning rate {task.lr:g}, momentum {task.momentum:g}")


def _report_accuracy(confusion: Counts) -> None:
    right, total = confusion.trace(), confusion.sum()
    _line("accuracy", f"{percent(confusion)} of the test ({right:,} of {total:,})")


def _report_times(history: bpcore.History, numpy_seconds: float, threads: str) -> None:
    seconds = float(np.median(history.seconds))
    ratio = numpy_seconds / seconds
    _line("one epoch", f"{_duration(seconds)} in bpcore, on one thread")
    numpy_time = _duration(numpy_seconds)
    _line("", f"{numpy_time} in plain NumPy, {threads}: {ratio:.1f} times as long")
    _line("", "(18 lines of NumPy: bpcore.cli.demo_training.numpy_epoch)")


def _line(name: str, text: object) -> None:
    print(f"{name:<12}{text}")


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"
