"""The exchange of one step: what mini-batches gave, and nodes of the gradients' tree.

Every process sends each other two messages: of its nodes the other's part, as soon as
the layers in it are computed; and in the end a few numbers of each of its mini-batches,
with their moments for batch norm.  The owner of a part adds the nodes in the order of
the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bpcore.arrays import Real
from bpcore.distributed.parts import Part
from bpcore.distributed.team import Bytes, Team
from bpcore.distributed.tree import Node, nodes_within, total, with_terms
from bpcore.errstate import own_errstate


class Outcome(NamedTuple):
    """What one mini-batch gave.

    Attributes
    ----------
    total, divisor : float
        sum(w E), and the divisor of its mean.
    present : bool
        Whether any weight is above 0.
    finite : bool
        Whether its loss and moments are.
    rows : int
    moments : array or None
        Of batch norm.
    """

    total: float
    divisor: float
    present: bool
    finite: bool
    rows: int
    moments: Real | None


#: The numbers of an outcome, as they are sent.
NUMBERS = 5


class Exchange:
    """The messages of the steps of a fit.

    Parameters
    ----------
    team : Team
    parts : list of (first, end)
        The parameters of each process.
    moments_size : int
        Moments of one mini-batch.
    """

    def __init__(
        self, team: Team, parts: Sequence[Part], moments_size: int, dtype: np.dtype[Any]
    ) -> None:
        self.team, self.parts, self.dtype = team, parts, dtype
        self.moments_size = moments_size
        #: Messages of the last step, by rank and whether they are sent.
        self.memory: dict[tuple[int, bool], tuple[range, _Facts, Real]] = {}

    def begin(self, ranges: Sequence[range]) -> Pending:
        """The exchange of one step; `ranges` are each process's mini-batches in it."""
        return Pending(self, ranges)

    def messages(
        self, rank: int, numbers: range, width: int, is_sent: bool
    ) -> tuple[_Facts, Real]:
        """Memory for what a process sends or gets, that of the last step if it fits."""
        last, facts, memory = self.memory.get((rank, is_sent), (None, None, None))
        if facts is None or memory is None or last != numbers:
            nodes = nodes_within(numbers.start, numbers.stop)
            facts = _Facts(len(numbers), self.moments_size, self.dtype)
            memory = np.empty((len(nodes), width), self.dtype)
            self.memory[rank, is_sent] = numbers, facts, memory
        return facts, memory


class Pending:
    """The exchange of one step: begun with it, so that layers are sent as they come."""

    def __init__(self, exchange: Exchange, ranges: Sequence[range]) -> None:
        self.exchange, self.team, self.ranges = exchange, exchange.team, ranges
        self.first, self.end = exchange.parts[self.team.rank]
        self.unsent = self.team.others
        self.received = {
            rank: exchange.messages(rank, ranges[rank], self.end - self.first, False)
            for rank in self.team.others
        }
        gradients, facts = self._nothing(), self._nothing()
        for rank, (facts_of, nodes) in self.received.items():
            gradients[rank], facts[rank] = _bytes_of(nodes), facts_of.memory
        self.requests = self.team.post(self._nothing(), gradients)
        self.requests += self.team.post(self._nothing(), facts)

    def _nothing(self) -> list[Bytes | None]:
        return [None] * self.team.size

    def _to(self, rank: int) -> tuple[_Facts, Real]:
        at, to = self.exchange.parts[rank]
        numbers = self.ranges[self.team.rank]
        return self.exchange.messages(rank, numbers, to - at, True)

    def send(self, nodes: Sequence[Real], complete: int) -> None:
        """Send their parts to those whose parts begin at `complete` or after it.

        `nodes` are the gradients of ``nodes_within`` of the own range, (size,) each, of
        which the parameters from `complete` on are summed.
        """
        sends = self._nothing()
        parts = self.exchange.parts
        for rank in [rank for rank in self.unsent if parts[rank][0] >= complete]:
            at, to = parts[rank]
            _, memory = self._to(rank)
            for own, node in zip(memory, nodes, strict=True):
                own[...] = node[at:to]
            sends[rank] = _bytes_of(memory)
            self.unsent.remove(rank)
        self.requests += self.team.post(sends, self._nothing())

    def finish(
        self, outcomes: Sequence[Outcome], nodes: Sequence[Real]
    ) -> tuple[list[Outcome], Real | None]:
        """The outcomes of all mini-batches, and the summed gradient of the own part.

        Parameters
        ----------
        outcomes : of the own mini-batches
        nodes : their sums, as for `send`; whatever for those without a term

        Returns
        -------
        outcomes, gradient
            No gradient if no weight of any row is above 0, or a loss is not finite.
        """
        team = self.team
        self.send(nodes, 0)
        sends = self._nothing()
        for rank in team.others:
            facts, _ = self._to(rank)
            facts.write(outcomes)
            sends[rank] = facts.memory
        self.requests += team.post(sends, self._nothing())
        team.wait(self.requests)
        found: list[Outcome] = []
        for rank in range(team.size):
            own = rank == team.rank
            found += outcomes if own else self.received[rank][0].outcomes()
        absent = [i for i, outcome in enumerate(found) if not outcome.present]
        if len(absent) == len(found) or not all(each.finite for each in found):
            return found, None
        terms: dict[Node, Real] = {}
        for rank, numbers in enumerate(self.ranges):
            gradients = [node[self.first : self.end] for node in nodes]
            if rank != team.rank:
                gradients = [*self.received[rank][1]]
            names = nodes_within(numbers.start, numbers.stop)
            of_process = dict(zip(names, gradients, strict=True))
            terms |= {node: of_process[node] for node in with_terms(names, absent)}
        return found, total(terms, len(found), _add)


@own_errstate
def _add(left: Real, right: Real) -> Real:
    """left + right, in the memory of `left`."""
    left += right
    return left


def _bytes_of(array: Real) -> Bytes:
    return array.reshape(-1).view(np.uint8)


class _Facts:
    """The numbers and moments of some mini-batches, in one piece of memory."""

    def __init__(self, count: int, moments_size: int, dtype: np.dtype[Any]) -> None:
        ends = NUMBERS * 8 * count
        self.memory = np.empty(ends + count * moments_size * dtype.itemsize, np.uint8)
        self.numbers = self.memory[:ends].view(np.float64).reshape(count, NUMBERS)
        self.moments = self.memory[ends:].view(dtype).reshape(count, moments_size)

    def write(self, outcomes: Sequence[Outcome]) -> None:
        for row, moments, outcome in zip(
            self.numbers, self.moments, outcomes, strict=True
        ):
            row[...] = outcome[:NUMBERS]
            if outcome.moments is not None:
                moments[...] = outcome.moments

    def outcomes(self) -> list[Outcome]:
        return [
            Outcome(
                total,
                divisor,
                present=bool(present),
                finite=bool(finite),
                rows=int(rows),
                moments=moments if len(moments) else None,
            )
            for (total, divisor, present, finite, rows), moments in zip(
                self.numbers.tolist(), self.moments, strict=True
            )
        ]
