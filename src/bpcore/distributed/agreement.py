"""Agreement: what the processes of a fit must have in common, compared at its start."""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bpcore.distributed.team import Team, common
from bpcore.engine.dispatch import kernels
from bpcore.model.state import State
from bpcore.model.threads import affinity
from bpcore.training.learner import Learner
from bpcore.version import VERSION

#: Most characters of a value in a message.
SHOWN = 120

#: What to do where processes differ.
HINTS = {
    "seed": "give Network the same rng in every process",
    "parameters": "give Network the same rng, or load the same file, in every process",
    "fused multiply-add": "use processors that all have it, or BPCORE_ISA=scalar",
}


def fuses() -> bool:
    """Whether the kernels in use fuse multiply-adds: others have other last bits.

    Examples
    --------
    >>> from bpcore.distributed.agreement import fuses
    >>> fuses() in (True, False)
    True
    """
    x, out = np.float32(1 + 2**-12), np.empty((1, 1), np.float32)
    a = np.array([[1, x]], np.float32)
    W = np.array([[-x * x], [x]], np.float32)  # x * x rounded
    kernels.forward(a, W, np.zeros(1, np.float32), out)
    return bool(out[0, 0] != 0)


def facts(learner: Learner, settings: Mapping[str, Any]) -> dict[str, str]:
    """What must be the same, by its name in messages."""
    design = learner.design.to_dict()
    loss = learner.design.loss_argument
    design["loss"] = getattr(loss, "__qualname__", repr(loss))
    state = learner.state
    common_facts = {
        "version of bpcore": VERSION,
        "byte order": sys.byteorder,
        "fused multiply-add": fuses(),
        "dtype": learner.dtype.name,
        **design,
        "optimizer": _without_addresses(state.optimizer),
        "lr_factors": state.lr_factors,
        "frozen": state.frozen,
        **settings,
        "parameters": digest(state),
    }
    return {name: str(value) for name, value in common_facts.items()}


def digest(state: State) -> str:
    """A checksum of all that training has changed."""
    found = hashlib.blake2b(digest_size=8)
    for name, array in state.arrays().items():
        found.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _without_addresses(optimizer: Any) -> str:
    """The optimizer as text; a function in its schedule by its name."""
    schedule = optimizer.schedule
    function = getattr(getattr(schedule, "after", schedule), "f", None)
    text = repr(optimizer)
    return text.replace(repr(function), getattr(function, "__qualname__", "f"))


def agree(team: Team, own: Mapping[str, str]) -> None:
    """Raise in all processes a ValueError that names what differs, and where."""
    found = team.all_gather(own)
    first = found[0]
    for rank, other in enumerate(found):
        for name, value in first.items():
            if other.get(name) != value:
                hint = f"; {HINTS[name]}" if name in HINTS else ""
                raise common(
                    ValueError(
                        f"all processes must have the same {name}: process 0 has "
                        f"{value:.{SHOWN}}, process {rank} "
                        f"{other.get(name, 'none'):.{SHOWN}}{hint}"
                    )
                )


def threads_of_each(team: Team, wanted: int) -> int:
    """The threads of this process where several share the cores of a machine."""
    own = socket.gethostname(), affinity()
    return max(1, wanted // shared_by(team.all_gather(own), own))


def shared_by(all_cores: Sequence[Any], own: Any) -> int:
    """The number of processes that may use the same cores.

    Examples
    --------
    >>> from bpcore.distributed.agreement import shared_by
    >>> shared_by([("a", (0, 1)), ("a", (0, 1)), ("b", (0, 1))], ("a", (0, 1)))
    2
    """
    return sum(cores == own for cores in all_cores)
