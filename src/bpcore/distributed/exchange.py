"""The exchange of one step: what mini-batches gave, and nodes of the gradients' tree.

Every process sends each other one message: a few numbers of each of its mini-batches,
their moments for batch norm, and of its nodes the other's part.  The owner of a part
adds the nodes in the order of the tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.distributed.parts import Part
from bpcore.distributed.team import Bytes, Team
from bpcore.distributed.tree import Node, nodes_within, total, with_terms


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
        self.own_part = parts[team.rank]
        self.messages: dict[tuple[int, range, bool], _Message] = {}

    def join(
        self,
        ranges: Sequence[range],
        outcomes: Sequence[Outcome],
        nodes: Sequence[Real],
    ) -> tuple[list[Outcome], Real | None]:
        """The outcomes of all mini-batches, and the summed gradient of the own part.

        Parameters
        ----------
        ranges : the numbers of each process's mini-batches in the step
        outcomes : of the own mini-batches
        nodes : the gradients of ``nodes_within`` of the own range, (size,) each;
            whatever for those without a term

        Returns
        -------
        outcomes, gradient
            No gradient if no weight of any row is above 0, or a loss is not finite.
        """
        team = self.team
        first, end = self.own_part
        messages = {
            rank: self.message(rank, ranges[rank], end - first, False)
            for rank in team.others
        }
        sends: list[Bytes | None] = [None] * team.size
        receives: list[Bytes | None] = [None] * team.size
        for rank in team.others:
            at, to = self.parts[rank]
            message = self.message(rank, ranges[team.rank], to - at, True)
            message.write(outcomes, [node[at:to] for node in nodes])
            sends[rank], receives[rank] = message.memory, messages[rank].memory
        team.exchange(sends, receives)
        found: list[Outcome] = []
        for rank in range(team.size):
            found += outcomes if rank == team.rank else messages[rank].outcomes()
        absent = [i for i, outcome in enumerate(found) if not outcome.present]
        if len(absent) == len(found) or not all(each.finite for each in found):
            return found, None
        terms: dict[Node, Real] = {}
        for rank, numbers in enumerate(ranges):
            names = nodes_within(numbers.start, numbers.stop)
            gradients: Sequence[Real] = [node[first:end] for node in nodes]
            if rank != team.rank:
                gradients = [*messages[rank].gradients]
            present = with_terms(names, absent)
            of_process = dict(zip(names, gradients, strict=True))
            terms |= {node: of_process[node] for node in present}
        return found, total(terms, len(found), _add)

    def message(self, rank: int, numbers: range, width: int, is_sent: bool) -> _Message:
        """Memory for a message to or from a process, that of the last such one."""
        key = rank, numbers, is_sent
        if key not in self.messages:
            new = _Message(numbers, width, self.moments_size, self.dtype)
            self.messages[key] = new
        return self.messages[key]


def _add(left: Real, right: Real) -> Real:
    """left + right, in the memory of `left`."""
    left += right
    return left


class _Message:
    """The memory of a message from a process with these mini-batches."""

    def __init__(
        self, numbers: range, width: int, moments_size: int, dtype: np.dtype[Any]
    ) -> None:
        count = len(nodes_within(numbers.start, numbers.stop))
        shapes: tuple[tuple[tuple[int, int], Any], ...] = (
            ((len(numbers), NUMBERS), np.dtype(np.float64)),
            ((len(numbers), moments_size), dtype),
            ((count, width), dtype),
        )
        sizes = [rows * columns * kind.itemsize for (rows, columns), kind in shapes]
        self.memory = np.empty(sum(sizes), np.uint8)
        views, at = list[NDArray[Any]](), 0
        for (shape, kind), size in zip(shapes, sizes, strict=True):
            views.append(self.memory[at : at + size].view(kind).reshape(shape))
            at += size
        self.numbers, self.moments, self.gradients = views

    def write(self, outcomes: Sequence[Outcome], nodes: Sequence[Real]) -> None:
        for row, moments, outcome in zip(
            self.numbers, self.moments, outcomes, strict=True
        ):
            row[...] = outcome[:NUMBERS]
            if outcome.moments is not None:
                moments[...] = outcome.moments
        for own, node in zip(self.gradients, nodes, strict=True):
            own[...] = node

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
