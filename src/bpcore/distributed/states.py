"""States as bytes, for other processes."""

from __future__ import annotations

import pickle

from bpcore.model.state import State
from bpcore.optimizers import Optimizer


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
    >>> state = bp.Network([1, 1], optimizer=bp.Adam(lambda epoch: 0.1)).learner.state
    >>> unpacked(packed(state, state.optimizer), state.optimizer)
    <State after 0 steps, 0 epochs>
    """
    fields = vars(state) | {
        "optimizer": None if state.optimizer is known else state.optimizer
    }
    try:
        return pickle.dumps(fields, protocol=5)
    except Exception as error:
        raise TypeError(
            "a callback has given the network an optimizer that cannot be sent to the "
            f"other processes: {error}"
        ) from error


def unpacked(data: bytes, known: Optimizer) -> State:
    """The state of `packed`."""
    fields = pickle.loads(data)
    return State(**fields | {"optimizer": fields["optimizer"] or known})
