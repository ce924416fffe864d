"""A network as an operation of a graph, computed by its kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from bpcore import arrays, checks
from bpcore.graph.base import Array, Operation
from bpcore.graph.evaluate import as_value
from bpcore.graph.variable import Variable, apply
from bpcore.model.design import Design
from bpcore.model.gradients import Gradients, Tape
from bpcore.model.layout import Layout
from bpcore.model.reader import Reader
from bpcore.model.state import State
from bpcore.quoting import listed, quoted


class Learner(Protocol):
    """The methods of a network's learner that a graph uses."""

    design: Design

    @property
    def state(self) -> State: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def as_gradients(
        self, loss: float | None, flat: Array, dX: Array, moments: Array | None
    ) -> Gradients: ...

    def store(self, gradients: Gradients) -> None: ...


class Network(Protocol):
    """The methods of a network that a graph uses."""

    @property
    def learner(self) -> Learner: ...

    def forward(self, X: ArrayLike) -> Tape: ...

    def backward(self, tape: Tape, d_output: ArrayLike) -> Gradients: ...


def network_output(network: Network, x: Variable | ArrayLike) -> Variable:
    """The output of a network as a variable: ``Network.node``.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.graph.network import network_output
    >>> network_output(bp.Network([2, 3], rng=0), [[1.0, 2.0]]).shape
    (1, 3)
    """
    if not isinstance(x, Variable):
        x = Variable(as_value("x", x))
    learner = network.learner
    arrays.as_rows("x", x.value, learner.design.sizes[0], learner.dtype)
    return apply(NetworkOperation(network), x)


class NetworkOperation(Operation):
    """One forward pass of a network, with its tape.

    Attributes
    ----------
    gradients : Gradients
        Those of the last `pull`.
    """

    is_network = True

    gradients: Gradients

    def __init__(self, network: Network) -> None:
        self.network = network
        self.written = f"Network({listed(network.learner.design.sizes)})({{}})"

    def __setstate__(self, stored: dict[str, Any]) -> None:
        read = Reader(stored, "stored NetworkOperation")
        kinds = {"network": object, "written": str, "tape": Tape, "epochs": int}
        found = {name: read.item(name) for name in kinds}
        if read.has("gradients"):
            kinds["gradients"] = Gradients
            found["gradients"] = read.item("gradients")
        read.finish()
        for name, kind in kinds.items():
            checks.instance(name, found[name], kind)
        if not hasattr(found["network"], "learner"):
            raise TypeError(
                f"network must be a Network; got {quoted(found['network'])}"
            )
        vars(self).update(found)

    def value(self, X: Array) -> Array:
        """a[L] of a training mini-batch X"""
        self.tape = self.network.forward(X)
        self.epochs = self.network.learner.state.epochs
        return self.tape.output

    def check(self) -> None:
        state = self.network.learner.state  # LBFGS counts epochs only
        if (state.seen, state.epochs) != (self.tape.seen, self.epochs):
            raise RuntimeError(
                "the network must be as it was at node() until backward(); it was "
                "trained in between"
            )

    def pull(self, i: int, g: Array, v: Array, operands: Any, options: Any) -> Array:
        self.gradients = self.network.backward(self.tape, g)
        return self.gradients.input

    @staticmethod
    def finish(
        operations: Sequence[Any], loss: float | None
    ) -> Iterable[Callable[[], None]]:
        return stores(operations, loss)


def stores(
    operations: Iterable[NetworkOperation], loss: float | None
) -> list[Callable[[], None]]:
    """To store for each network the sum of the gradients of its operations."""
    found: dict[Learner, list[Gradients]] = {}
    for operation in operations:
        found.setdefault(operation.network.learner, []).append(operation.gradients)
    actions: list[Callable[[], None]] = []
    for learner, parts in found.items():
        gradients = learner.as_gradients(
            loss,
            np.sum([part.flat for part in parts], axis=0),
            np.concatenate([part.input for part in parts]),
            pooled_moments(learner.design.layout, parts),
        )
        actions.append(partial(learner.store, gradients))
    return actions


def pooled_moments(layout: Layout, parts: Sequence[Gradients]) -> Array | None:
    """The moments of the rows of all mini-batches together, for batch norm.

    With n_k rows in mini-batch k, and n in all::

        mean     = sum n_k mean_k / n
        variance = sum n_k (variance_k + (mean_k - mean)^2) / n
    """
    flat = [part.moments for part in parts if part.moments is not None]
    if not flat:
        return None
    pooled = np.empty_like(flat[0])
    moments = [layout.moments(each) for each in flat]
    rows = np.array([len(part.input) for part in parts])
    fractions = (rows / rows.sum()).astype(pooled.dtype)[:, None]
    for out, *layer in zip(layout.moments(pooled), *moments, strict=True):
        if out is not None:
            means, variances = np.stack(layer, axis=1)
            out[0] = (fractions * means).sum(axis=0)
            out[1] = (fractions * (variances + (means - out[0]) ** 2)).sum(axis=0)
    return pooled
