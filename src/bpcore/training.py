"""The loop over epochs: shuffling, validation, stopping, callbacks, progress."""

from __future__ import annotations

import math
import operator
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore import _caution, lbfgs
from bpcore import _validation as door
from bpcore.data import (
    Batch,
    Stream,
    batch_count,
    without_single_rows,
)
from bpcore.differences import Differences
from bpcore.errors import DivergenceError
from bpcore.history import History
from bpcore.interrupts import complete, raise_if_stopped
from bpcore.metrics import Metric
from bpcore.optimizers import LBFGS
from bpcore.progress import progress
from bpcore.schedules import ReduceOnPlateau
from bpcore.snapshot import IN_MEMORY, Snapshot
from bpcore.stopping import Quantity, Watch

if TYPE_CHECKING:
    from bpcore.network import Network


#: Epochs that run in one go, if time allows; and the most rows, and rows times
#: parameters, of an epoch that surely takes less than a slice of time.
MOST_EPOCHS = 4096
SHORT_ROWS = 1 << 16
SHORT_WORK = 1 << 26

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
    measured: Batch | None
    metrics: tuple[Metric, ...]
    watch: Watch
    plateau: tuple[Quantity, ReduceOnPlateau] | None
    restore_best: bool
    callbacks: tuple[Callback, ...]
    batch_callbacks: tuple[BatchCallback, ...]
    show: bool
    numerical: Differences | None  # what makes the steps in place of backpropagation

    def run(self) -> History:
        """Train; the network keeps what it has learnt whenever this ends.

        With `restore_best` it is as of the best epoch then, after an error too.
        """
        network, self.history = self.network, History()
        self.reducer, self.warned = network._reducer, set[str]()
        self.loss_before = math.inf
        #: The best epoch, and whether `best` is a copy of it.  Until it is, the network
        #: itself is as after that epoch.
        self.best_epoch: tuple[int, bool] | None = None
        self.is_trained = self.is_over = False
        rows = None if isinstance(self.data, Stream) else len(self.data[0])
        # A plain `with`: an interrupt must find no gap in which the network stays
        # locked.
        with (
            network._engine,
            Snapshot() as before,
            Snapshot() as best,
            progress(self.show, self.epochs, rows) as self.bar,
            ExitStack() as last,
        ):
            last.callback(network._accumulate_over, network._accumulate)
            network._history = self.history
            network._accumulate_over(self.accumulate)
            self.before = Checkpoint(network, before)
            self.best = Checkpoint(network, best)
            # `end` stands twice: an interrupt may come just before the first.
            try:
                try:
                    self.train()
                finally:
                    complete(self.end)
            except BaseException:
                self.history.stopped = "error"
                raise
            finally:
                complete(self.end)
        return self.history

    def train(self) -> None:
        """All epochs, or as many as there are until something stops them."""
        if self.restore_best:
            self.begin_search()
        if isinstance(self.network.optimizer, LBFGS):
            self.descend_by_curvature()
        elif self.nobody_looks:
            self.descend_unwatched()
        else:
            self.descend_by_steps()
        self.is_trained = True

    def end(self) -> None:
        """Put the best epoch in place, if there is one; may be called again."""
        if self.is_over:
            return
        history = self.history
        self.network._history = history  # a callback's fit has one of its own
        if self.best_epoch is not None:
            epoch, copied = self.best_epoch
            if copied and not (self.is_trained and epoch == len(history)):
                self.best.restore()
            history.best_epoch = history.restored = epoch
        self.is_over = True

    # --- the best epoch ---------------------------------------------------------------

    def begin_search(self) -> None:
        """Let the network as it is be epoch 0 of the search for the best epoch.

        The loss of an epoch is measured within it, with what drops out, so for epoch 0
        there is none to compare with it.  The loss of the training data before the
        first epoch is compared with that after a best one instead (`is_below_start`).
        """
        network, name = self.network, self.watch.monitor
        if name == "loss":
            value = self.training_loss()
            if value is None:
                return
            self.loss_before = value
        elif name == "validation_loss":
            assert self.held_back is not None
            value = network._mean_loss(*self.held_back)
        else:
            assert self.measured is not None
            metrics = [metric for metric in self.metrics if metric.name == name]
            value = network._measure(self.measured, metrics)[name]
        if math.isnan(value):
            if name != "loss":  # of which a step tells
                self.warn_of_nan(name, value)
            self.loss_before = math.inf
            return
        if name != "loss":
            self.watch.begin(value)
        self.keep()

    def training_loss(self) -> float | None:
        """Loss of all training data, as of `evaluate`; None of an iterable.

        Of a sequence of mini-batches it is their mean, weighted by the sums of their
        weights.
        """
        network, data = self.network, self.data
        if not isinstance(data, Stream):
            return network._mean_loss(*data)
        if not data.is_sequence:
            return None
        losses, weights = [], []
        for number, item in enumerate(data.batches, 1):
            batch = network._stream_batch(item, number, data.class_weights)
            weight = batch[2]
            if weight is None:
                weights.append(float(len(batch[0])))
            else:  # (n,), or (n, n_L) of several labels
                weights.append(float(weight.sum()) / (weight.size / len(weight)))
            losses.append(network._mean_loss(*batch) if weights[-1] else 0.0)
        largest = max(weights, default=0.0)
        if not largest:
            return None
        shares = [weight / largest for weight in weights]
        return sum(map(operator.mul, shares, losses)) / sum(shares)

    def is_below_start(self) -> bool:
        """Whether the loss of the training data is below that before the fit."""
        if not self.restore_best or self.watch.monitor != "loss":
            return True
        loss = self.training_loss()
        return loss is None or loss < self.loss_before

    def keep(self) -> None:
        """Copy the network as that of the best epoch."""
        epoch = len(self.history)
        self.best_epoch = epoch, False
        self.best.take()
        self.best_epoch = epoch, True
        self.history.best_epoch = epoch

    def fall_back(self) -> str:
        """Undo an epoch that diverged; says what the network is then."""
        if self.best_epoch is None:
            complete(self.before.reinstall)
            return "before that epoch"
        epoch, _ = self.best_epoch  # `end` puts it in place
        return f"after epoch {epoch}, the best one" if epoch else "before the fit"

    def warn_of_nan(self, name: str, value: float) -> None:
        """Warn once of a monitored quantity that is NaN."""
        if math.isnan(value) and name not in self.warned:
            self.warned.add(name)
            epoch = len(self.history)
            when = f"after epoch {epoch}" if epoch else "before epoch 1"
            _caution.warn(
                f"{name}, which is monitored, is NaN {when}; epochs of which it is NaN "
                "are never the best, and count neither for patience nor for a plateau"
            )

    # --- the ways to descend ----------------------------------------------------------

    @property
    def nobody_looks(self) -> bool:
        """Whether nothing is to be done between two epochs but to record them."""
        network = self.network
        schedule = network.optimizer.schedule
        steady = schedule is None or (schedule.per == "step" and not schedule.plateau)
        looks = self.held_back or self.metrics or self.callbacks or self.batch_callbacks
        stops = self.restore_best or self.watch.patience is not None
        small = sum(array.nbytes for array in _what_changes(network)) <= IN_MEMORY
        # Where every mini-batch makes a step, the rates of the steps can be counted.
        counted = isinstance(self.data, Stream) or (
            self.data[2] is None or bool(self.data[2].all())
        )
        short = isinstance(self.data, tuple) and (
            len(self.data[0]) <= SHORT_ROWS
            and len(self.data[0]) * network.parameters.size <= SHORT_WORK
        )
        asks = network._design.asks
        at_once = network._runs_epochs and steady and small and short and counted
        return at_once and not (looks or stops or asks or self.numerical)

    def descend_unwatched(self) -> None:
        """All epochs, as many at a time as take no longer than a slice of time.

        For small nets what Python does between two epochs takes longer than an epoch,
        and several networks in several threads would wait for each other's Python.
        """
        network, data, history = self.network, self.data, self.history
        assert not isinstance(data, Stream)
        n, size = len(data[0]), self.batch_size
        bits = network._bits if self.shuffle else None
        batches = batch_count(n, size, network._design.joins_last)
        steps = _ceil(batches, self.accumulate)
        arrays = _what_changes(network)
        done = 8
        while len(history) < self.epochs:
            raise_if_stopped()
            # No more rates than twice what the last slice of time could use.
            epochs = min(self.epochs - len(history), MOST_EPOCHS)
            if network._scheduled:
                epochs = min(epochs, 2 * done)
            rates = network._rates(epochs * steps)
            losses, seconds = np.empty(epochs), np.empty(epochs)
            length, seen = len(history), network._engine.seen
            before = length, network._epochs, self.watch.best, history.best_epoch
            try:
                _, batch = network._engine.run_epochs(
                    *data, bits, size, losses, seconds, rates, arrays
                )
            finally:  # an interrupt may come at any line
                done = (network._engine.seen - seen) // batches
                complete(
                    partial(self.record, done, steps, before, losses, seconds, rates)
                )
            if done:
                self.bar.advance(done * n)
                self.bar.end_epoch(history)
            if batch:
                what = "the loss is"
                if batch < 0:
                    what = _name(network, arrays[-batch - 1])
                _tell(what, len(history) + 1, max(batch, 0), network._engine.lr)

    def record(
        self,
        done: int,
        steps: int,
        before: tuple[int, int, float, int],
        losses: NDArray[np.float64],
        seconds: NDArray[np.float64],
        rates: NDArray[np.float64] | None,
    ) -> None:
        """Record epochs, of so many steps each, that were made in one go.

        It may be called again: `before` is what it changes, as it was before them.
        """
        network, history = self.network, self.history
        length, epochs, self.watch.best, history.best_epoch = before
        history._shorten(length)
        network._epochs = epochs + done
        if rates is not None:
            network._engine.lr = rates[max(steps * done - 1, 0)]
        lr = network._engine.lr
        for epoch in range(done):
            if rates is not None:
                lr = rates[steps * epoch + steps - 1]
            history._append(loss=losses[epoch], lr=lr, seconds=seconds[epoch])
            if self.watch.better(history):
                history.best_epoch = len(history)

    def descend_by_steps(self) -> None:
        """Epoch after epoch of mini-batches."""
        network, data = self.network, self.data
        order = None
        if self.shuffle and not isinstance(data, Stream):
            order = np.arange(len(data[0]))
        for epoch in range(1, self.epochs + 1):
            raise_if_stopped()
            start = time.perf_counter()
            self.before.take()
            pass_: Pass
            if isinstance(data, Stream):
                pass_ = StreamPass(self, data, epoch)
            else:
                pass_ = ArrayPass(self, data, order, epoch)
                if order is not None:
                    order[:] = np.arange(len(order))
                    network._shuffle(order, network._bits.random_raw(len(order)))
            pass_.run()
            if pass_.batches == 0:  # the iterator has ended
                if epoch == 1:
                    raise ValueError("X must yield at least one mini-batch; got none")
                self.history.stopped = "data"
                break
            if what := _not_finite(network):
                pass_.diverged(what, None)
            if self.end_epoch(pass_.loss, time.perf_counter() - start):
                break
            if pass_.stopped:
                self.history.stopped = "callback"
                break

    def descend_by_curvature(self) -> None:
        """Iteration after iteration of L-BFGS."""
        assert not isinstance(self.data, Stream)
        network = self.network
        self.before.take()

        converged = lbfgs.fit(
            network, self.data, self.epochs, self.history, self.end_epoch
        )
        if what := _not_finite(network):
            state = self.fall_back() if self.best_epoch is not None else "before"
            complete(self.before.reinstall)
            raise DivergenceError(
                f"{what} not finite; the network is as it was {state}"
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
        if self.held_back is not None:
            values["validation_loss"] = network._mean_loss(*self.held_back)
        if self.measured is not None:
            values |= network._measure(self.measured, self.metrics)
        history._append(**values, seconds=seconds)
        self.follow_plateau()
        better = self.watch.better(history, self.is_below_start)
        if better and self.restore_best:
            self.keep()
        elif better:
            history.best_epoch = len(history)
        self.warn_of_nan(self.watch.monitor, history._last(self.watch.monitor))
        self.bar.end_epoch(history)
        # Every callback is called, also after one that stops.
        answers = [_is_true(call(network, history)) for call in self.callbacks]
        if better and self.restore_best and self.callbacks:
            self.keep()  # what they changed belongs to this epoch
        if any(answers):
            history.stopped = "callback"
            return True
        if self.watch.is_over:
            history.stopped = "patience"
            return True
        return False

    def follow_plateau(self) -> None:
        """Let a schedule that follows a quantity have the last epoch's value."""
        network = self.network
        if network._reducer is not self.reducer:  # a callback's optimizer has another
            self.reducer = network._reducer
            validates = self.held_back is not None
            self.plateau = network._watch_plateau(self.metrics, validates)
        if self.plateau is not None:
            quantity, reducer = self.plateau
            value = self.history._last(quantity.name)
            self.warn_of_nan(quantity.name, value)
            network._follow_plateau(quantity, reducer, value)


#: What training, or a callback, changes of a network beside arrays and counters.
CHANGING = (
    "_lr_factors",
    "_frozen",
    "_epochs",
    "_begun",
    "_plateau",
    "_plateau_of",
)


class Checkpoint:
    """A network as it was, with the settings that a callback may change later."""

    def __init__(self, network: Network, snapshot: Snapshot) -> None:
        self.network, self.snapshot = network, snapshot

    def take(self) -> None:
        """Keep it as it is."""
        network = self.network
        self.optimizer, self.state = network.optimizer, network._state
        self.settings = {name: getattr(network, name) for name in CHANGING}
        self.counts, self.bits = network._counts, network._bits.state
        self.arrays = _what_changes(network)
        self.snapshot.take(self.arrays)

    def reinstall(self) -> None:
        """Give everything back, the optimizer too, but for the shuffle's stream."""
        network = self.network
        for name, value in self.settings.items():
            setattr(network, name, value)
        network._use_optimizer(self.optimizer, self.state)
        network._counts = self.counts
        self.snapshot.restore(self.arrays)
        network._set_lr()

    def restore(self) -> None:
        """Give everything back, as if nothing had been trained since."""
        self.reinstall()
        self.network._bits.state = self.bits
        self.network._stored_gradients = None


class Pass(ABC):
    """One epoch."""

    def __init__(self, fit: Fit, epoch: int) -> None:
        self.fit, self.epoch = fit, epoch
        self.total, self.divisor, self.batches = 0.0, 0.0, 0
        self.stopped = False

    @property
    def loss(self) -> float:
        """The mean so far."""
        return self.total / self.divisor if self.divisor else 0.0

    @abstractmethod
    def run(self) -> None:
        """Use all of the data once."""

    def step(self, data: Batch, order: Any, size: int, first: int, **how: Any) -> int:
        """Mini-batches from row `first` on; returns the row to go on from."""
        X, y, weight = data
        before, seen = (self.total, self.divisor), self.fit.network._engine.seen
        most = 1 if self.fit.batch_callbacks else 0
        descent = self.fit.numerical or self.fit.network._engine
        after, self.total, self.divisor, finite = descent.run(
            X, y, weight, order, size, first, *before, most, **how
        )
        self.batches += self.fit.network._engine.seen - seen
        if not finite:
            self.diverged("the loss is", self.batches + 1)
        if self.fit.batch_callbacks:
            divisor = self.divisor - before[1]
            loss = (self.total - before[0]) / divisor if divisor else 0.0
            answers = [
                _is_true(call(self.fit.network, self.epoch, self.batches, loss))
                for call in self.fit.batch_callbacks
            ]
            self.stopped = any(answers)
        return int(after)

    def diverged(self, what: str, batch: int | None) -> NoReturn:
        """Go back to the beginning of the epoch or the best one, and tell."""
        lr = self.fit.network._engine.lr
        _tell(what, self.epoch, batch, lr, self.fit.fall_back())


class ArrayPass(Pass):
    """One epoch over arrays, in an order or as they lie.

    The engine goes through all of it, or from one mini-batch to the next where there
    are callbacks for them.
    """

    def __init__(
        self,
        fit: Fit,
        data: Batch,
        order: NDArray[np.int64] | None,
        epoch: int,
    ) -> None:
        super().__init__(fit, epoch)
        self.data, self.order = data, order
        n, joins = len(data[0]), fit.network._design.joins_last
        batches = batch_count(n, fit.batch_size, joins)
        self.rates = fit.network._rates(_ceil(batches, fit.accumulate))

    def run(self) -> None:
        network, size, first = self.fit.network, self.fit.batch_size, 0
        n, begun = len(self.data[0]), network._engine.steps
        rates = self.rates
        while first < n and not self.stopped:
            if self.fit.batch_callbacks:  # which may make steps, and change the rate
                rates = network._rates(1)
            how = {"ends": True, "rates": rates, "progress": self.fit.bar.advance}
            first = self.step(self.data, self.order, size, first, **how)
        steps = network._engine.steps - begun
        if rates is not None and steps and not self.fit.batch_callbacks:
            network._engine.lr = rates[steps - 1]


class StreamPass(Pass):
    """One epoch over mini-batches from an iterable."""

    def __init__(self, fit: Fit, data: Stream, epoch: int) -> None:
        super().__init__(fit, epoch)
        self.data = data

    def run(self) -> None:
        network, rows = self.fit.network, 0
        batches: Iterable[Batch] = (
            network._stream_batch(item, number, self.data.class_weights)
            for number, item in enumerate(self.data.epoch(), 1)
        )
        if network._design.joins_last:
            batches = without_single_rows(batches)
        for data in batches:
            n = len(data[0])
            network._require_rows(n, f"mini-batch {self.batches + 1}: ")
            self.step(data, None, n, 0, ends=False, rates=network._rates(1))
            rows += n
            self.fit.bar.advance(rows)
            if self.stopped:
                return
        network._engine.flush()


def _ceil(a: int, b: int) -> int:
    """The quotient, rounded up."""
    return -(-a // b)


def _tell(
    what: str,
    epoch: int,
    batch: int | None,
    lr: float,
    state: str = "before that epoch",
) -> NoReturn:
    """Raise for a network that has been given back what it was in some state."""
    where = f"in epoch {epoch}, mini-batch {batch}" if batch else f"after epoch {epoch}"
    advice = f"try an lr below {lr}"
    if (epoch, batch) == (1, 1):  # no step was made
        advice = "look at the parameters, the data and the loss"
    raise DivergenceError(
        f"{what} not finite {where}; the network is as it was {state}; {advice}",
        epoch,
        batch or None,
    )


def _not_finite(network: Network) -> str | None:
    """Which of the arrays that training changes is not finite, if any."""
    for array in _what_changes(network):
        if not door.all_finite(array):
            return _name(network, array)
    return None


def _name(network: Network, array: NDArray[Any]) -> str:
    """One of those arrays, as the subject of a message."""
    if array is network.parameters:
        return "the parameters are"
    if array is network._running:
        return "the running moments are"
    return "the optimizer's state is"


def _what_changes(network: Network) -> list[NDArray[Any]]:
    """The arrays that training changes."""
    arrays = (network.parameters, network._state, network._running)
    return [array for array in arrays if array is not None and array.size]


def _is_true(answer: object) -> bool:
    """Whether a callback's answer is True itself, Python's or NumPy's."""
    return isinstance(answer, bool | np.bool_) and bool(answer)
