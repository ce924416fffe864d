"""The whole library in plain NumPy: specification, test oracle and baseline.

First the kernels, each the equation of its compiled twin in ``bpcore.kernels``; then
``Engine``, the order in which they are called; then ``Network``, which is
``bpcore.Network`` on this engine.  Numbers agree with the compiled library's to
rounding; nothing here is tuned beyond what good NumPy code would do.

    >>> import bpcore as bp
    >>> fast = bp.Network([4, 8, 3], loss="cross_entropy", rng=0)
    >>> plain = bp.reference.Network([4, 8, 3], loss="cross_entropy", rng=0)
    >>> X, y = [[0.5, -1.0, 0.0, 2.0]], [2]
    >>> abs(fast.train_step(X, y) - plain.train_step(X, y)) < 1e-6
    True
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import network
from bpcore.optimizers import SGD

Array = NDArray[Any]


# --- activations: f(z), and delta * f'(z) given a = f(z) ------------------------------


def activate(z: Array, activation: str) -> Array:
    """f(z)     z (n, n_out)"""
    if activation == "sigmoid":
        # exp(-|z|) never overflows: sigmoid(z) = e^z / (1 + e^z) for z < 0.
        e = np.exp(-np.abs(z))
        return np.where(z < 0, e, 1) / (1 + e)
    if activation == "tanh":
        return np.tanh(z)
    if activation == "relu":
        return np.maximum(z, 0)
    if activation == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return z


def times_derivative(delta: Array, a: Array, activation: str) -> Array:
    """delta * f'(z), given a = f(z)     delta, a (n, n_out)"""
    if activation == "sigmoid":
        return delta * a * (1 - a)
    if activation == "tanh":
        return delta * (1 - a * a)
    if activation == "relu":
        return delta * (a > 0)
    if activation == "softmax":
        return a * (delta - (delta * a).sum(axis=1, keepdims=True))
    return delta


# --- one layer ------------------------------------------------------------------------


def forward(a: Array, W: Array, b: Array, activation: str = "identity") -> Array:
    """f(a @ W + b)     a (n, n_in)  W (n_in, n_out)  b (n_out,)"""
    return activate(a @ W + b, activation)


def propagate(delta: Array, W: Array, a: Array, activation: str = "identity") -> Array:
    """(delta @ W.T) * f'(z)     delta (n, n_out)  W (n_in, n_out)  a = f(z)"""
    return times_derivative(delta @ W.T, a, activation)


def gradient(a: Array, delta: Array) -> tuple[Array, Array]:
    """dW = a.T @ delta, db = delta.sum(0)     a (n, n_in)  delta (n, n_out)"""
    return a.T @ delta, delta.sum(axis=0)


def descend(w: Array, g: Array, velocity: Array | None, optimizer: SGD) -> None:
    """w = one optimizer step from w by its gradient g, in place"""
    if optimizer.weight_decay:
        g = g + optimizer.weight_decay * w
    if velocity is not None:
        velocity *= optimizer.momentum
        velocity += g
        g = g + optimizer.momentum * velocity if optimizer.nesterov else velocity
    w -= optimizer.lr * g


# --- losses: per-sample values, and their derivative by z -----------------------------


def loss(z: Array, y: Array, name: str) -> tuple[Array, Array]:
    """E (n,) and dE/dz (n, n_out)

    The squared errors take activations for z; the cross-entropies take the values
    before their softmax or sigmoid, "cross_entropy" also integer labels (n,) for y.
    """
    if name == "squared_error":
        return 0.5 * ((z - y) ** 2).sum(axis=1), z - y
    if name == "mean_squared_error":
        return ((z - y) ** 2).mean(axis=1), 2 * (z - y) / z.shape[1]
    if name == "binary_cross_entropy":
        E = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
        return E.sum(axis=1), activate(z, "sigmoid") - y
    if y.ndim == 1:
        y = np.eye(z.shape[1], dtype=z.dtype)[y]
    t = z - z.max(axis=1, keepdims=True)
    log_a = t - np.log(np.exp(t).sum(axis=1, keepdims=True))
    return -(y * log_a).sum(axis=1), np.exp(log_a) * y.sum(axis=1, keepdims=True) - y


def shuffle(order: NDArray[np.int64], words: NDArray[np.uint64]) -> None:
    """For i = n-1 .. 1 swap order[i] and order[words[i] (i+1) / 2^64]."""
    for i in range(len(order) - 1, 0, -1):
        j = int(words[i]) * (i + 1) >> 64
        order[i], order[j] = order[j], order[i]


# --- the order of the kernels ---------------------------------------------------------


class Engine:
    """``bpcore._engine.Engine`` in NumPy: same methods, same order, same buffers."""

    def __init__(
        self,
        kernels: object,
        dtype: str,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        parameters: Array,
    ) -> None:
        self.sizes = sizes
        self.activations = activations
        self.loss = loss
        self.parameters = parameters
        self.W, self.b = network.views(parameters, sizes)
        # The cross-entropies take z and give its delta at once: a - y.
        self.loss_takes_z = loss in ("cross_entropy", "binary_cross_entropy")
        self.capacity, self.gathers = 0, False

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def use_optimizer(self, optimizer: SGD, state: Array | None) -> None:
        self.optimizer = optimizer
        self.state = state
        self.state_W: Sequence[Array | None] = [None] * len(self.W)
        self.state_b: Sequence[Array | None] = [None] * len(self.b)
        if state is not None:
            self.state_W, self.state_b = network.views(state, self.sizes)

    def use_threads(self, n_threads: int) -> None:
        """Only kept: NumPy's threads are its own."""
        self.n_threads = n_threads

    def accept(self, labels: bool, unit_targets: bool) -> None:
        pass

    def step_at_once(self, X: object, y: object) -> None:
        """No short way here: every mini-batch goes through the door."""

    def predict_at_once(self, X: object) -> None:
        """As `step_at_once`."""

    def drop_workspace(self, n: int, gathers: bool) -> int:
        return 0

    def use_workspace(self, workspace: Array, n: int, gathers: bool) -> None:
        self.capacity, self.gathers = n, gathers

    def activations_of(self, X: Array, output: str) -> list[Array]:
        """a[0] = X, a[l+1] = f[l](a[l] @ W[l] + b[l]), `output` for the last f."""
        a = [X]
        for W, b, f in zip(
            self.W, self.b, [*self.activations[:-1], output], strict=True
        ):
            a.append(forward(a[-1], W, b, f))
        return a

    def loss_and_delta(
        self, X: Array, y: Array, weight: Array | None
    ) -> tuple[float, list[Array], Array]:
        """The weighted mean loss, all activations, and delta[L-1]."""
        output = self.activations[-1]
        a = self.activations_of(X, "identity" if self.loss_takes_z else output)
        E, delta = loss(a[-1], y, self.loss)
        w = np.ones(len(X)) if weight is None else weight
        share = 1 / w.sum() if w.any() else 0.0
        # A row that does not count may have any loss, an infinite one too.
        E = np.where(w == 0, 0, E)
        delta = np.where((w == 0)[:, None], 0, delta)
        delta = delta * (w * share)[:, None].astype(X.dtype)
        if not self.loss_takes_z:
            delta = times_derivative(delta, a[-1], output)
        return float((w * E).sum() * share), a, delta

    def deltas(self, a: list[Array], delta: Array) -> list[Array]:
        """delta[0] .. delta[L-1] from the last, all from the weights as they are."""
        deltas = [delta]
        for l in range(len(self.W) - 1, 0, -1):
            deltas.insert(
                0, propagate(deltas[0], self.W[l], a[l], self.activations[l - 1])
            )
        return deltas

    def store(
        self, a: list[Array], delta: Array, flat: Array, dX: Array | None
    ) -> None:
        """dW[l], db[l] into the flat gradient, and delta[0] @ W[0].T into dX."""
        deltas = self.deltas(a, delta)
        dW, db = network.views(flat, self.sizes)
        for l in range(len(self.W)):
            dW[l][...], db[l][...] = gradient(a[l], deltas[l])
        if dX is not None:
            dX[...] = deltas[0] @ self.W[0].T

    def predict(
        self,
        X: Array,
        out: Array,
        first: int,
        rows_at_a_time: int,
        seconds: float,
        looks: bool,
    ) -> tuple[int, bool]:
        rows = slice(first, first + rows_at_a_time)
        if looks and not np.isfinite(X[rows]).all():
            return first, False
        out[rows] = self.activations_of(X[rows], self.activations[-1])[-1]
        return rows.stop, True

    def evaluate(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        first: int,
        total: float,
        weights: float,
        rows_at_a_time: int,
        seconds: float,
    ) -> tuple[int, float, float]:
        rows = slice(first, first + rows_at_a_time)
        w = None if weight is None else weight[rows]
        share = len(X[rows]) if w is None else w.sum()
        mean, _, _ = self.loss_and_delta(X[rows], y[rows], w)
        return rows.stop, total + mean * share, weights + share

    def train_step(self, X: Array, y: Array, weight: Array | None) -> float:
        mean, a, delta = self.loss_and_delta(X, y, weight)
        if not np.isfinite(mean):
            return float("nan")
        deltas = self.deltas(a, delta)
        for l in range(len(self.W)):
            dW, db = gradient(a[l], deltas[l])
            descend(self.W[l], dW, self.state_W[l], self.optimizer)
            descend(self.b[l], db, self.state_b[l], self.optimizer)
        return mean

    def run(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        order: NDArray[np.int64] | None,
        batch_size: int,
        first: int,
        total: float,
        weights: float,
        seconds: float,
    ) -> tuple[int, float, float, bool]:
        deadline = time.monotonic() + seconds
        while first < len(X):
            rows = slice(first, first + batch_size)
            at = rows if order is None else order[rows]
            w = None if weight is None else weight[at]
            mean = self.train_step(X[at], y[at], w)
            if not np.isfinite(mean):
                return first, total, weights, False
            share = len(X[at]) if w is None else w.sum()
            total += mean * share
            weights += share
            first = min(first + batch_size, len(X))
            if time.monotonic() >= deadline:
                break
        return first, total, weights, True

    def gradients(
        self, X: Array, y: Array, weight: Array | None, flat: Array, dX: Array | None
    ) -> float:
        mean, a, delta = self.loss_and_delta(X, y, weight)
        self.store(a, delta, flat, dX)
        return mean

    def forward(self, activations: list[Array]) -> None:
        for a, out in zip(
            self.activations_of(activations[0], self.activations[-1]),
            activations,
            strict=True,
        ):
            out[...] = a

    def backward(
        self, activations: list[Array], d_output: Array, flat: Array, dX: Array
    ) -> None:
        delta = times_derivative(d_output, activations[-1], self.activations[-1])
        self.store(activations, delta, flat, dX)

    def apply(self, flat: Array) -> None:
        descend(self.parameters, flat, self.state, self.optimizer)


class Network(network.Network):
    """``bpcore.Network`` in plain NumPy; the same interface, see there.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.reference.Network([2, 3, 1], rng=0).predict([0.5, -0.5]).shape
    (1,)
    """

    _engine_class = Engine
    _shuffle = staticmethod(shuffle)

    def __repr__(self) -> str:
        return f"reference.{super().__repr__()}"
