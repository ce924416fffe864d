"""One call of ``Network.fit``: epochs, and what happens between them."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.batches.stream import Stream, batch_count, largest_batch
from bpcore.errors import DivergenceError
from bpcore.model.checkpoint import Checkpoint
from bpcore.model.snapshot import IN_MEMORY
from bpcore.optimizers import LBFGS
from bpcore.training import lbfgs
from bpcore.training.arguments import Arguments, checked_arguments
from bpcore.training.epoch import ArrayPass, Pass, Run, StreamPass, ceil, is_true, tell
from bpcore.training.history import History
from bpcore.training.inputs import checked_stream_batch
from bpcore.training.learner import SLICE, Learner
from bpcore.training.progress import progress
from bpcore.training.record import Record
from bpcore.training.watch import complete, plateau_watch, raise_if_stopped
from bpcore.warn import warn

#: Epochs that run in one go, if time allows; and the most rows, and rows times
#: parameters, of an epoch that surely takes less than a slice of time.
MOST_EPOCHS = 4096
SHORT_ROWS = 1 << 16
SHORT_WORK = 1 << 26


def prepare(
    learner: Learner,
    network: object,
    X: Any,
    y: Any,
    options: Mapping[str, Any],
    whole: bool = True,
) -> Fit:
    """A fit whose arguments have been checked; nothing has changed yet."""
    checked = checked_arguments(learner, network, X, y, options, whole)
    return Fit(learner, network, checked)


class Fit:
    """One call of ``Network.fit``, its arguments checked.

    `network` is what callbacks are handed.
    """

    def __init__(self, learner: Learner, network: object, given: Arguments) -> None:
        self.learner, self.network, self.given = learner, network, given
        self.watch, self.plateau = given.watch, given.plateau

    def run(self) -> History:
        """Train; the network keeps what it has learnt whenever this ends.

        With `restore_best` it is as of the best epoch then, after an error too.
        """
        learner, given = self.learner, self.given
        self.record = Record()
        self.history = History(self.record)
        self.reducer, self.warned = learner.reducer, set[str]()
        self.loss_before = math.inf
        #: The best epoch, and whether `best` is a copy of it.  Until it is, the network
        #: itself is as after that epoch.
        self.best_epoch: tuple[int, bool] | None = None
        self.is_trained = self.is_over = False
        rows = None if isinstance(given.data, Stream) else len(given.data)
        # A plain `with`: an interrupt must find no gap in which the network stays
        # locked.
        with (
            learner.engine,
            Checkpoint() as self.before,
            Checkpoint() as self.best,
            progress(given.progress, given.epochs, rows) as self.bar,
            ExitStack() as last,
        ):
            last.callback(learner.accumulate_over, learner.accumulate)
            learner.history = self.history
            learner.accumulate_over(given.accumulate)
            # `end` stands three times: an interrupt may come just before the first, and
            # another one just before the second.
            last.callback(complete, self.end)
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
        if self.given.restore_best:
            self.begin_search()
        if isinstance(self.learner.state.optimizer, LBFGS):
            self.descend_by_curvature()
        elif self.needs_python_between_epochs:
            self.descend_by_steps()
        else:
            self.run_epochs_in_engine()
        self.is_trained = True

    def end(self) -> None:
        """Put the best epoch in place, if there is one; may be called again."""
        if self.is_over:
            return
        history = self.history
        self.learner.history = history  # a callback's fit has one of its own
        if self.best_epoch is not None:
            epoch, copied = self.best_epoch
            if copied and not (self.is_trained and epoch == len(history)):
                self.put_back(self.best)
            history.best_epoch = history.restored = epoch
        self.is_over = True

    # --- the best epoch ---------------------------------------------------------------

    def begin_search(self) -> None:
        """Let the network as it is be epoch 0 of the search for the best epoch.

        The loss of an epoch is measured within it, with what drops out, so for epoch 0
        there is none to compare with it.  The loss of the training data before the
        first epoch is compared with that after a best one instead (`is_below_start`).
        """
        given = self.given
        learner, name = self.learner, self.watch.monitor
        if name == "loss":
            value = self.training_loss()
            if value is None:
                return
            self.loss_before = value
        elif name == "validation_loss":
            assert given.held_back is not None
            value = learner.mean_loss(given.held_back)
        else:
            assert given.measured is not None
            metrics = [metric for metric in given.metrics if metric.name == name]
            value = learner.measure(given.measured, metrics)[name]
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
        learner, data = self.learner, self.given.data
        if not isinstance(data, Stream):
            return learner.mean_loss(data)
        if not data.is_sequence:
            return None
        losses, weights = [], []
        for number, item in enumerate(data.batches, 1):
            batch = checked_stream_batch(learner, item, number, data.class_weights)
            weight = batch.weight
            if weight is None:
                weights.append(float(len(batch)))
            else:  # (n,), or (n, n_L) of several labels
                weights.append(float(weight.sum()) / (weight.size / len(weight)))
            losses.append(learner.mean_loss(batch) if weights[-1] else 0.0)
        largest = max(weights, default=0.0)
        if not largest:
            return None
        shares = [weight / largest for weight in weights]
        return sum(map(operator.mul, shares, losses)) / sum(shares)

    def is_below_start(self) -> bool:
        """Whether the loss of the training data is below that before the fit."""
        if not self.given.restore_best or self.watch.monitor != "loss":
            return True
        loss = self.training_loss()
        return loss is None or loss < self.loss_before

    def keep(self) -> None:
        """Copy the network as that of the best epoch."""
        epoch = len(self.history)
        self.best_epoch = epoch, False
        self.best.take(self.learner.state)
        self.best_epoch = epoch, True
        self.history.best_epoch = epoch

    def put_back(self, checkpoint: Checkpoint, *, bits: bool = True) -> None:
        """Put the state of a checkpoint in place, its random words too if `bits`."""
        self.learner.use(checkpoint.restored(bits=bits))
        if bits:
            self.learner.stored_gradients = None

    def fall_back(self) -> str:
        """Undo an epoch that diverged; says what the network is then."""
        if self.best_epoch is None:
            complete(partial(self.put_back, self.before, bits=False))
            return "before that epoch"
        epoch, _ = self.best_epoch  # `end` puts it in place
        return f"after epoch {epoch}, the best one" if epoch else "before the fit"

    def warn_of_nan(self, name: str, value: float) -> None:
        """Warn once of a monitored quantity that is NaN."""
        if math.isnan(value) and name not in self.warned:
            self.warned.add(name)
            epoch = len(self.history)
            when = f"after epoch {epoch}" if epoch else "before epoch 1"
            warn(
                f"{name}, which is monitored, is NaN {when}; epochs of which it is NaN "
                "are never the best, and count neither for patience nor for a plateau"
            )

    # --- the ways to descend ----------------------------------------------------------

    @property
    def needs_python_between_epochs(self) -> bool:
        """Whether anything but recording happens between two epochs, or may take long.

        For small networks what Python does between two epochs takes longer than an
        epoch.
        """
        given, data, state = self.given, self.given.data, self.learner.state
        if isinstance(data, Stream) or not self.learner.engine.runs_epochs:
            return True
        schedule = state.optimizer.schedule
        steady = schedule is None or (schedule.per == "step" and not schedule.plateau)
        calls = given.callbacks or given.batch_callbacks or self.learner.design.asks
        measures = given.held_back or given.metrics
        stops = given.restore_best or self.watch.patience is not None
        small = sum(array.nbytes for array in state.numbers().values()) <= IN_MEMORY
        # Where every mini-batch makes a step, the rates of the steps can be counted.
        counted = data.weight is None or bool(data.weight.all())
        work = len(data) * state.parameters.size
        short = len(data) <= SHORT_ROWS and work <= SHORT_WORK
        in_engine = steady and small and short and counted
        return bool(calls or measures or stops or given.differences) or not in_engine

    def run_epochs_in_engine(self) -> None:
        """All epochs, as many at a time as take no longer than a slice of time.

        Several networks in several threads would wait for each other's Python.
        """
        learner, given, record = self.learner, self.given, self.record
        data, state = given.data, learner.state
        assert not isinstance(data, Stream)
        n, size = len(data), given.batch_size
        order = np.empty(n, np.int64) if given.shuffle else None
        words = np.empty(n, np.uint64) if given.shuffle else None
        joins = learner.design.joins_last
        batches = batch_count(n, size, joins)
        steps = ceil(batches, given.accumulate)
        numbers = state.numbers()
        arrays = [*numbers.values()]
        copies = [np.empty_like(array) for array in arrays]
        learner.reserve(largest_batch(n, size, joins), gathers=order is not None)
        done = 8
        while len(record) < given.epochs:
            raise_if_stopped()
            # No more rates than twice what the last slice of time could use.
            epochs = min(given.epochs - len(record), MOST_EPOCHS)
            if learner.scheduled:
                epochs = min(epochs, 2 * done)
            rates = learner.rates(epochs * steps)
            losses, seconds = np.empty(epochs), np.empty(epochs)
            length, seen = len(record), state.seen
            best = self.watch.best, self.history.best_epoch
            before = length, state.epochs, *best
            try:
                _, batch = learner.engine.run_epochs(
                    *(data.X, data.y, data.weight, order, words, state.bits, size),
                    *(losses, seconds, SLICE, rates, arrays, copies),
                )
            finally:  # an interrupt may come at any line
                done = (state.seen - seen) // batches
                complete(
                    partial(
                        self.record_epochs, done, steps, before, losses, seconds, rates
                    )
                )
            if done:
                self.bar.advance(done * n)
                self.bar.end_epoch(record)
            if batch:
                what = "the loss is" if batch > 0 else [*numbers][-batch - 1]
                tell(what, len(record) + 1, max(batch, 0), learner.engine.lr)

    def record_epochs(
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
        learner, history, record = self.learner, self.history, self.record
        length, epochs, self.watch.best, history.best_epoch = before
        record.shorten(length)
        learner.state.epochs = epochs + done
        if rates is not None:
            learner.engine.lr = rates[max(steps * done - 1, 0)]
        lr = learner.engine.lr
        for epoch in range(done):
            if rates is not None:
                lr = rates[steps * epoch + steps - 1]
            record.append(loss=losses[epoch], lr=lr, seconds=seconds[epoch])
            if self.watch.better(record):
                history.best_epoch = len(record)

    def descend_by_steps(self) -> None:
        """Epoch after epoch of mini-batches."""
        learner, data, bits = self.learner, self.given.data, self.learner.state.bits
        run = Run(learner, self.network, self.given, self.bar, self.fall_back)
        order = None
        if self.given.shuffle and not isinstance(data, Stream):
            order = np.arange(len(data))
        for epoch in range(1, self.given.epochs + 1):
            raise_if_stopped()
            start = time.perf_counter()
            self.before.take(learner.state)
            pass_: Pass
            if isinstance(data, Stream):
                pass_ = StreamPass(run, data, epoch)
            else:
                pass_ = ArrayPass(run, data, order, epoch)
                if order is not None:
                    order[:] = np.arange(len(order))
                    learner.engine.shuffle(order, bits.random_raw(len(order)))
            pass_.run()
            if pass_.batches == 0:  # the iterator has ended
                if epoch == 1:
                    raise ValueError("X must yield at least one mini-batch; got none")
                self.history.stopped = "data"
                break
            if what := self.not_finite():
                pass_.diverged(what, None)
            if self.end_epoch(pass_.loss, time.perf_counter() - start):
                break
            if pass_.stopped:
                self.history.stopped = "callback"
                break

    def not_finite(self) -> str | None:
        """Which of the arrays that training changes is not finite, if any."""
        for name, array in self.learner.state.numbers().items():
            if not arrays.all_finite(array):
                return name
        return None

    def descend_by_curvature(self) -> None:
        """Iteration after iteration of L-BFGS."""
        learner, given = self.learner, self.given
        assert not isinstance(given.data, Stream)
        self.before.take(learner.state)
        converged = lbfgs.fit(
            learner, given.data, given.epochs, self.record, self.end_epoch
        )
        if what := self.not_finite():
            state = self.fall_back() if self.best_epoch is not None else "before"
            complete(partial(self.put_back, self.before, bits=False))
            raise DivergenceError(
                f"{what} not finite; the network is as it was {state}"
            )
        if converged and self.history.stopped == "epochs":
            self.history.stopped = "converged"

    def end_epoch(self, loss: float, seconds: float) -> bool:
        """Record an epoch; whether to stop."""
        learner, given, history = self.learner, self.given, self.history
        learner.state.epochs += 1
        values: dict[str, float | None] = {"loss": loss, "lr": learner.engine.lr}
        if isinstance(learner.state.optimizer, LBFGS):
            values["lr"] = None
        if given.held_back is not None:
            values["validation_loss"] = learner.mean_loss(given.held_back)
        if given.measured is not None:
            values |= learner.measure(given.measured, given.metrics)
        self.record.append(**values, seconds=seconds)
        self.follow_plateau()
        better = self.watch.better(self.record, self.is_below_start)
        if better and given.restore_best:
            self.keep()
        elif better:
            history.best_epoch = len(history)
        self.warn_of_nan(self.watch.monitor, self.record.last(self.watch.monitor))
        self.bar.end_epoch(self.record)
        # Every callback is called, also after one that stops.
        answers = [is_true(call(self.network, history)) for call in given.callbacks]
        if better and given.restore_best and given.callbacks:
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
        learner = self.learner
        if learner.reducer is not self.reducer:  # a callback's optimizer has another
            self.reducer = learner.reducer
            validates = self.given.held_back is not None
            self.plateau = plateau_watch(self.reducer, self.given.metrics, validates)
        if self.plateau is not None:
            quantity, reducer = self.plateau
            value = self.record.last(quantity.name)
            self.warn_of_nan(quantity.name, value)
            learner.follow_plateau(quantity, reducer, value)
