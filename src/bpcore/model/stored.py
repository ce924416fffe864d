"""A network as plain values, for pickles and copies, and the strict reading of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MemberDescriptorType
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.model.design import Design, known_optimizer, real_dtype
from bpcore.model.state import State
from bpcore.quoting import joined

NAMES = ("design", "dtype", "optimizer", "state", "n_threads")


def stored_network(
    design: Design, state: State, dtype: np.dtype[Any], n_threads: int | str
) -> dict[str, Any]:
    """A network as dicts of numbers, texts, arrays, its loss and its optimizer.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.model.stored import read_network, stored_network
    >>> learner = bp.Network([2, 3, 1]).learner
    >>> stored = stored_network(learner.design, learner.state, learner.dtype, "auto")
    >>> read_network(stored)[1]
    <State after 0 steps, 0 epochs>
    """
    return {
        "design": design.to_dict(),
        "dtype": dtype.name,
        "optimizer": state.optimizer,
        "state": state.to_arrays(),
        "n_threads": n_threads,
    }


def read_network(stored: Any) -> tuple[Design, State, int | str]:
    """Design, state and number of threads of a dict as `stored_network` returns it.

    Raises
    ------
    ValueError, TypeError
        If anything is missing, unknown or not as described.
    """
    checks.instance("stored network", stored, Mapping)
    if set(stored) != set(NAMES):
        raise ValueError(
            f"a stored network must have {', '.join(NAMES)}; got "
            f"{joined(sorted(map(str, stored)))}"
        )
    for name in ("design", "state"):
        checks.instance(name, stored[name], Mapping)
    dtype = real_dtype(stored["dtype"])
    design = Design.from_dict(stored["design"])
    optimizer = known_optimizer(stored["optimizer"])
    state = State.from_arrays(design, dtype, optimizer, stored["state"])
    return design, state, stored["n_threads"]


def other_attributes(owner: object, left_out: Collection[str]) -> dict[str, Any]:
    """The attributes of an object, those in slots too, but for those left out."""
    given = object.__getstate__(owner)  # (attributes, slots) where there are slots
    parts = given if isinstance(given, tuple) else (given,)
    return {
        name: value
        for part in parts
        for name, value in (part or {}).items()
        if name not in left_out
    }


def parted(
    owner: object, attributes: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes that lie in slots of their owner, and those in ``vars(owner)``."""
    slots: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in attributes.items():
        kind = getattr(type(owner), name, None)
        (slots if isinstance(kind, MemberDescriptorType) else others)[name] = value
    return slots, others
