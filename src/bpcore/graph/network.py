"""A network as an operation of a graph, on the kernels that train it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bpcore.graph.operations import Array, Operation
from bpcore.model.gradients import Gradients


class OfNetwork(Operation):
    """One forward pass of a network, with the tape that it left."""

    of_network = True

    #: Of the latest `pull`.
    gradients: Gradients

    def __init__(self, network: Any, learner: Any) -> None:
        self.network, self.learner = network, learner
        self.written = f"Network({list(learner.design.sizes)})({{}})"

    def value(self, X: Array) -> Array:
        """a[L] of a training mini-batch X"""
        self.tape, self.epochs = self.network.forward(X), self.learner.state.epochs
        return self.tape.output

    def check(self) -> None:
        state = self.learner.state  # LBFGS counts epochs only
        if (state.seen, state.epochs) != (self.tape.seen, self.epochs):
            raise RuntimeError(
                "the network must be as it was at node() until backward(); it was "
                "trained in between"
            )

    def pull(self, i: int, g: Array, v: Array, operands: Any, options: Any) -> Array:
        self.gradients = self.network.backward(self.tape, g)
        return self.gradients.input

    @staticmethod
    def finish(operations: Sequence[Any], loss: float | None) -> None:
        store(operations, loss)


def store(operations: Iterable[OfNetwork], loss: float | None) -> None:
    """Give each network the sum of the gradients that its operations just pulled."""
    found: dict[Any, list[Gradients]] = {}
    for operation in operations:
        found.setdefault(operation.learner, []).append(operation.gradients)
    for learner, parts in found.items():
        gradients = learner.as_gradients(
            loss,
            np.sum([part.flat for part in parts], axis=0),
            np.concatenate([part.input for part in parts]),
            pooled(learner.design.layout, parts),
        )
        learner.store(gradients)


def pooled(layout: Any, parts: Sequence[Gradients]) -> Array | None:
    """The moments of the rows of all mini-batches together, for batch norm.

    With n_k rows in mini-batch k, and n in all::

        mean     = sum n_k mean_k / n
        variance = sum n_k (variance_k + (mean_k - mean)^2) / n
    """
    flat = [part.moments for part in parts if part.moments is not None]
    if not flat:
        return None
    together = np.empty_like(flat[0])
    moments = [layout.moments(each) for each in flat]
    shares = np.array([len(part.input) for part in parts])
    shares = (shares / shares.sum()).astype(together.dtype)[:, None]
    of_layers = layout.moments(together)
    for out, *layer in zip(of_layers, *moments, strict=True):
        if out is not None:
            means, variances = np.stack(layer, axis=1)
            out[0] = (shares * means).sum(axis=0)
            out[1] = (shares * (variances + (means - out[0]) ** 2)).sum(axis=0)
    return together
