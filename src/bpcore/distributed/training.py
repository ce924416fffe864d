"""A fit on several processes: what differs from that of one, in the same order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.distributed.agreement import digest
from bpcore.distributed.epochs import ShardedEpochs
from bpcore.distributed.parts import Part, divided, parts, united
from bpcore.distributed.shards import Shards
from bpcore.distributed.states import packed, unpacked
from bpcore.distributed.team import Team, common
from bpcore.errors import DivergenceError
from bpcore.metrics import Metric
from bpcore.model.state import State
from bpcore.training.arguments import Arguments
from bpcore.training.epoch import Epochs, Run
from bpcore.training.fit import Fit
from bpcore.training.history import History
from bpcore.training.learner import Learner
from bpcore.training.position import Resumed, Within


class ShardedFit(Fit):
    """A fit in which every process makes the same decisions from the same numbers.

    While it trains, each process has the optimizer's arrays of its part only.  Process
    0 measures the validation data and calls the callbacks; the others take over its
    results.
    """

    reads_ahead = True

    def __init__(
        self,
        learner: Learner,
        network: object,
        given: Arguments,
        resumed: Resumed | None,
        data: Shards,
        team: Team,
    ) -> None:
        super().__init__(learner, network, given, resumed)
        self.team, self.shards = team, data
        self.layout = learner.design.layout
        self.parts: list[Part] = parts(self.layout.size, team.size)
        #: The best epoch's state with all arrays, while process 0 calls callbacks.
        self.whole_best: State | None = None

    def run(self) -> History:
        self.divide()
        try:
            return super().run()
        except BaseException as error:
            if isinstance(error, DivergenceError) and not self.team.failed:
                common(error)  # all have found the same
            elif not self.team.failed:
                self.team.fail(error)
            raise
        finally:
            self.unite()

    def own_data(self) -> list[Batch]:
        """The shards of this process."""
        return [*self.shards.own.values()]

    # --- the optimizer's state, divided -----------------------------------------------

    @property
    def part(self) -> Part:
        """The parameters of this process."""
        return self.parts[self.team.rank]

    @property
    def divides(self) -> bool:
        """Whether there are other processes to divide anything with."""
        return self.team.size > 1

    def divide(self) -> None:
        """Keep the optimizer's arrays of the own part only."""
        if not self.divides:
            return
        self.learner.use(divided(self.learner.state, self.layout, self.part))
        if self.resumed is not None:
            self.resumed = Resumed(
                dataclasses.replace(
                    self.resumed.position,
                    best_state=self._divided(self.resumed.position.best_state),
                    state_before=self._divided(self.resumed.position.state_before),
                ),
                divided(self.resumed.state, self.layout, self.part),
            )

    def _divided(self, state: State | None) -> State | None:
        return None if state is None else divided(state, self.layout, self.part)

    def unite(self) -> None:
        """Take back the optimizer's arrays of all parts.

        After a failure those of the others are lost: then all begin anew.
        """
        learner = self.learner
        if learner.state.part is None:
            return
        arrays = learner.state.optimizer_arrays
        found: list[tuple[Part, Real]] = []
        if not self.team.failed and arrays is not None:
            every = self.team.all_gather(arrays)
            found = list(zip(self.parts, every, strict=True))
        learner.use(united(learner.state, self.layout, found))

    def united_in_first(self, state: State) -> State:
        """The state with the arrays of all parts in process 0; as it is elsewhere."""
        arrays = state.optimizer_arrays
        if arrays is None:
            return dataclasses.replace(state, part=None)
        found = self.team.gather_to_first(arrays)
        if found is None:
            return state
        every = list(zip(self.parts, found, strict=True))
        return united(state, self.layout, every)

    # --- what process 0 does for all --------------------------------------------------

    def validation_loss(self) -> float:
        return self.team.broadcast(super().validation_loss)

    def measure(self, metrics: Sequence[Metric]) -> dict[str, float]:
        inner = super().measure
        return self.team.broadcast(lambda: inner(metrics))

    def warn_of_nan(self, name: str, value: float) -> None:
        if self.team.rank == 0:
            super().warn_of_nan(name, value)

    def call_back(self) -> bool:
        """The callbacks of process 0, and what they change."""
        if not self.given.callbacks:
            return False
        team, learner = self.team, self.learner
        if not self.divides:
            return super().call_back()
        own = learner.state.optimizer_arrays
        whole = self.united_in_first(learner.state)
        if self.best_epoch is not None:
            self.whole_best = self.united_in_first(self.best.copy())
        if team.rank == 0:
            learner.use(whole)
        stopped, changed = team.broadcast(self._call_in_first)
        self.whole_best = None
        if changed is not None:
            self.take_over(changed)
        elif team.rank == 0:
            state = learner.state
            learner.use(
                dataclasses.replace(state, optimizer_arrays=own, part=self.part)
            )
        return stopped

    def _call_in_first(self) -> tuple[bool, bytes | None]:
        """Whether a callback stops the fit, and the state if any has changed it."""
        state = self.learner.state
        known, before = state.optimizer, (digest(state), repr(state.optimizer))
        stopped = super().call_back()
        state = self.learner.state
        if (digest(state), repr(state.optimizer)) == before:
            return stopped, None
        return stopped, packed(state, known)

    def take_over(self, changed: bytes) -> None:
        """Replace the state by that of process 0, after its callbacks."""
        learner = self.learner
        bits = learner.state.bits
        state = unpacked(changed, learner)
        bits.state = state.bits.state
        state = dataclasses.replace(state, bits=bits)
        learner.become(divided(state, self.layout, self.part))

    def _best_state(self) -> State | None:
        """That of a file: process 0 writes it, with the arrays of all parts."""
        if not self.divides or self.best_epoch is None:
            return super()._best_state()
        if self.best_epoch[0] == len(self.history):
            return self.learner.state.copy(self.learner.dtype)
        return self.whole_best

    # --- the data ---------------------------------------------------------------------

    @property
    def needs_python_between_epochs(self) -> bool:
        return True

    def epochs(self, within: Within | None = None) -> Epochs:
        run = Run(self.learner, self.network, self.given, self.bar, self.fall_back)
        self.single = ShardedEpochs(run, self.shards, self.team, self.parts)
        self.single.within = within
        return self.single

    def training_loss(self) -> float | None:
        """The mean of the shards' losses, weighted by the sums of their weights."""
        learner = self.learner
        own = {}
        for k, batch in self.shards.own.items():
            weight = batch.weight
            total = float(len(batch))
            if weight is not None:
                total = float(weight.sum()) / (weight.size / len(weight))
            own[k] = total, learner.mean_loss(batch) if total else 0.0
        found: dict[int, tuple[float, float]] = {}
        for of_process in self.team.all_gather(own):
            found |= of_process
        total = loss = 0.0
        for k in sorted(found):
            weight_sum, mean = found[k]
            total, loss = total + weight_sum, loss + weight_sum * mean
        return loss / total
