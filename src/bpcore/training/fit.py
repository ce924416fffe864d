"""One call of ``Network.fit``: the epochs, and everything between them."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bpcore.batches.batch import Batch
from bpcore.batches.maps import held_open, random_reads
from bpcore.batches.stream import Stream
from bpcore.errors import DivergenceError
from bpcore.interrupts import complete, raise_if_stopped
from bpcore.metrics import Metric
from bpcore.model.backup import Backup
from bpcore.model.snapshot import IN_MEMORY
from bpcore.model.state import ScheduleState, State
from bpcore.optimizers import LBFGS
from bpcore.training import lbfgs
from bpcore.training.arguments import Arguments, checked_arguments, require_same
from bpcore.training.epoch import (
    ArrayEpochs,
    Epoch,
    Epochs,
    EpochsInEngine,
    Run,
    SingleEpochs,
    StreamEpochs,
    is_true,
)
from bpcore.training.history import History
from bpcore.training.inputs import checked_stream_batch
from bpcore.training.learner import Learner
from bpcore.training.position import Position, Resumed, Within
from bpcore.training.progress import progress
from bpcore.training.record import Record
from bpcore.training.watch import plateau_watch
from bpcore.warn import warn

#: Most rows, and rows times parameters, of an epoch that certainly takes less than a
#: slice of time.
SHORT_ROWS = 1 << 16
SHORT_WORK = 1 << 26


def nothing() -> None:
    """Bring nothing up to date."""


def prepare(
    learner: Learner,
    network: object,
    X: Any,
    y: Any,
    options: Mapping[str, Any],
    whole: bool = True,
    resumed: Resumed | None = None,
) -> Fit:
    """Check the arguments of a fit; nothing is changed before ``run()``."""
    checked = checked_arguments(learner, network, X, y, options, whole)
    if resumed is not None:
        require_same(resumed.position, checked)
    return Fit(learner, network, checked, resumed)


class Fit:
    """One call of ``Network.fit`` with checked arguments.

    `network` is the argument of callbacks.
    """

    #: Whether wide rows in memory maps are read before they are needed.
    reads_ahead = False

    def __init__(
        self,
        learner: Learner,
        network: object,
        given: Arguments,
        resumed: Resumed | None = None,
    ) -> None:
        self.learner, self.network, self.given = learner, network, given
        self.resumed = resumed
        self.watch, self.plateau = given.watch, given.plateau

    def run(self) -> History:
        """Train.  Finished steps are kept if an error or an interrupt ends it.

        With `restore_best` the best epoch is restored, after an error too.
        """
        learner, given = self.learner, self.given
        self.record = Record()
        self.history = History(self.record)
        self.reducer = learner.reducer
        self.warned: set[str] = set()
        self.loss_before = math.inf
        #: The best epoch, and whether `best` is a copy of it; if not, the network is in
        #: the state after that epoch.
        self.best_epoch: tuple[int, bool] | None = None
        self.is_trained = self.is_over = self.is_stopped = False
        #: Recorded epochs that have been compared with the best one.
        self.compared = 0
        self.single: SingleEpochs | None = None
        #: Brings the state up to what was finished, if an interrupt ends the fit.
        self.settle: Callable[[], None] = nothing
        rows = None if isinstance(given.data, Stream) else len(given.data)
        shuffles = rows is not None and given.shuffle and given.batch_size < rows
        own = [array for data in self.own_data() for array in data.arrays]
        validation = given.held_back
        # A plain `with`, so that no interrupt can leave the network locked.
        with (
            learner.engine,
            held_open(*own, *(() if validation is None else validation.arrays)),
            random_reads(*(own if shuffles else ()), wide=self.reads_ahead),
            Backup() as self.before,
            Backup() as self.best,
            progress(given.progress, given.epochs, rows) as self.bar,
        ):
            # As they were, for `end`.
            self.accumulate, self.around = learner.accumulate, learner.running
            # `end` is called in three places: an interrupt may come just before the
            # first, and another one just before the second.
            try:
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
            finally:
                complete(self.end)
        return self.history

    def own_data(self) -> Sequence[Batch]:
        """The rows that this process trains on, if they are in arrays."""
        data = self.given.data
        return () if isinstance(data, Stream) else (data,)

    def train(self) -> None:
        """All epochs, or fewer if something stops them."""
        learner, given = self.learner, self.given
        learner.history, learner.running = self.history, self
        learner.accumulate_over(given.accumulate)
        if self.resumed is not None:
            self.go_on(self.resumed)
            for callback in (*given.callbacks, *given.batch_callbacks):
                if callable(resume := getattr(callback, "resume", None)):
                    resume(self.network, self.history)
        elif given.restore_best:
            self.begin_search()
        if isinstance(learner.state.optimizer, LBFGS):
            self.run_lbfgs()
        else:
            self.run_epochs()
        self.is_trained = True

    def end(self) -> None:
        """Restore the settings and the best epoch, if any; may be called again."""
        if self.is_over:
            return
        history = self.history
        self.settle()
        self.settle = nothing
        self.learner.accumulate_over(self.accumulate)
        # A fit within a callback has replaced the history.
        self.learner.history, self.learner.running = history, self.around
        if self.best_epoch is not None:
            epoch, copied = self.best_epoch
            self.record.shorten(max(self.compared, epoch))
            if copied and not (self.is_trained and epoch == len(history)):
                self.put_back(self.best)
            history.best_epoch = history.restored = epoch
        self.single = None  # which refers to this fit
        self.is_over = True

    # --- from one fit to another ------------------------------------------------------

    @property
    def waits_for_step(self) -> bool:
        """Whether the last mini-batch waits for others to make a step with it."""
        within = None if self.single is None else self.single.within
        given = self.given
        if within is None or within.batches % given.accumulate == 0:
            return False
        return isinstance(given.data, Stream) or within.rows < len(given.data)

    def position(self) -> Position | None:
        """How far the fit is, for another that goes on; None where none can.

        That is while a mini-batch waits for a step, and for LBFGS, whose routine in
        SciPy has a state of its own.
        """
        given, watch, single = self.given, self.watch, self.single
        if single is None or self.waits_for_step:
            return None
        within = single.within
        best = self.best_epoch
        return Position(
            settings=given.to_compare,
            history=self.history,
            best=watch.best,
            waited=watch.waited,
            compared=self.compared,
            loss_before=self.loss_before,
            taken=self._taken(single),
            within=within,
            best_epoch=None if best is None else best[0],
            best_state=self._best_state(),
            state_before=None if within is None else self.before.copy(),
        )

    def _taken(self, single: SingleEpochs) -> int:
        """Mini-batches taken from an iterable before the epoch that is not finished."""
        data = self.given.data
        if not isinstance(data, Stream):
            return 0
        return data.taken if single.within is None else single.taken

    def _best_state(self) -> State | None:
        """The state of the best epoch; of the last one with what callbacks changed."""
        if self.best_epoch is None:
            return None
        is_last = self.best_epoch[0] == len(self.history)
        if is_last and self.single is not None and self.single.within is None:
            return self.learner.state.copy(self.learner.dtype)
        return self.best.copy()

    def go_on(self, resumed: Resumed) -> None:
        """Put the network and this fit where another fit was."""
        position, learner, data = resumed.position, self.learner, self.given.data
        for backup, state in (
            (self.best, position.best_state),
            (self.before, position.state_before),
        ):
            if state is not None:  # one generator, in all states of the fit
                own = learner.with_own_arrays(state)
                own = dataclasses.replace(own, bits=resumed.state.bits)
                backup.take(own, state)
        if position.best_epoch is not None:
            self.best_epoch = position.best_epoch, True
        learner.become(resumed.state)
        history, columns = self.history, position.history.to_dict()
        if len(position.history):
            self.record.begin(columns)
        history.best_epoch = position.history.best_epoch
        self.watch.best, self.watch.waited = position.best, position.waited
        self.compared, self.loss_before = position.compared, position.loss_before
        self.renew_plateau()
        if isinstance(data, Stream):
            data.go_on_after(position.taken)
        self.bar.begin(len(self.record))
        if self.watch.is_over:
            self.is_stopped, history.stopped = True, "patience"

    # --- the best epoch ---------------------------------------------------------------

    def begin_search(self) -> None:
        """Take the network before the fit as epoch 0 of the search for the best epoch.

        The training loss of an epoch is measured during it, with dropout, so epoch 0
        has none.  Instead the loss of the training data before the first epoch is
        compared with that after a better epoch (`is_below_start`).
        """
        name = self.watch.monitor
        if name == "loss":
            value = self.training_loss()
            if value is None:
                return
            self.loss_before = value
        elif name == "validation_loss":
            value = self.validation_loss()
        else:
            metrics = [metric for metric in self.given.metrics if metric.name == name]
            value = self.measure(metrics)[name]
        if math.isnan(value):
            if name != "loss":  # for which the first step raises
                self.warn_of_nan(name, value)
            self.loss_before = math.inf
            return
        if name != "loss":
            self.watch.begin(value)
        self.keep()

    def training_loss(self) -> float | None:
        """Loss of all training data, as `evaluate` computes it; None for an iterable.

        For a sequence of mini-batches it is their mean, weighted by the sums of their
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
        factors = [weight / largest for weight in weights]
        return sum(map(operator.mul, factors, losses)) / sum(factors)

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

    def put_back(self, backup: Backup, *, bits: bool = True) -> None:
        """Restore a backup, with its generator of random numbers if `bits`."""
        backup.restore(self.learner.use, bits=bits)
        if bits:
            self.learner.stored_gradients = None

    def fall_back(self) -> str:
        """Undo an epoch that diverged; returns the network's new state in words."""
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

    # --- epochs -----------------------------------------------------------------------

    @property
    def needs_python_between_epochs(self) -> bool:
        """Whether Python code other than recording runs between two epochs.

        It is also true for epochs that may take long.
        """
        given, data, learner = self.given, self.given.data, self.learner
        if isinstance(data, Stream) or not learner.engine.runs_epochs:
            return True
        calls = given.callbacks or given.batch_callbacks or learner.design.custom_loss
        measures = given.held_back is not None or given.metrics
        stops = given.restore_best or self.watch.patience is not None
        if calls or measures or stops or given.differences is not None:
            return True
        state, n = learner.state, len(data)
        schedule = state.optimizer.schedule
        if schedule is not None and (schedule.per != "step" or schedule.plateau):
            return True
        # If every mini-batch makes a step, the number of rates is known.
        if data.weight is not None and not data.weight.all():
            return True
        if n > SHORT_ROWS or n * state.parameters.size > SHORT_WORK:
            return True
        return sum(array.nbytes for array in state.numbers().values()) > IN_MEMORY

    def epochs(self, within: Within | None = None) -> Epochs:
        """The object that makes the epochs, the first of them from `within` on."""
        data, given = self.given.data, self.given
        run = Run(self.learner, self.network, given, self.bar, self.fall_back)
        if (
            within is None
            and not isinstance(data, Stream)
            and not self.needs_python_between_epochs
        ):
            return EpochsInEngine(run, data)
        if isinstance(data, Stream):
            self.single = StreamEpochs(run, data)
        else:
            self.single = ArrayEpochs(run, data)
        self.single.within = within
        return self.single

    def run_epochs(self) -> None:
        """Epochs of mini-batches."""
        record, most, history = self.record, self.given.epochs, self.history
        within = None if self.resumed is None else self.resumed.position.within
        epochs = self.epochs(within)
        self.settle = epochs.settle
        end: Callable[[list[Epoch]], None]
        done = len(record)
        while done < most and not self.is_stopped:
            raise_if_stopped()
            number = done + 1
            if epochs.at_a_time == 1:
                if within is None:
                    self.before.take(self.learner.state)
                end = self.end_single_epoch
            else:
                end = self.end_epochs(number)
            epochs.train(number, min(most - done, epochs.at_a_time), end)
            done = len(record)
            if done < number:  # the iterator has ended
                if number == 1:
                    raise ValueError("X must yield at least one mini-batch; got none")
                history.stopped = "data"
                return
            if epochs.stopped and not self.is_stopped:
                history.stopped = "callback"
                return
            if within is not None:
                within, epochs = None, self.epochs()
                self.settle = epochs.settle

    def end_epochs(self, number: int) -> Callable[[list[Epoch]], None]:
        """A function that only records epochs, from epoch `number` on.

        It may be called again after an interrupt, and then begins anew.
        """
        record, history, learner = self.record, self.history, self.learner
        trained, best = learner.state.epochs, self.watch.best
        best_epoch = history.best_epoch

        def end(epochs: list[Epoch]) -> None:
            learner.state.epochs = trained + len(epochs)
            self.watch.best, history.best_epoch = best, best_epoch
            record.shorten(number - 1)
            for epoch in epochs:
                record.append(loss=epoch.loss, lr=epoch.lr, seconds=epoch.seconds)
                if self.watch.better(record):
                    history.best_epoch = len(record)
            if epochs:
                self.bar.end_epoch(record)

        return end

    def end_single_epoch(self, epochs: list[Epoch]) -> None:
        """End an epoch, and note whether to stop."""
        (epoch,) = epochs
        self.is_stopped = self.end_epoch(epoch.loss, epoch.seconds)

    def run_lbfgs(self) -> None:
        """Iterations of L-BFGS."""
        learner, given = self.learner, self.given
        assert not isinstance(given.data, Stream)
        self.before.take(learner.state)
        iterations = lbfgs.Iterations(
            learner, given.data, given.epochs, self.record, self.end_epoch
        )
        self.settle = iterations.put_back
        converged = iterations.run()
        complete(self.settle)
        self.settle = nothing
        if what := learner.not_finite():
            state = self.fall_back() if self.best_epoch is not None else "before"
            complete(partial(self.put_back, self.before, bits=False))
            raise DivergenceError(
                f"{what} not finite; the network is as it was {state}"
            )
        if converged and self.history.stopped == "epochs":
            self.history.stopped = "converged"

    def end_epoch(self, loss: float, seconds: float) -> bool:
        """Validate, record the epoch, call callbacks; returns whether to stop."""
        learner, given, history = self.learner, self.given, self.history
        values: dict[str, float | None] = {"loss": loss, "lr": learner.engine.lr}
        if isinstance(learner.state.optimizer, LBFGS):
            values["lr"] = None
        if given.held_back is not None:
            values["validation_loss"] = self.validation_loss()
        if given.measured is not None:
            values |= self.measure(given.metrics)
        values["seconds"] = seconds
        schedule = self.schedule_after(values)
        complete(partial(self.note, len(self.record), values, schedule))
        if self.plateau is not None:
            name = self.plateau[0].name
            self.warn_of_nan(name, self.record.last(name))
        better = self.watch.better(self.record, self.is_below_start)
        if better and given.restore_best:
            self.keep()
        elif better:
            history.best_epoch = len(history)
        self.compared = len(history)
        self.warn_of_nan(self.watch.monitor, self.record.last(self.watch.monitor))
        self.bar.end_epoch(self.record)
        stopped = self.call_back()
        if better and given.restore_best and given.callbacks:
            self.keep()  # with the changes that callbacks have made
        if stopped:
            history.stopped = "callback"
            return True
        if self.watch.is_over:
            history.stopped = "patience"
            return True
        return False

    def validation_loss(self) -> float:
        """The loss of the validation data."""
        assert self.given.held_back is not None
        return self.learner.mean_loss(self.given.held_back)

    def measure(self, metrics: Sequence[Metric]) -> dict[str, float]:
        """Metrics of the validation data, or of the training data without them."""
        assert self.given.measured is not None
        return self.learner.measure(self.given.measured, metrics)

    def call_back(self) -> bool:
        """Call every callback, also after one that stops; returns whether one does."""
        stops = [
            is_true(call(self.network, self.history)) for call in self.given.callbacks
        ]
        return any(stops)

    def renew_plateau(self) -> None:
        """Watch the quantity that the present schedule follows, if it follows one."""
        self.reducer = self.learner.reducer
        validates = self.given.held_back is not None
        self.plateau = plateau_watch(self.reducer, self.given.metrics, validates)

    def schedule_after(self, values: Mapping[str, float | None]) -> ScheduleState:
        """The schedule's state after an epoch with these values, if it follows one."""
        learner = self.learner
        if learner.reducer is not self.reducer:  # a callback has changed the optimizer
            self.renew_plateau()
        schedule = learner.state.schedule
        if self.plateau is None:
            return schedule
        quantity, reducer = self.plateau
        value = values[quantity.name]
        assert value is not None
        return schedule.after(quantity, reducer, value)

    def note(
        self, number: int, values: Mapping[str, float | None], schedule: ScheduleState
    ) -> None:
        """Record an epoch after `number` others, with the schedule; may be repeated."""
        self.record.shorten(number)
        self.record.append(**values)
        self.learner.state.schedule = schedule
