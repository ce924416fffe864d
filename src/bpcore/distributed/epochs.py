"""Epochs over shards: each step takes a mini-batch from every shard with rows left."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.batches.maps import mapped_rows
from bpcore.batches.stream import batch_count
from bpcore.distributed.exchange import Exchange, Outcome, Pending
from bpcore.distributed.norm import factor, norm
from bpcore.distributed.parts import Part
from bpcore.distributed.shards import Shards
from bpcore.distributed.sums import Join, Sums
from bpcore.distributed.team import Team
from bpcore.engine.memory import aligned_zeros
from bpcore.interrupts import raise_if_stopped
from bpcore.training.epoch import Epoch, Run, SingleEpochs
from bpcore.training.position import Within


class ShardedEpochs(SingleEpochs):
    """Epochs of a fit on several processes.

    In each, every shard is shuffled by a stream of its own, whose seed is one number of
    the network's random bits.
    """

    def __init__(
        self,
        run: Run,
        data: Shards,
        team: Team,
        parts: Sequence[Part],
    ) -> None:
        super().__init__(run)
        self.data, self.team, self.parts = data, team, parts
        learner = run.learner
        joins = learner.design.joins_last
        size = run.given.batch_size
        self.batches_of = [batch_count(n, size, joins) for n in data.sizes]
        self.count = sum(self.batches_of)
        self.exchange = Exchange(team, parts, learner.state.moments.size, learner.dtype)
        self.mapped = {k: mapped_rows(*own.arrays) for k, own in data.own.items()}
        #: Memory for the nodes of the gradients' tree.
        self.spare: list[Real] = []

    def train(
        self, number: int, count: int, record: Callable[[list[Epoch]], None]
    ) -> None:
        def with_seconds(epochs: list[Epoch]) -> None:
            """Record the epoch with the time that it took process 0."""
            (epoch,) = epochs
            seconds = self.team.broadcast(lambda: epoch.seconds)
            record([epoch._replace(seconds=seconds)])

        super().train(number, count, with_seconds)

    def not_finite(self) -> str | None:
        """The first array that is not finite in any process."""
        found = self.team.all_gather(super().not_finite())
        names = [name for name in found if name is not None]
        order = [*self.run.learner.state.numbers()]
        return min(names, key=order.index) if names else None

    def go_through(self, begun: Within) -> None:
        orders = self.orders()
        count = len(self.data.sizes)
        for step in range(max(self.batches_of)):
            active = [k for k in range(count) if step < self.batches_of[k]]
            self.make_step(step, active, orders)

    def orders(self) -> dict[int, NDArray[np.int64] | None]:
        """The order of the rows of each own shard in this epoch."""
        own, state = self.data.own, self.run.learner.state
        if not self.run.given.shuffle:
            return dict.fromkeys(own)
        seeds = state.bits.random_raw(len(self.data.sizes))
        orders: dict[int, NDArray[np.int64] | None] = {}
        for k, batch in own.items():
            order = np.arange(len(batch))
            words = np.random.PCG64(int(seeds[k])).random_raw(len(batch))
            self.run.learner.engine.shuffle(order, words)
            orders[k] = order
        return orders

    def make_step(
        self,
        step: int,
        active: list[int],
        orders: dict[int, NDArray[np.int64] | None],
    ) -> None:
        """One step from the next mini-batch of every active shard."""
        raise_if_stopped()
        learner = self.run.learner
        rates = learner.rates(1)
        lr = learner.engine.lr if rates is None else float(rates[0])
        ranges = self.numbers_of(active)
        pending = self.exchange.begin(ranges)
        outcomes, nodes = self.own_sums(
            step, active, ranges[self.team.rank], orders, pending
        )
        found, gradient = pending.finish(outcomes, nodes)
        self.spare += nodes
        waiting = 0.0
        for number, outcome in enumerate(found, 1):
            if not outcome.finite:
                self.run.diverged("the loss is", self.number, self.batches + number)
            waiting += outcome.divisor
            self.total += outcome.total
            self.divisor += outcome.divisor
        self.begin_steps()
        if gradient is None:
            learner.state.counters[1] += len(found)
        else:
            self.descend(gradient, waiting, lr, found)
        self.end_steps()
        self.run.bar.advance(
            sum(min(n, (step + 1) * self.run.given.batch_size) for n in self.data.sizes)
        )

    def numbers_of(self, active: list[int]) -> list[range]:
        """The numbers in the step of each process's mini-batches."""
        count, size = len(self.data.sizes), self.team.size
        ends = [bisect_left(active, count * rank // size) for rank in range(size + 1)]
        return [range(ends[rank], ends[rank + 1]) for rank in range(size)]

    def own_sums(
        self,
        step: int,
        active: list[int],
        numbers: range,
        orders: dict[int, NDArray[np.int64] | None],
        pending: Pending,
    ) -> tuple[list[Outcome], list[Real]]:
        """The gradients of the own mini-batches, summed to as few nodes as there are.

        Those of the last are added and sent layer by layer.  After a mini-batch that is
        not finite the rest is not computed.
        """
        self.read_ahead(step, [active[number] for number in numbers], orders)
        outcomes: list[Outcome] = []
        sums = Sums(numbers.start, self.spare)
        finite = True
        for number in numbers:
            gradient = self.memory()
            join = sums.join_next(gradient)
            report = None
            if number == numbers[-1] and self.sends_layers:
                report = partial(self.send_layer, sums, join, pending)
            if finite:
                outcome = self.learn(
                    step, active[number], number, orders, gradient, report
                )
                finite = outcome.finite
            else:
                outcome = Outcome(0.0, 0.0, False, False, 0, None)
            outcomes.append(outcome)
            if finite:
                join.add(0, outcome.present)
            sums.keep(join, outcome.present)
        return outcomes, sums.nodes

    def read_ahead(
        self, step: int, shards: list[int], orders: dict[int, NDArray[np.int64] | None]
    ) -> None:
        """Let the system read the rows of a step that lie in memory maps."""
        for k in shards:
            order = orders[k]
            if order is not None:
                numbers = order[slice(*self.rows_of(step, k))]
                for rows in self.mapped[k]:
                    rows.read_ahead(numbers)

    @property
    def sends_layers(self) -> bool:
        """Whether layers are sent as they are computed, the last first.

        The scale of the inputs comes last too, but lies behind all layers.
        """
        return self.team.size > 1 and not self.run.learner.design.layout.has_scale

    def send_layer(self, sums: Sums, join: Join, pending: Pending, l: int) -> None:
        """Add the gradients from layer l on to the sums, and send what is complete."""
        at = self.run.learner.design.layout.offsets[l].W
        join.add(at, True)
        pending.send([*sums.before(join), join.result(True)], at)

    def learn(
        self,
        step: int,
        k: int,
        number: int,
        orders: dict[int, NDArray[np.int64] | None],
        gradient: Real,
        report: Callable[[int], None] | None,
    ) -> Outcome:
        """The gradient of a mini-batch of shard k."""
        learner, batch = self.run.learner, self.data.own[k]
        first, end = self.rows_of(step, k)
        n = end - first
        moments = learner.new_moments()
        total, divisor, present, finite = learner.engine.gradient_in_step(
            *(batch.X, batch.y, batch.weight, orders[k], first, n, number),
            *(gradient, moments, report),
        )
        return Outcome(total, divisor, present, finite, n, moments)

    def rows_of(self, step: int, k: int) -> tuple[int, int]:
        """The first row of a step's mini-batch of shard k in its order, and the end."""
        size, last = self.run.given.batch_size, step == self.batches_of[k] - 1
        return step * size, len(self.data.own[k]) if last else (step + 1) * size

    def memory(self) -> Real:
        """Memory for a gradient."""
        if self.spare:
            return self.spare.pop()
        parameters = self.run.learner.state.parameters
        return aligned_zeros(parameters.size, parameters.dtype)

    def descend(
        self, gradient: Real, divisor: float, lr: float, found: list[Outcome]
    ) -> None:
        """One step of the optimizer on the own part; then the parts are gathered."""
        learner, team = self.run.learner, self.team
        followed = [
            (each.moments, each.rows)
            for each in found
            if each.present and each.moments is not None
        ]
        moments = np.array([each for each, _ in followed], learner.dtype)
        rows = np.array([n for _, n in followed], np.int64)
        engine, scale = learner.engine, 1 / divisor
        most = learner.state.optimizer.clip_norm
        if most:
            scale = factor(scale, norm(engine, gradient, team.gather_numbers), most)
        engine.step_from_sum(gradient, scale, lr, moments, rows, len(found))
        team.gather_parts(learner.state.parameters, self.parts)
        engine.parts_joined()
