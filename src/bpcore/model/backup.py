"""Backup: a copy of a State, to be restored later."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bpcore.arrays import Real
from bpcore.model.snapshot import Snapshot
from bpcore.model.state import State


class Backup:
    """A copy of a State, in memory, or in a temporary file if it is large.

    Restoring also undoes other arrays and settings that a callback has put in their
    place, such as those of another optimizer.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.model.backup import Backup
    >>> net = bp.Network([1, 1], init="zeros")
    >>> with Backup() as backup:
    ...     backup.take(net.learner.state)
    ...     loss = net.train_step([[1.0]], [[2.0]])
    ...     backup.restore(net.learner.use)
    >>> net.parameters, net.learner.state.steps
    (array([0., 0.], dtype=float32), 0)
    """

    def __init__(self) -> None:
        self._snapshot = Snapshot()

    def __enter__(self) -> Backup:
        return self

    def __exit__(self, *exception: object) -> None:
        self._snapshot.__exit__(*exception)

    def take(self, state: State, values: State | None = None) -> None:
        """Copy a state, in place of the copy before; if it fails, there is none.

        Parameters
        ----------
        state : State
            It will be restored into its own arrays.
        values : State, optional
            The numbers and random bits are copied from this one instead.
        """
        values = state if values is None else values
        self._state, self._bits = State(**vars(state)), values.bits.state
        self._counters = values.counters.copy()
        self._arrays: list[Real] = [*state.numbers().values()]
        self._snapshot.take([*values.numbers().values()])

    def copy(self) -> State:
        """The state as it was copied, in arrays of its own."""
        numbers = [np.empty_like(array) for array in self._arrays]
        self._snapshot.restore(numbers)
        state = self._restored()
        state.parameters = numbers.pop(0)
        if state.optimizer_arrays is not None:
            state.optimizer_arrays = numbers.pop(0)
        state.moments = numbers.pop(0) if numbers else state.moments
        state.bits = np.random.PCG64(0)
        state.bits.state = self._bits
        return state

    def restore(
        self, use: Callable[[State, Callable[[], None]], None], *, bits: bool = True
    ) -> None:
        """Put the state back as it was copied, by ``Learner.use``: wholly or not.

        Its generator of random numbers is set back too if `bits`.

        Raises
        ------
        OSError, RuntimeError
            If there is no copy that can be read; nothing has changed.
        """
        bits_back = self._set_bits_back if bits else None
        use(self._restored(), partial(self._snapshot.restore, self._arrays, bits_back))

    def _restored(self) -> State:
        """The state with its counters as they were copied, and its own arrays."""
        state = State(**vars(self._state))
        state.counters = self._counters.copy()
        return state

    def _set_bits_back(self) -> None:
        self._state.bits.state = self._bits
