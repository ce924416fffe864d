"""The loop over epochs: shuffling, validation, stopping, callbacks, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import _validation as door
from bpcore.errors import DivergenceError
from bpcore.progress import Progress, progress

if TYPE_CHECKING:
    from bpcore.network import Network


#: Seconds the engine runs before the interpreter may look at signals and the bar.
SLICE = 0.05


class History:
    """What happened in each epoch of a fit.

    Attributes
    ----------
    loss : array (epochs,)
        Mean over the epoch of the loss before each step.
    validation_loss : array (epochs,), empty without validation data
        Mean loss of the validation data after each epoch.
    seconds : array (epochs,)
        Wall time of each epoch's training, without validation.
    stopped : str
        Why training ended: "epochs", "patience" or "callback".

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
    >>> net.fit([[1.0]], [[2.0]], epochs=2, progress=False).loss
    array([2., 0.])
    """

    def __init__(self) -> None:
        self.loss: NDArray[np.float64] = np.empty(0)
        self.validation_loss: NDArray[np.float64] = np.empty(0)
        self.seconds: NDArray[np.float64] = np.empty(0)
        self.stopped = "epochs"

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        last = f", last loss {self.loss[-1]:.6g}" if len(self) else ""
        if len(self.validation_loss):
            last += f", last validation loss {self.validation_loss[-1]:.6g}"
        return f"<History of {len(self)} epochs{last}, stopped by {self.stopped}>"

    def _append(
        self, loss: float, validation_loss: float | None, seconds: float
    ) -> None:
        self.loss = np.append(self.loss, loss)
        self.seconds = np.append(self.seconds, seconds)
        if validation_loss is not None:
            self.validation_loss = np.append(self.validation_loss, validation_loss)

    def _epochs_since_best(self) -> int:
        """Epochs since the loss that counts, of validation if any, was lowest."""
        losses = self.validation_loss if len(self.validation_loss) else self.loss
        return len(losses) - 1 - int(np.argmin(losses))


#: Called after every epoch; returning True stops the fit.
Callback = Callable[["Network", History], Any]


class _Snapshot:
    """The parameters and optimizer state to come back to."""

    def __init__(self, network: Network) -> None:
        self._live = [network.parameters]
        if network._state is not None:
            self._live.append(network._state)
        self._kept = [array.copy() for array in self._live]

    def take(self) -> None:
        for kept, live in zip(self._kept, self._live, strict=True):
            kept[...] = live

    def restore(self) -> None:
        for kept, live in zip(self._kept, self._live, strict=True):
            live[...] = kept


def fit(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    validation: tuple[ArrayLike, ...] | None,
    patience: int | None,
    sample_weight: ArrayLike | None,
    callbacks: Sequence[Callback],
    show: bool,
) -> History:
    """``Network.fit``, see there."""
    epochs = door.whole_number("epochs", epochs, 1)
    batch_size = door.whole_number("batch_size", batch_size, 1)
    if patience is not None:
        patience = door.whole_number("patience", patience, 1)
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"callbacks must be callables; got {callback!r}")
    data = network._batch(X, y, sample_weight)
    held_back = _validation_data(network, validation)
    n = len(data[0])
    batch_size = min(batch_size, n)
    network._reserve(batch_size)

    history = History()
    with ExitStack() as stack:
        stack.enter_context(network._engine)
        bar = stack.enter_context(progress(show, epochs, n))
        snapshot = _Snapshot(network)
        order = np.arange(n) if shuffle else None
        for epoch in range(epochs):
            if order is not None:
                order[:] = np.arange(n)
                network._shuffle(order, network._bits.random_raw(n))
            start = time.perf_counter()
            loss = _epoch(network, data, order, batch_size, epoch, snapshot, bar)
            seconds = time.perf_counter() - start
            if held_back is None:
                history._append(loss, None, seconds)
            else:
                history._append(loss, network.evaluate(*held_back), seconds)
            bar.end_epoch(history)
            # Every callback is called, also after one that stops.
            if [True for callback in callbacks if callback(network, history) is True]:
                history.stopped = "callback"
                break
            if patience is not None and history._epochs_since_best() >= patience:
                history.stopped = "patience"
                break
    return history


def _epoch(
    network: Network,
    data: tuple[Any, Any, Any],
    order: NDArray[np.int64] | None,
    batch_size: int,
    epoch: int,
    snapshot: _Snapshot,
    bar: Progress,
) -> float:
    """One pass over the data; returns its mean loss.

    The engine runs without the GIL for a slice of time, then comes back here, where the
    interpreter handles signals: an interrupt comes between two mini-batches.
    """
    X, y, weight = data
    first, total, weights = 0, 0.0, 0.0
    snapshot.take()
    while first < len(X):
        first, total, weights, finite = network._engine.run(
            X, y, weight, order, batch_size, first, total, weights, SLICE
        )
        if not finite:
            _diverged(network, snapshot, "loss is", epoch, first // batch_size)
        bar.advance(first)
    if not door.all_finite(network.parameters):
        _diverged(
            network, snapshot, "parameters are", epoch, (len(X) - 1) // batch_size
        )
    return total / weights if weights else 0.0


def _diverged(
    network: Network, snapshot: _Snapshot, what: str, epoch: int, batch: int
) -> None:
    snapshot.restore()
    raise DivergenceError(
        f"the {what} not finite in epoch {epoch}, batch {batch}; the network is as it "
        f"was after the last finite epoch; try an lr below {network.optimizer.lr}",
        epoch,
        batch,
    )


def _validation_data(
    network: Network, validation: tuple[ArrayLike, ...] | None
) -> tuple[Any, Any, Any] | None:
    if validation is None:
        return None
    if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
        raise TypeError(
            "validation must be (X, y) or (X, y, sample_weight); got "
            f"{type(validation).__name__}"
        )
    X, y, *weight = validation
    return network._batch(X, y, weight[0] if weight else None, "validation ")
