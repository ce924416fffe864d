"""One epoch: its mini-batches from arrays or from an iterable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore.batches.batch import Batch
from bpcore.batches.stream import (
    Stream,
    batch_count,
    largest_batch,
    without_single_rows,
)
from bpcore.errors import DivergenceError
from bpcore.training.arguments import Arguments
from bpcore.training.inputs import checked_stream_batch
from bpcore.training.learner import SLICE, Learner
from bpcore.training.progress import Progress
from bpcore.training.watch import raise_if_stopped


@dataclass(frozen=True)
class Run:
    """What the epochs of a fit have in common.

    Attributes
    ----------
    network : object
        What callbacks are handed.
    bar : Progress
    fall_back : callable
        Undoes an epoch that diverged; returns what the network is then, in words.
    """

    learner: Learner
    network: object
    given: Arguments
    bar: Progress
    fall_back: Callable[[], str]


class Pass(ABC):
    """One epoch."""

    def __init__(self, run: Run, epoch: int) -> None:
        self.context, self.epoch = run, epoch
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
        raise_if_stopped()
        before, seen = (self.total, self.divisor), self.context.learner.state.seen
        most = 1 if self.context.given.batch_callbacks else 0
        descent = self.context.given.differences or self.context.learner.engine
        after, self.total, self.divisor, finite = descent.run(
            data.X, data.y, data.weight, order, size, first, *before, SLICE, most, **how
        )
        self.batches += self.context.learner.state.seen - seen
        if not finite:
            self.diverged("the loss is", self.batches + 1)
        if self.context.given.batch_callbacks:
            divisor = self.divisor - before[1]
            loss = (self.total - before[0]) / divisor if divisor else 0.0
            answers = [
                is_true(call(self.context.network, self.epoch, self.batches, loss))
                for call in self.context.given.batch_callbacks
            ]
            self.stopped = any(answers)
        return int(after)

    def diverged(self, what: str, batch: int | None) -> NoReturn:
        """Go back to the beginning of the epoch or the best one, and tell."""
        lr = self.context.learner.engine.lr
        tell(what, self.epoch, batch, lr, self.context.fall_back())


class ArrayPass(Pass):
    """One epoch over arrays, in an order or as they lie.

    The engine runs without the GIL for a slice of time, then comes back here, where the
    interpreter handles signals: an interrupt comes between two mini-batches.
    """

    def __init__(
        self,
        run: Run,
        data: Batch,
        order: NDArray[np.int64] | None,
        epoch: int,
    ) -> None:
        super().__init__(run, epoch)
        self.data, self.order = data, order
        n, joins = len(data), run.learner.design.joins_last
        batches = batch_count(n, run.given.batch_size, joins)
        self.largest = largest_batch(n, run.given.batch_size, joins)
        self.rates = run.learner.rates(ceil(batches, run.given.accumulate))

    def run(self) -> None:
        learner, size, first = self.context.learner, self.context.given.batch_size, 0
        n, begun = len(self.data), learner.state.steps
        rates = self.rates
        while first < n and not self.stopped:
            learner.reserve(self.largest, gathers=self.order is not None)
            if (
                self.context.given.batch_callbacks
            ):  # which may make steps, and change the rate
                rest = learner.rates(1)
            else:
                rest = None if rates is None else rates[learner.state.steps - begun :]
            first = self.step(self.data, self.order, size, first, ends=True, rates=rest)
            self.context.bar.advance(first)
        steps = learner.state.steps - begun
        if rates is not None and steps and not self.context.given.batch_callbacks:
            learner.engine.lr = rates[steps - 1]


class StreamPass(Pass):
    """One epoch over mini-batches from an iterable."""

    def __init__(self, run: Run, data: Stream, epoch: int) -> None:
        super().__init__(run, epoch)
        self.data = data

    def run(self) -> None:
        learner, rows = self.context.learner, 0
        batches: Iterable[Batch] = (
            checked_stream_batch(learner, item, number, self.data.class_weights)
            for number, item in enumerate(self.data.epoch(), 1)
        )
        if learner.design.joins_last:
            batches = without_single_rows(batches)
        for data in batches:
            n = len(data)
            learner.require_rows(n, f"mini-batch {self.batches + 1}: ")
            learner.reserve(n)
            rates = learner.rates(1)
            first = 0
            while first < n:
                first = self.step(data, None, n, first, ends=False, rates=rates)
            rows += n
            self.context.bar.advance(rows)
            if self.stopped:
                return
        learner.engine.flush()


def ceil(a: int, b: int) -> int:
    """The quotient, rounded up."""
    return -(-a // b)


def tell(
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


def is_true(answer: object) -> bool:
    """Whether a callback's answer is True itself, Python's or NumPy's."""
    return isinstance(answer, bool | np.bool_) and bool(answer)
