"""GradientFlow: norms of gradients and saturation of each layer over the epochs."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.batches.batch import Batch
from bpcore.errors import DivergenceError
from bpcore.network import Network, learner_of
from bpcore.quoting import quoted
from bpcore.show.html import page, table
from bpcore.show.table import Rows, columns, shortened
from bpcore.tracing.flow_columns import COLUMNS, flow_columns
from bpcore.tracing.flow_picture import draw_flow
from bpcore.tracing.record import record
from bpcore.training.history import History
from bpcore.training.inputs import checked_batch


class GradientFlow:
    """A callback that records how gradients flow through the layers.

    After every epoch one training step on X and y is traced, without changing the
    network; for each layer l it records::

        delta[l]      ||delta[l]||, of the mean loss
        dW[l]         ||dW[l]||
        update[l]     ||W[l] after - W[l] before|| / ||W[l] before||
        dead[l]       fraction of the relu units that are 0 for every row of X
        saturated[l]  fraction of the outputs of sigmoid outside of 0.01 .. 0.99, or of
                      tanh outside of -0.98 .. 0.98

    with Frobenius norms, and NaN if a layer has no such units, the optimizer makes no
    steps (LBFGS), or the loss of X is not finite.

    Parameters
    ----------
    X, y, sample_weight : array-like
        A mini-batch, as for ``Network.train_step``: some hundred rows are enough.
    every : int
        Epochs from one record to the next.

    Attributes
    ----------
    epochs : array (records,)
        The epochs recorded, counted from 1 in each fit.
    delta, dW, update, dead, saturated : array (records, L)
    seconds : array (records,)
        The time of each record: about that of three or four training steps with
        len(X) rows, and at least half a millisecond.

    Examples
    --------
    >>> import bpcore as bp
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = bp.Network([2, 8, 1], output="sigmoid", rng=0)
    >>> flow = bp.GradientFlow(X, y)
    >>> history = net.fit(X, y, epochs=3, callbacks=[flow], progress=False)
    >>> flow.dW.shape, flow.epochs
    ((3, 2), array([1, 2, 3]))
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        every: int = 1,
    ) -> None:
        self.every = checks.integer("every", every, 1)
        self._X, self._y = (
            arrays.as_array("X", X).copy(),
            arrays.as_array("y", y).copy(),
        )
        self._weight = (
            None
            if sample_weight is None
            else arrays.as_array("sample_weight", sample_weight).copy()
        )
        #: The epoch, its time and its columns: one append, safe from any thread.
        self._records: list[tuple[int, float, dict[str, list[float]]]] = []

    def __call__(self, network: Network, history: History) -> None:
        """Record an epoch; called by ``Network.fit``."""
        if len(history) % self.every == 0:
            self.record(network, len(history))

    def check(self, network: Network) -> None:
        """Raise if the network cannot take the mini-batch.

        ``fit`` calls it before the first epoch.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> flow = bp.GradientFlow(X, y)
        >>> flow.check(net)
        """
        self._checked(network)

    def _checked(self, network: Network) -> Batch:
        checks.instance("network", network, Network)
        learner_of(network).require_derivatives()
        batch = checked_batch(
            learner_of(network), self._X, self._y, self._weight, "GradientFlow: "
        )
        learner_of(network).require_rows(len(batch), "GradientFlow: ")
        layers = len(self._records[0][2]["dW"]) if self._records else None
        if layers not in (None, len(network.weights)):
            raise ValueError(
                f"network must have {layers} layers of weights, as the one recorded "
                f"before; got {len(network.weights)}"
            )
        return batch

    def record(self, network: Network, epoch: int) -> None:
        """Record the network as it is, in loops of one's own.

        Parameters
        ----------
        network : Network
        epoch : int
            The number to record it under.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> flow = bp.GradientFlow(X, y)
        >>> for epoch in (1, 2):
        ...     loss = net.train_step(X, y)
        ...     flow.record(net, epoch)
        >>> flow.epochs, flow.dW.shape
        (array([1, 2]), (2, 2))
        """
        start, epoch = time.perf_counter(), checks.integer("epoch", epoch, 0)
        batch = self._checked(network)
        try:
            with learner_of(network).engine.reading():
                found = flow_columns(record(network, batch, apply=False))
        except DivergenceError:  # of these rows, which are none of those trained on
            nothing = [math.nan] * len(network.weights)
            found = dict.fromkeys(COLUMNS, nothing)
        self._records.append((epoch, time.perf_counter() - start, found))

    @property
    def epochs(self) -> NDArray[np.int64]:
        """The epochs recorded."""
        return np.array([epoch for epoch, _, _ in self._records], np.int64)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """What each record has cost."""
        return np.array([seconds for _, seconds, _ in self._records])

    def __getattr__(self, name: str) -> NDArray[np.float64]:
        if name not in COLUMNS:
            raise AttributeError(f"GradientFlow has no attribute {quoted(name)}")
        return np.array([found[name] for _, _, found in self._records])

    def to_dict(self) -> dict[str, NDArray[Any]]:
        """Every column by its name, one for each layer: "epoch", "delta[0]", ...

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> flow = bp.GradientFlow(X, y)
        >>> flow.record(net, 1)
        >>> flow.to_dict()["dW[1]"].shape
        (1,)
        >>> [name for name in flow.to_dict() if name.startswith("delta")]
        ['delta[0]', 'delta[1]']
        """
        columns: dict[str, NDArray[Any]] = {"epoch": self.epochs}
        for name in COLUMNS:
            for l, column in enumerate(getattr(self, name).T):
                columns[f"{name}[{l}]"] = column
        return columns | {"seconds": self.seconds}

    def __str__(self) -> str:
        """A row for every record; for many those in the middle are left out.

        "-" where a layer has no units of relu, or none of sigmoid and tanh.
        """
        return "\n".join(columns(self._table(), ""))

    def _repr_html_(self) -> str:
        head, *rows = self._table()
        return page(table(head, rows, repr(self)))

    def _table(self) -> Rows:
        """The table with its head, if large in short."""
        found = self.to_dict()
        head, columns = list(found), list(found.values())

        def cell(i: int, k: int) -> str:
            name, column = head[k], columns[k]
            if name.startswith(("dead", "saturated")) and np.isnan(column).all():
                return "-"  # a layer without such units
            return f"{column[i]:d}" if name == "epoch" else f"{column[i]:.4g}"

        return shortened(head, len(self._records), cell)

    def __repr__(self) -> str:
        count = len(self._records)
        cost = f", {1e3 * np.median(self.seconds):.3g} ms each" if count else ""
        return f"<GradientFlow of {count} epoch{'s' * (count != 1)}{cost}>"

    def plot(self) -> Any:
        """Draw every column that has numbers, one line for each layer.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing has been recorded, or nothing but NaN.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> flow = bp.GradientFlow(X, y)
        >>> history = net.fit(X, y, epochs=50, callbacks=[flow], progress=False)
        >>> flow.plot().savefig("flow.png")  # doctest: +SKIP
        """
        if not self._records:
            raise ValueError("plot needs at least one recorded epoch; got none")
        if np.isnan(self.delta).all():
            raise ValueError("plot needs at least one loss that was finite; got none")
        return draw_flow(self.epochs, {name: getattr(self, name) for name in COLUMNS})
