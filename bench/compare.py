"""The library against the floor and against its peers, over any number of nets."""

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import machine, peers, pinning, report, tables
from .case import TABLE, Case
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
    """

    name: str
    method: str
    check: Callable
    tolerance: dict
    floor: Callable


def command(task):
    """Obey the command line: measure, print, write."""
    options = _parser(task).parse_args()
    pinning.settle(isa=options.isa)
    contenders = _installed(("bpcore", *options.peers))
    where = machine.describe()
    print(machine.headline(where))
    results = []
    for case in _cases(options):
        results.append(measure(task, case, contenders, options.seconds))
        print(f"\n{tables.details(results[-1])}", flush=True)
    if len(results) > 1:
        print(f"\n{task.name}: microseconds, and times bpcore's\n")
        print(tables.summary(results))
    print(f"\n{tables.losses(results)}")
    print(report.disturbance(results))
    if options.json:
        settings = {"task": task.name, "seconds": options.seconds}
        report.write(options.json, {**where, "settings": settings, "results": results})


def measure(task, case, contenders, seconds):
    """Verify the contenders at a case, then time those that agree.

    Parameters
    ----------
    task : Task
    case : Case
    contenders : dict of str to class
        Peers by name, ``"bpcore"`` among them.
    seconds : float
        About how long to time.

    Returns
    -------
    dict
        The figures of one case, ready for JSON but for their spreads.
    """
    made = {name: Peer(case) for name, Peer in contenders.items()}
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
                "seconds": Spread.of(samples[name]),
                "over_floor": Spread.of(samples[name] / floor.seconds(samples)),
                "over_bpcore": Spread.of(samples[name] / samples["bpcore"]),
            }
            for name, peer in able.items()
        },
        "refused": refused,
    }


def _parser(task):
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{task.method}",
        description=f"Time one {task.name} against the floor and what else there is.",
    )
    add = parser.add_argument
    add("nets", nargs="*", type=_net, metavar="NET", help="the whole table if none")
    add("--batch", type=int, nargs="+", metavar="N", help="rows; 32 for a net given")
    add("--dtype", choices=("float32", "float64"), default="float32")
    add(
        "--peers",
        nargs="+",
        metavar="NAME",
        choices=peers.NAMES,
        default=peers.NAMES,
        help=f"some of {', '.join(peers.NAMES)}",
    )
    add("--isa", metavar="NAME", help="instruction set for bpcore, as in x86_64_v3")
    add("--seconds", type=float, default=3.0, help="about, per net and batch")
    add("--json", metavar="FILE", help="write all figures, and the machine, there")
    return parser


def _net(text):
    """`text`, if it can be the sizes of a net."""
    if not re.fullmatch(r"[1-9]\d*(-[1-9]\d*)+", text):
        raise argparse.ArgumentTypeError(f"write as in 784-128-10; got {text}")
    return text


def _cases(options):
    """The nets asked for, at the batches asked for; or those of the table."""
    if not options.nets and not options.batch:
        return [Case(net, batch, options.dtype) for net, batch in TABLE]
    nets = options.nets or dict(TABLE)
    batches = options.batch or (32,)
    return [Case(net, batch, options.dtype) for net in nets for batch in batches]


def _installed(names):
    """The classes of those peers whose packages are here, each once."""
    found = {name: peers.load(name) for name in dict.fromkeys(names)}
    if missing := [name for name, Peer in found.items() if Peer is None]:
        print(f"not installed, left out: {', '.join(missing)}")
    return {name: Peer for name, Peer in found.items() if Peer is not None}
