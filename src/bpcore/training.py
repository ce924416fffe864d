"""The loop over epochs: shuffling, validation, stopping, callbacks, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import _validation as door
from bpcore.errors import DivergenceError
from bpcore.progress import Progress, progress
from bpcore.snapshot import Snapshot

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
        Wall time of each epoch, shuffling included, validation not.
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
        self._loss: list[float] = []
        self._validation_loss: list[float] = []
        self._seconds: list[float] = []
        self._best = math.inf
        self._epochs_since_best = 0
        self.stopped = "epochs"

    @property
    def loss(self) -> NDArray[np.float64]:
        """Mean over each epoch of the loss before each step."""
        return np.array(self._loss)

    @property
    def validation_loss(self) -> NDArray[np.float64]:
        """Mean loss of the validation data after each epoch."""
        return np.array(self._validation_loss)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Wall time of each epoch."""
        return np.array(self._seconds)

    def __len__(self) -> int:
        return len(self._loss)

    def __repr__(self) -> str:
        last = f", last loss {self._loss[-1]:.6g}" if self._loss else ""
        if self._validation_loss:
            last += f", last validation loss {self._validation_loss[-1]:.6g}"
        if self.stopped != "epochs":
            last += f", stopped by {self.stopped}"
        epochs = "1 epoch" if len(self) == 1 else f"{len(self)} epochs"
        return f"<History of {epochs}{last}>"

    def _append(
        self, loss: float, validation_loss: float | None, seconds: float
    ) -> None:
        self._loss.append(loss)
        self._seconds.append(seconds)
        counts = loss
        if validation_loss is not None:
            self._validation_loss.append(validation_loss)
            counts = validation_loss
        # Written so that NaN is never the best.
        if counts < self._best:
            self._best, self._epochs_since_best = counts, 0
        else:
            self._epochs_since_best += 1


#: Called after every epoch; returning True stops the fit.
Callback = Callable[["Network", History], Any]


def _what_changes(network: Network) -> list[NDArray[Any]]:
    """The arrays that training changes: parameters, and optimizer state if any."""
    state = network._state
    return [network.parameters] if state is None else [network.parameters, state]


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
    callbacks: Iterable[Callback],
    show: bool,
) -> History:
    """``Network.fit``, see there."""
    epochs = door.whole_number("epochs", epochs, 1)
    batch_size = door.whole_number("batch_size", batch_size, 1)
    if patience is not None:
        patience = door.whole_number("patience", patience, 1)
    shuffle, show = door.yes_or_no("shuffle", shuffle), door.yes_or_no("progress", show)
    callbacks = _checked_callbacks(callbacks)
    if not door.all_finite(network.parameters):
        raise ValueError("the network's parameters must be finite before training")
    data = network._batch(X, y, sample_weight)
    held_back = _validation_data(network, validation)
    n = len(data[0])
    batch_size = min(batch_size, n)

    history = History()
    # A plain `with`: an interrupt must find no gap in which the network stays locked.
    with network._engine, Snapshot() as before, progress(show, epochs, n) as bar:
        order = np.arange(n) if shuffle else None
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            if order is not None:
                order[:] = np.arange(n)
                network._shuffle(order, network._bits.random_raw(n))
            loss = _epoch(network, data, order, batch_size, epoch, bar, before)
            seconds = time.perf_counter() - start
            if held_back is None:
                history._append(loss, None, seconds)
            else:
                history._append(loss, network.evaluate(*held_back), seconds)
            bar.end_epoch(history)
            # Every callback is called, also after one that stops.
            if [True for callback in callbacks if _is_true(callback(network, history))]:
                history.stopped = "callback"
                break
            if patience is not None and history._epochs_since_best >= patience:
                history.stopped = "patience"
                break
    return history


def _epoch(
    network: Network,
    data: tuple[Any, Any, Any],
    order: NDArray[np.int64] | None,
    batch_size: int,
    epoch: int,
    bar: Progress,
    before: Snapshot,
) -> float:
    """One pass over the data; returns its mean loss.

    The engine runs without the GIL for a slice of time, then comes back here, where the
    interpreter handles signals: an interrupt comes between two mini-batches.
    """
    X, y, weight = data
    first, total, weights = 0, 0.0, 0.0
    network._reserve(batch_size, gathers=order is not None)
    before.take(_what_changes(network))
    while first < len(X):
        first, total, weights, finite = network._engine.run(
            X, y, weight, order, batch_size, first, total, weights, SLICE
        )
        if not finite:
            batch = first // batch_size + 1
            _diverged(network, before, "the loss is", epoch, batch)
        bar.advance(first)
    if not door.all_finite(network.parameters):
        _diverged(network, before, "the parameters are", epoch, None)
    return total / weights if weights else 0.0


def _diverged(
    network: Network,
    before: Snapshot,
    what: str,
    epoch: int,
    batch: int | None,
) -> NoReturn:
    before.restore(_what_changes(network))
    where = f"in epoch {epoch}, mini-batch {batch}" if batch else f"after epoch {epoch}"
    raise DivergenceError(
        f"{what} not finite {where}; the network is as it was before that epoch; "
        f"try an lr below {network.optimizer.lr}",
        epoch,
        batch,
    )


def _is_true(answer: object) -> bool:
    """Whether a callback's answer is True itself, Python's or NumPy's."""
    return isinstance(answer, bool | np.bool_) and bool(answer)


def _checked_callbacks(callbacks: Iterable[Callback]) -> tuple[Callback, ...]:
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a sequence of callables; got {callbacks!r}")
    checked = tuple(callbacks)
    for callback in checked:
        if not callable(callback):
            raise TypeError(f"callbacks must be callables; got {callback!r}")
    return checked


def _validation_data(
    network: Network, validation: tuple[ArrayLike, ...] | None
) -> tuple[Any, Any, Any] | None:
    if validation is None:
        return None
    expected = "validation must be (X, y) or (X, y, sample_weight)"
    if not isinstance(validation, tuple | list):
        raise TypeError(f"{expected}; got {type(validation).__name__}")
    if len(validation) not in (2, 3):
        raise ValueError(f"{expected}; got {len(validation)} entries")
    X, y, *weight = validation
    return network._batch(X, y, weight[0] if weight else None, "validation ")
