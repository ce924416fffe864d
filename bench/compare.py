"""The library against the floor and against its peers, at one net and batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import tables
from .timing import Spread, interleave


@dataclass(frozen=True)
class Task:
    """What a peer is asked to do.

    Parameters
    ----------
    name : str
        As a heading says it.
    method : str
        The method of a peer that does it; a peer without it is left out.
    check : callable
        Takes a case, gives a function from a peer to its error.
    tolerance : dict of str to float
        By dtype, the largest error with which a peer is still timed.
    floor : callable
        Takes a case, gives its `Floor`.
    per_call : int
        How often one call of the method does it; times are those of once.
    """

    name: str
    method: str
    check: Callable
    tolerance: dict
    floor: Callable
    per_call: int = 1


def measure(task, case, contenders, seconds):
    """Verify the contenders at a case, then time those that agree.

    Parameters
    ----------
    task : Task
    case : Case
    contenders : dict of str to callable
        Peers by name, ``"bpcore"`` among them; each is made from the case.
    seconds : float
        About how long to time.

    Returns
    -------
    dict
        The figures of one case, ready for JSON but for their spreads.
    """
    made = {name: make(case) for name, make in contenders.items()}
    able = {name: peer for name, peer in made.items() if hasattr(peer, task.method)}
    error_of = task.check(case)
    errors = {name: error_of(peer) for name, peer in able.items()}
    refused = {
        name: {"title": able.pop(name).title, "error": error}
        for name, error in errors.items()
        if not error <= task.tolerance[case.dtype]
    }
    if "bpcore" in refused:
        raise SystemExit(f"{case}: bpcore {tables.strays(refused['bpcore'])}")

    floor = task.floor(case)
    actions = {name: getattr(peer, task.method) for name, peer in able.items()}
    samples, robbed = interleave(actions | floor.actions, seconds)
    for peer in able.values():
        if not all(np.isfinite(array).all() for array in peer.parameters()):
            raise SystemExit(f"{case}: {peer.title} diverged while it was timed")
    once = {name: samples[name] / task.per_call for name in able}
    return {
        "net": case.net,
        "batch": case.batch,
        "dtype": case.dtype,
        "robbed": robbed,
        "floor": floor.describe(samples),
        "peers": {
            name: {
                "title": peer.title,
                "error": errors[name],
                "seconds": Spread.of(once[name]),
                "over_floor": Spread.of(once[name] / floor.seconds(samples)),
                "over_bpcore": Spread.of(once[name] / once["bpcore"]),
            }
            for name, peer in able.items()
        },
        "refused": refused,
    }
