"""One case of the library, compared with the floor and with its peers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import tables
from .front_end import FrontEnd
from .timing import Spread, interleave


@dataclass(frozen=True)
class Task:
    """The computation that is timed.

    Parameters
    ----------
    name : str
        Name in headings.
    method : str
        The peers' method to be timed; peers without it are left out.
    check : callable
        ``check(case)`` returns a function from a peer to its error.
    tolerance : dict of str to float
        By dtype, the largest error of a peer that is timed.
    floor : callable
        ``floor(case)`` returns its `Floor`.
    per_call : int
        Computations per call of the method; times are divided by it.
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
        The figures of one case, as JSON data except for the spreads.
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
        raise SystemExit(f"{case}: bpcore {tables.deviation(refused['bpcore'])}")

    floor, front_end = task.floor(case), FrontEnd(case.dtype)
    actions = {name: getattr(peer, task.method) for name, peer in able.items()}
    actions |= floor.actions | front_end.actions
    samples, robbed = interleave(actions, seconds)
    for peer in able.values():
        if not all(np.isfinite(array).all() for array in peer.parameters()):
            raise SystemExit(f"{case}: {peer.title} diverged while it was timed")
    once = {name: samples[name] / task.per_call for name in able}
    return {
        "net": case.net,
        "batch": case.batch,
        "dtype": case.dtype,
        "robbed": robbed,
        "front_end": front_end.describe(samples, floor.peak(samples)),
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
