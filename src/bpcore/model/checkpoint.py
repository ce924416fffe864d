"""The way back: a network's state as it was, to be put in place again."""

from __future__ import annotations

import dataclasses
from typing import Any

from bpcore.model.snapshot import Snapshot
from bpcore.model.state import State


class Checkpoint:
    """A copy of a State, in memory, or in a temporary file if it is large.

    What a callback may put in place of it, such as another optimizer with arrays of its
    own, is undone too.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.model.checkpoint import Checkpoint
    >>> net = bp.Network([1, 1], init="zeros")
    >>> with Checkpoint() as checkpoint:
    ...     checkpoint.take(net.learner.state)
    ...     loss = net.train_step([[1.0]], [[2.0]])
    ...     net.learner.use(checkpoint.restored())
    >>> net.parameters, net.learner.state.steps
    (array([0., 0.], dtype=float32), 0)
    """

    def __init__(self) -> None:
        self._snapshot = Snapshot()

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *exception: object) -> None:
        self._snapshot.__exit__(*exception)

    def take(self, state: State) -> None:
        """Copy it, in place of what was copied before."""
        self._state, self._bits = dataclasses.replace(state), state.bits.state
        self._arrays: list[Any] = [state.counters, *state.numbers().values()]
        self._snapshot.take(self._arrays)

    def restored(self, *, bits: bool = True) -> State:
        """The state as it was, in its own arrays; for ``Learner.use``.

        `bits` tells whether its random words are put back too.
        """
        self._snapshot.restore(self._arrays)
        state = dataclasses.replace(self._state)
        if bits:
            state.bits.state = self._bits
        return state
