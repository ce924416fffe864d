"""The loop over epochs: shuffling, validation, stopping, callbacks, progress."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore import _validation as door
from bpcore import lbfgs
from bpcore.data import Batch, Stream, is_stream, split
from bpcore.data import held_back as share_of
from bpcore.errors import DivergenceError
from bpcore.history import History
from bpcore.metrics import Metric, as_metrics
from bpcore.optimizers import LBFGS
from bpcore.progress import progress
from bpcore.schedules import ReduceOnPlateau
from bpcore.snapshot import IN_MEMORY, Snapshot
from bpcore.stopping import Watch

if TYPE_CHECKING:
    from bpcore.network import Network


#: Seconds the engine runs before the interpreter may look at signals and the bar.
SLICE = 0.05

#: Random words that are drawn at a time for the shuffles of several epochs.
WORDS = 1 << 16

#: Rows of a mini-batch where nobody said how many.
BATCH_SIZE = 32

#: Called after every epoch; returning True stops the fit.
Callback = Callable[["Network", History], Any]

#: Called after every mini-batch with its epoch, its number and its loss; returning True
#: stops the fit.
BatchCallback = Callable[["Network", int, int, float], Any]


@dataclass
class Fit:
    """One call of ``Network.fit``, its arguments checked."""

    network: Network
    data: Batch | Stream
    epochs: int
    batch_size: int
    shuffle: bool
    accumulate: int
    held_back: Batch | None
    metrics: tuple[Metric, ...]
    watch: Watch
    plateau: tuple[str, ReduceOnPlateau] | None
    restore_best: bool
    callbacks: tuple[Callback, ...]
    batch_callbacks: tuple[BatchCallback, ...]
    show: bool

    def run(self) -> History:
        """Train; the network keeps what it has learnt whenever this ends."""
        network, self.history = self.network, History()
        rows = None if isinstance(self.data, Stream) else len(self.data[0])
        # A plain `with`: an interrupt must find no gap in which the network stays
        # locked.
        with (
            network._engine,
            Snapshot() as self.before,
            Snapshot() as self.best,
            progress(self.show, self.epochs, rows) as self.bar,
            ExitStack() as last,
        ):
            last.callback(network._accumulate_over, 1)
            network._accumulate_over(self.accumulate)
            if isinstance(network.optimizer, LBFGS):
                self.descend_by_curvature()
            elif self.nobody_looks:
                self.descend_unwatched()
            else:
                self.descend_by_steps()
            if self.restore_best and 0 < self.history.best_epoch < len(self.history):
                self.best.restore(_what_changes(network))
        return self.history

    @property
    def nobody_looks(self) -> bool:
        """Whether nothing is to be done between two epochs but to record them."""
        network = self.network
        schedule = network.optimizer.schedule
        steady = schedule is None or (schedule.per == "step" and not schedule.plateau)
        looks = self.held_back or self.metrics or self.callbacks or self.batch_callbacks
        stops = self.restore_best or self.watch.patience is not None
        small = sum(array.nbytes for array in _what_changes(network)) <= IN_MEMORY
        few = not isinstance(self.data, Stream) and len(self.data[0]) <= WORDS
        asks = network._design.asks
        at_once = network._runs_epochs and steady and small and few
        return at_once and not (looks or stops or asks)

    def descend_unwatched(self) -> None:
        """All epochs, as many at a time as take no longer than a slice of time.

        For small nets what Python does between two epochs takes longer than an epoch,
        and several networks in several threads would wait for each other's Python.
        """
        network, data, history = self.network, self.data, self.history
        assert not isinstance(data, Stream)
        n, size = len(data[0]), self.batch_size
        order = np.empty(n, np.int64) if self.shuffle else None
        steps = _ceil(_ceil(n, size), self.accumulate)
        arrays = _what_changes(network)
        copies = [np.empty_like(array) for array in arrays]
        network._reserve(size, gathers=order is not None)
        while len(history) < self.epochs:
            epochs = min(self.epochs - len(history), max(1, WORDS // n))
            rates = network._rates(epochs * steps)
            bits = network._bits.state
            words = network._bits.random_raw(epochs * n) if self.shuffle else None
            losses, seconds = np.empty(epochs), np.empty(epochs)
            done, batch = network._engine.run_epochs(
                *(*data, order, words, size, losses, seconds, SLICE, rates),
                *(arrays, copies),
            )
            if self.shuffle:
                network._bits.state = bits
                network._bits.advance((done + (batch != 0)) * n)
            for epoch in range(done):
                lr = (
                    network._engine.lr
                    if rates is None
                    else rates[steps * epoch + steps - 1]
                )
                history._append(loss=losses[epoch], lr=lr, seconds=seconds[epoch])
                self.watch.better(history)
            network._epochs += done
            if rates is not None:
                network._engine.lr = rates[max(steps * done - 1, 0)]
            if done:
                self.bar.advance(done * n)
                self.bar.end_epoch(history)
            if batch:
                what = "the loss is" if batch > 0 else "the parameters are"
                _tell(what, len(history) + 1, max(batch, 0), network._engine.lr)

    def descend_by_steps(self) -> None:
        """Epoch after epoch of mini-batches."""
        network, data = self.network, self.data
        order = None
        if self.shuffle and not isinstance(data, Stream):
            order = np.arange(len(data[0]))
        for epoch in range(1, self.epochs + 1):
            start = time.perf_counter()
            self.before.take(_what_changes(network))
            counts = network._engine.steps, network._engine.seen
            pass_: Pass
            if isinstance(data, Stream):
                pass_ = StreamPass(self, data, epoch, counts)
            else:
                pass_ = ArrayPass(self, data, order, epoch, counts)
                if order is not None:
                    order[:] = np.arange(len(order))
                    network._shuffle(order, network._bits.random_raw(len(order)))
            pass_.run()
            if pass_.batches == 0:  # the iterator has ended
                if epoch == 1:
                    raise ValueError("X must yield at least one mini-batch; got none")
                break
            if not door.all_finite(network.parameters):
                pass_.diverged("the parameters are", None)
            if self.end_epoch(pass_.loss, time.perf_counter() - start):
                break
            if pass_.stopped:
                self.history.stopped = "callback"
                break

    def descend_by_curvature(self) -> None:
        """Iteration after iteration of L-BFGS."""
        assert not isinstance(self.data, Stream)
        network = self.network
        self.before.take(_what_changes(network))

        def end_epoch(loss: float, seconds: float) -> bool:
            return self.end_epoch(loss, seconds)

        converged = lbfgs.fit(network, self.data, self.epochs, end_epoch)
        if not door.all_finite(network.parameters):
            self.before.restore(_what_changes(network))
            raise DivergenceError(
                "the parameters are not finite; the network is as it was before"
            )
        if converged and self.history.stopped == "epochs":
            self.history.stopped = "converged"

    def end_epoch(self, loss: float, seconds: float) -> bool:
        """Record an epoch; whether to stop."""
        network, history = self.network, self.history
        network._epochs += 1
        values: dict[str, float | None] = {"loss": loss, "lr": network._engine.lr}
        if isinstance(network.optimizer, LBFGS):
            values["lr"] = None
        values |= network._measure(self.held_back, self.metrics, "validation_loss")
        if self.held_back is None and self.metrics:
            assert not isinstance(self.data, Stream)
            values |= network._measure(self.data, self.metrics, None)
        history._append(**values, seconds=seconds)
        if self.plateau is not None:
            name, reducer = self.plateau
            network._follow_plateau(reducer, float(history[name][-1]))
        if self.watch.better(history) and self.restore_best:
            self.best.take(_what_changes(network))
        self.bar.end_epoch(history)
        # Every callback is called, also after one that stops.
        if [True for call in self.callbacks if _is_true(call(network, history))]:
            history.stopped = "callback"
            return True
        if self.watch.is_over:
            history.stopped = "patience"
            return True
        return False


class Pass:
    """One epoch."""

    def __init__(self, fit: Fit, epoch: int, counts: tuple[int, int]) -> None:
        self.fit, self.epoch, self.counts = fit, epoch, counts
        self.total, self.weights, self.batches = 0.0, 0.0, 0
        self.stopped = False

    @property
    def loss(self) -> float:
        """The mean so far."""
        return self.total / self.weights if self.weights else 0.0

    def run(self) -> None:
        """Use all of the data once."""
        raise NotImplementedError

    def step(self, data: Batch, order: Any, size: int, first: int, **how: Any) -> int:
        """Mini-batches from row `first` on; returns the row to go on from."""
        X, y, weight = data
        before = self.total, self.weights
        most = 1 if self.fit.batch_callbacks else 0
        after, self.total, self.weights, finite = self.fit.network._engine.run(
            X, y, weight, order, size, first, *before, SLICE, most, **how
        )
        if not finite:
            self.diverged("the loss is", self.batches + (after - first) // size + 1)
        self.batches += _ceil(after - first, size)
        if self.fit.batch_callbacks:
            weights = self.weights - before[1]
            loss = (self.total - before[0]) / weights if weights else 0.0
            answers = [
                _is_true(call(self.fit.network, self.epoch, self.batches, loss))
                for call in self.fit.batch_callbacks
            ]
            self.stopped = any(answers)
        return int(after)

    def diverged(self, what: str, batch: int | None) -> NoReturn:
        """Go back to the beginning of the epoch, and tell."""
        network, epoch = self.fit.network, self.epoch
        lr = network._engine.lr
        self.fit.before.restore(_what_changes(network))
        network._engine.steps, network._engine.seen = self.counts
        _tell(what, epoch, batch, lr)


class ArrayPass(Pass):
    """One epoch over arrays, in an order or as they lie.

    The engine runs without the GIL for a slice of time, then comes back here, where the
    interpreter handles signals: an interrupt comes between two mini-batches.
    """

    def __init__(
        self,
        fit: Fit,
        data: Batch,
        order: NDArray[np.int64] | None,
        epoch: int,
        counts: tuple[int, int],
    ) -> None:
        super().__init__(fit, epoch, counts)
        self.data, self.order = data, order
        batches = _ceil(len(data[0]), fit.batch_size)
        self.rates = fit.network._rates(_ceil(batches, fit.accumulate))

    def run(self) -> None:
        network, size, first = self.fit.network, self.fit.batch_size, 0
        n = len(self.data[0])
        network._reserve(size, gathers=self.order is not None)
        rates = self.rates
        while first < n and not self.stopped:
            done = network._engine.steps - self.counts[0]
            rest = None if rates is None else rates[done:]
            first = self.step(self.data, self.order, size, first, ends=True, rates=rest)
            if self.fit.batch_callbacks:  # one may have asked for more
                network._reserve(size, gathers=self.order is not None)
            self.fit.bar.advance(first)
        if rates is not None:
            network._engine.lr = rates[-1]


class StreamPass(Pass):
    """One epoch over mini-batches from an iterable."""

    def __init__(
        self, fit: Fit, data: Stream, epoch: int, counts: tuple[int, int]
    ) -> None:
        super().__init__(fit, epoch, counts)
        self.data = data

    def run(self) -> None:
        network, rows = self.fit.network, 0
        for item in self.data.epoch():
            data = network._stream_batch(item, self.batches + 1)
            n = len(data[0])
            network._reserve(n)
            rates = network._rates(1)
            first = 0
            while first < n:
                first = self.step(data, None, n, first, ends=False, rates=rates)
            rows += n
            self.fit.bar.advance(rows)
            if self.stopped:
                return
        network._engine.flush()


def _ceil(a: int, b: int) -> int:
    """The quotient, rounded up."""
    return -(-a // b)


def _tell(what: str, epoch: int, batch: int | None, lr: float) -> NoReturn:
    """Raise for a network that has been given back what it was."""
    where = f"in epoch {epoch}, mini-batch {batch}" if batch else f"after epoch {epoch}"
    raise DivergenceError(
        f"{what} not finite {where}; the network is as it was before that epoch; try "
        f"an lr below {lr}",
        epoch,
        batch or None,
    )


def _what_changes(network: Network) -> list[NDArray[Any]]:
    """The arrays that training changes."""
    arrays = (network.parameters, network._state, network._running)
    return [array for array in arrays if array is not None and array.size]


def _is_true(answer: object) -> bool:
    """Whether a callback's answer is True itself, Python's or NumPy's."""
    return isinstance(answer, bool | np.bool_) and bool(answer)


# --- arguments ------------------------------------------------------------------------


def prepare(
    network: Network,
    X: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int | None,
    shuffle: bool,
    validation: Any,
    sample_weight: Any,
    class_weight: Any,
    metrics: Any,
    monitor: str | None,
    mode: str,
    patience: int | None,
    min_delta: float,
    restore_best: bool,
    accumulate: int,
    callbacks: Iterable[Callback],
    batch_callbacks: Iterable[BatchCallback],
    steps_per_epoch: int | None,
    progress: bool,
) -> Fit:
    """The arguments of ``Network.fit``, checked before anything has changed."""
    epochs = door.whole_number("epochs", epochs, 1)
    if batch_size is not None:
        batch_size = door.whole_number("batch_size", batch_size, 1)
    accumulate = door.whole_number("accumulate", accumulate, 1)
    shuffle = door.yes_or_no("shuffle", shuffle)
    restore_best = door.yes_or_no("restore_best", restore_best)
    show = door.yes_or_no("progress", progress)
    per_epoch = _callables("callbacks", callbacks)
    per_batch = _callables("batch_callbacks", batch_callbacks)
    wanted = as_metrics(metrics)
    network._require_derivatives()
    if not door.all_finite(network.parameters):
        raise ValueError("the network's parameters must be finite before training")
    streams = is_stream(X, y)
    data: Batch | Stream
    held_back: Batch | None
    if streams:
        data, class_weights = Stream(X, steps_per_epoch), None
        _reject_for_streams(
            network, sample_weight, class_weight, validation, batch_size
        )
    else:
        if steps_per_epoch is not None:
            raise ValueError(
                "steps_per_epoch needs mini-batches from an iterable for X"
            )
        data, class_weights = network._weighted_batch(X, y, sample_weight, class_weight)
    fraction = None
    if isinstance(validation, numbers.Real) and not isinstance(validation, bool):
        assert not isinstance(data, Stream)
        fraction, held_back = (
            door.number_within("validation", validation, None, 1.0),
            None,
        )
        n = len(data[0]) - share_of(len(data[0]), fraction)
    else:
        held_back = _validation_data(network, validation, class_weights)
        n = 0 if isinstance(data, Stream) else len(data[0])
    validates = held_back is not None or fraction is not None
    watch = Watch(monitor, mode, patience, min_delta, wanted, validates)
    reducer = network._reducer
    if reducer is not None:
        Watch(reducer.monitor, reducer.mode, None, 0.0, wanted, validates)
    if isinstance(network.optimizer, LBFGS) and per_batch:
        raise ValueError(
            "batch_callbacks cannot be given with LBFGS, which makes no mini-batches"
        )
    if streams and wanted and held_back is None:
        raise ValueError(
            "metrics of mini-batches from an iterable need validation data"
        )
    if not isinstance(data, Stream):
        batch_size = _rows_of_a_batch(network, batch_size, n)
    if fraction is not None:  # draws at random, so only now
        assert not isinstance(data, Stream)
        drawn = network._bits.state
        data, held_back = split(network, data, fraction, network._design.loss.classes)
        for _, _, weight in (data, held_back):
            if weight is not None and not weight.any():
                network._bits.state = drawn
                raise ValueError(
                    f"sample_weight must not be all zero on one side of {validation=}"
                )
    return Fit(
        network,
        data,
        epochs,
        batch_size or BATCH_SIZE,
        shuffle,
        accumulate,
        held_back,
        wanted,
        watch,
        network._watch_plateau(wanted, validates),
        restore_best,
        per_epoch,
        per_batch,
        show,
    )


def _rows_of_a_batch(network: Network, batch_size: int | None, n: int) -> int:
    """Rows of every mini-batch but the last."""
    full = network.optimizer.full_batch
    if full and batch_size is not None and batch_size < n:
        raise ValueError(
            f"batch_size must be all {n} rows for {type(network.optimizer).__name__}, "
            f"or None; got {batch_size}"
        )
    size = n if full else min(batch_size or BATCH_SIZE, n)
    if "batch" in network.norms and (size == 1 or n % size == 1):
        raise ValueError(
            "batch_size must leave at least 2 rows in every mini-batch for batch "
            f"norm; {n} rows in mini-batches of {size} leave 1"
        )
    return size


def _reject_for_streams(
    network: Network,
    sample_weight: Any,
    class_weight: Any,
    validation: Any,
    batch_size: int | None,
) -> None:
    for name, value in (
        ("sample_weight", sample_weight),
        ("class_weight", class_weight),
        ("batch_size", batch_size),
    ):
        if value is not None:
            raise ValueError(
                f"{name} cannot be given with mini-batches from an iterable, which "
                "bring their own"
            )
    if isinstance(validation, numbers.Real):
        raise ValueError(
            "validation must be (X, y) with mini-batches from an iterable; "
            f"got {validation!r}"
        )
    if network.optimizer.full_batch:
        raise ValueError(
            f"{type(network.optimizer).__name__} needs all of the data at once; "
            "got an iterable of mini-batches"
        )


def _callables(name: str, callbacks: Any) -> tuple[Any, ...]:
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"{name} must be a sequence of callables; got {callbacks!r}")
    checked = tuple(callbacks)
    for callback in checked:
        if not callable(callback):
            raise TypeError(f"{name} must be callables; got {callback!r}")
    return checked


def _validation_data(
    network: Network, validation: Any, class_weights: NDArray[np.float64] | None
) -> Batch | None:
    if validation is None:
        return None
    expected = "validation must be (X, y), (X, y, sample_weight) or a fraction"
    if not isinstance(validation, tuple | list):
        raise TypeError(f"{expected}; got {type(validation).__name__}")
    if len(validation) not in (2, 3):
        raise ValueError(f"{expected}; got {len(validation)} entries")
    X, y, *weight = validation
    return network._batch(
        X, y, weight[0] if weight else None, class_weights, "validation "
    )
