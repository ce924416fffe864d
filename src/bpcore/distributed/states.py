"""States as bytes, for other processes."""

from __future__ import annotations

import pickle

from bpcore.model.design import known_optimizer
from bpcore.model.state import State
from bpcore.optimizers import Optimizer
from bpcore.training.learner import Learner


def packed(state: State, known: Optimizer) -> bytes:
    """A state as bytes, without its optimizer if that is the `known` one.

    An optimizer may have a schedule with a function, which cannot be sent.

    Raises
    ------
    TypeError
        If another optimizer cannot be pickled.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.distributed.states import packed, unpacked
    >>> learner = bp.Network([1, 1], optimizer=bp.Adam(lambda epoch: 0.1)).learner
    >>> unpacked(packed(learner.state, learner.state.optimizer), learner)
    <State after 0 steps, 0 epochs>
    """
    optimizer = None if state.optimizer is known else state.optimizer
    try:
        return pickle.dumps((optimizer, state.arrays()), protocol=5)
    except Exception as error:
        raise TypeError(
            "a callback has given the network an optimizer that cannot be sent to the "
            f"other processes: {error}"
        ) from error


def unpacked(data: bytes, learner: Learner) -> State:
    """The state of `packed`, checked as that of a learner of the same network."""
    optimizer, arrays = pickle.loads(data)
    known = learner.state.optimizer if optimizer is None else known_optimizer(optimizer)
    return State.from_arrays(learner.design, learner.dtype, known, arrays)
