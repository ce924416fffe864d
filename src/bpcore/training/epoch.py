"""Epochs of a fit: from arrays or an iterable, several at a time or one by one."""

from __future__ import annotations

import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore.batches.batch import Batch
from bpcore.batches.stream import Stream, batch_count, without_single_rows
from bpcore.checks import BOOLEANS
from bpcore.errors import DivergenceError
from bpcore.interrupts import complete, raise_if_stopped
from bpcore.model.state import State
from bpcore.training.arguments import Arguments
from bpcore.training.inputs import checked_stream_batch
from bpcore.training.learner import Learner
from bpcore.training.position import Within
from bpcore.training.progress import Progress
from bpcore.training.stepper import Stepper

#: The most epochs that run in one call of the engine.
MOST_EPOCHS = 4096


class Epoch(NamedTuple):
    """The results of an epoch: its mean loss, last learning rate and duration."""

    loss: float
    lr: float
    seconds: float


class Run(NamedTuple):
    """The arguments and objects that all epochs of a fit use.

    Attributes
    ----------
    network : object
        The argument of callbacks.
    bar : Progress
    fall_back : callable
        Undoes an epoch that diverged; returns the state of the network after it in
        words.
    """

    learner: Learner
    network: object
    given: Arguments
    bar: Progress
    fall_back: Callable[[], str]

    def diverged(self, what: str, epoch: int, batch: int | None) -> NoReturn:
        """Undo the epoch, and raise DivergenceError."""
        lr = self.learner.engine.lr
        raise_divergence(what, epoch, batch, lr, self.fall_back())


class Epochs(ABC):
    """Makes epochs, each one pass over the training data.

    Attributes
    ----------
    at_a_time : int
        Most epochs of one call of `train`.
    stopped : bool
        Whether a callback for mini-batches has returned True.
    """

    at_a_time = 1

    def __init__(self, run: Run) -> None:
        self.run, self.stopped = run, False

    @abstractmethod
    def train(
        self, number: int, count: int, record: Callable[[list[Epoch]], None]
    ) -> None:
        """Make up to `count` epochs, from epoch `number` on, and record them.

        None is recorded if an iterator has ended.
        """

    @abstractmethod
    def settle(self) -> None:
        """Count the epochs that are finished, after an interrupt; may be repeated."""


class EpochsInEngine(Epochs):
    """Epochs over arrays in one call of the engine, without Python in between.

    For small networks the Python code between two epochs takes longer than an epoch,
    and networks in several threads would wait for each other's Python code.
    """

    at_a_time = MOST_EPOCHS

    def __init__(self, run: Run, data: Batch) -> None:
        super().__init__(run)
        given = run.given
        self.data, joins = data, run.learner.design.joins_last
        self.batches = batch_count(len(data), given.batch_size, joins)
        self.steps = -(-self.batches // given.accumulate)
        self.last = 8  # epochs of the last call
        #: Records what the engine has done, from before its call until that is noted.
        self.finish: Callable[[], None] | None = None

    def train(
        self, number: int, count: int, record: Callable[[list[Epoch]], None]
    ) -> None:
        learner, given, data = self.run.learner, self.run.given, self.data
        state = learner.state
        numbers = state.numbers()
        if learner.scheduled:  # rates for twice the epochs of the last call
            count = min(count, 2 * self.last)
        rates = learner.rates(count * self.steps)
        losses, seconds = np.empty(count), np.empty(count)
        seconds.fill(-1)
        bits = state.bits if given.shuffle else None
        self.finish = partial(self.note, record, state, losses, seconds, rates)
        _, batch = learner.engine.run_epochs(
            *(data.X, data.y, data.weight, bits, given.batch_size),
            *(losses, seconds, rates, [*numbers.values()]),
        )
        complete(self.settle)
        self.run.bar.advance(self.last * len(data))
        if batch:
            what = "the loss is" if batch > 0 else [*numbers][-batch - 1]
            number += self.last
            raise_divergence(what, number, max(batch, 0), learner.engine.lr)

    def settle(self) -> None:
        if self.finish is not None:
            self.finish()
            self.finish = None

    def note(
        self,
        record: Callable[[list[Epoch]], None],
        state: State,
        losses: NDArray[np.float64],
        seconds: NDArray[np.float64],
        rates: NDArray[np.float64] | None,
    ) -> None:
        """Record the finished epochs, those whose `seconds` are written.

        The engine's rate is then that of the last step, unless the state was replaced.
        """
        engine = self.run.learner.engine
        durations = [each for each in seconds.tolist() if each >= 0]
        self.last = n = len(durations)
        if rates is None:
            lrs = [engine.lr] * n
        else:
            if n and engine.state is state:
                engine.lr = rates[self.steps * n - 1]
            lrs = rates[self.steps - 1 : self.steps * n : self.steps].tolist()
        parts = zip(losses[:n].tolist(), lrs, durations, strict=True)
        record([Epoch(loss, lr, duration) for loss, lr, duration in parts])


class SingleEpochs(Epochs):
    """Epochs one by one, with callbacks for their mini-batches.

    An epoch counts once its last mini-batch is used, also if an interrupt comes just
    then: the schedule of the next fit must not lag behind.

    Attributes
    ----------
    within : Within or None
        How far the epoch is, for callbacks of mini-batches.  If it is set before
        `train`, the epoch goes on from there.
    """

    within: Within | None = None
    #: Mini-batches taken from an iterable since it was begun, before this epoch.
    taken = 0
    #: Mini-batches of an epoch; None if that is not known before its end.
    count: int | None = None
    #: Whether this epoch has been counted.
    counted = True
    #: Mini-batches of this epoch, and while some are made, the state's `seen` before.
    _done: tuple[int, int | None] = (0, None)

    @property
    def batches(self) -> int:
        """Mini-batches of this epoch that were used."""
        batches, seen = self._done
        return batches if seen is None else batches + self.run.learner.state.seen - seen

    def begin_steps(self) -> None:
        """Note that mini-batches are being used: `batches` then follows the state."""
        self._done = self.batches, self.run.learner.state.seen

    def end_steps(self) -> None:
        """Note that these mini-batches are done; callbacks may make other steps."""
        self._done = self.batches, None

    def settle(self) -> None:
        if not self.counted and self.batches == self.count:
            self.count_epoch()

    def count_epoch(self) -> None:
        """Add this epoch to those of the state."""
        state = self.run.learner.state
        epochs = state.epochs + 1
        # Without a call in between: no interrupt can leave only one of them set.
        state.epochs, self.counted = epochs, True

    def train(
        self, number: int, count: int, record: Callable[[list[Epoch]], None]
    ) -> None:
        start, run = time.perf_counter(), self.run
        begun = self.within or Within()
        self.number, self.total, self.divisor = number, begun.total, begun.divisor
        self._done, self.counted = (begun.batches, None), False
        seen = run.learner.state.seen
        self.go_through(begun)
        if begun.lr is not None and run.learner.state.seen == seen:
            run.learner.engine.lr = begun.lr  # all mini-batches were before
        self.within = None
        if self.batches == 0:
            return
        self.count_epoch()
        if what := self.not_finite():
            run.diverged(what, number, None)
        loss = self.total / self.divisor if self.divisor else 0.0
        seconds = time.perf_counter() - start
        record([Epoch(loss, run.learner.engine.lr, seconds)])

    def not_finite(self) -> str | None:
        """The first array of the state that is not finite, or None."""
        return self.run.learner.not_finite()

    @abstractmethod
    def go_through(self, begun: Within) -> None:
        """One pass over the data, or what is left of it."""

    def step(
        self, data: Batch, order: Any, size: int, first: int, done: int, **how: Any
    ) -> int:
        """Make steps from row `first` on; returns the row to go on from.

        `done` are rows of the epoch before this data.
        """
        raise_if_stopped()
        run, given, learner = self.run, self.run.given, self.run.learner
        learner.require_steps()  # a callback may have assigned another optimizer
        before = self.total, self.divisor
        most = 1 if given.batch_callbacks else 0
        stepper: Stepper = given.differences or learner.engine
        self.begin_steps()
        after, self.total, self.divisor, finite = stepper.run(
            data.X, data.y, data.weight, order, size, first, *before, most, **how
        )
        self.end_steps()
        if not finite:
            run.diverged("the loss is", self.number, self.batches + 1)
        if given.batch_callbacks:
            divisor = self.divisor - before[1]
            loss = (self.total - before[0]) / divisor if divisor else 0.0
            rows, lr = done + int(after), learner.engine.lr
            self.within = Within(rows, self.batches, self.total, self.divisor, lr)
            stops = [
                is_true(call(run.network, self.number, self.batches, loss))
                for call in given.batch_callbacks
            ]
            self.stopped = any(stops)
        return int(after)


class ArrayEpochs(SingleEpochs):
    """Epochs over arrays, shuffled or not."""

    def __init__(self, run: Run, data: Batch) -> None:
        super().__init__(run)
        self.data, given = data, run.given
        joins = run.learner.design.joins_last
        self.count = batch_count(len(data), given.batch_size, joins)
        self.steps = -(-self.count // given.accumulate)
        self.order = np.empty(len(data), np.int64) if given.shuffle else None

    def go_through(self, begun: Within) -> None:
        learner, given, state = self.run.learner, self.run.given, self.run.learner.state
        n, first, steps_before = len(self.data), begun.rows, state.steps
        rates = learner.rates(self.steps)
        order = self.order
        if order is not None:
            order[:] = np.arange(n)
            bits = state.bits if begun.bits is None else begun.bits
            learner.engine.shuffle(order, bits.random_raw(n))
        while first < n and not self.stopped:
            if given.batch_callbacks:  # they may make steps and change the rate
                rates = learner.rates(1)
            first = self.step(
                *(self.data, order, given.batch_size, first, 0),
                ends=True,
                rates=rates,
                progress=self.run.bar.advance,
            )
        steps = state.steps - steps_before
        unchanged = learner.state is state and not given.batch_callbacks
        if rates is not None and steps and unchanged:
            learner.engine.lr = rates[steps - 1]


class StreamEpochs(SingleEpochs):
    """Epochs over mini-batches from an iterable."""

    def __init__(self, run: Run, data: Stream) -> None:
        super().__init__(run)
        self.data = data

    def go_through(self, begun: Within) -> None:
        learner, weights = self.run.learner, self.data.class_weights
        self.taken = self.data.taken
        batches: Iterable[Batch] = (
            checked_stream_batch(learner, item, number, weights)
            for number, item in enumerate(self.data.epoch(), 1)
        )
        if learner.design.joins_last:
            batches = without_single_rows(batches)
        rows = begun.rows
        for data in itertools.islice(batches, begun.batches, None):
            n = len(data)
            learner.require_rows(n, f"mini-batch {self.batches + 1}: ")
            self.step(data, None, n, 0, rows, ends=False, rates=learner.rates(1))
            rows += n
            self.run.bar.advance(rows)
            if self.stopped:
                return
        learner.engine.flush()


def raise_divergence(
    what: str,
    epoch: int,
    batch: int | None,
    lr: float,
    state: str = "before that epoch",
) -> NoReturn:
    """Raise DivergenceError; the network was set back to its state ``before ...``."""
    where = f"in epoch {epoch}, mini-batch {batch}" if batch else f"after epoch {epoch}"
    advice = f"try an lr below {lr}"
    if (epoch, batch) == (1, 1):  # no step was made
        advice = "look at the parameters, the data and the loss"
    raise DivergenceError(
        f"{what} not finite {where}; the network is as it was {state}; {advice}",
        epoch,
        batch or None,
    )


def is_true(result: object) -> bool:
    """Whether the result of a callback is True itself, Python's or NumPy's."""
    return isinstance(result, BOOLEANS) and bool(result)
