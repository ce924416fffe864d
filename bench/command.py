"""The command line of a comparison: networks, peers, output."""

import argparse
import re

from . import machine, peers, pinning, records, report, tables
from .case import TABLE, Case
from .compare import measure


def command(task, table=TABLE):
    """Run the command line: measure, print, write.

    Parameters
    ----------
    task : Task
    table : sequence of (str, int)
        The networks and batch sizes to measure by default.
    """
    options = _parser(task).parse_args()
    pinning.settle(isa=options.isa)
    contenders = _installed(("bpcore", *options.peers))
    run(task, _cases(options, table), contenders, options)


def run(task, cases, contenders, options):
    """Measure all cases, print each result, and write all.

    Parameters
    ----------
    task : Task
    cases : sequence of Case
    contenders : dict of str to callable
        As `measure` takes them.
    options : Namespace
        Options of the command line: ``seconds`` and ``json``.

    Returns
    -------
    dict
        The record written.
    """
    where = machine.describe()
    print(machine.headline(where))
    results = []
    for case in cases:
        results.append(measure(task, case, contenders, options.seconds))
        print(f"\n{tables.details(results[-1])}", flush=True)
    if len(results) > 1:
        print(f"\n{task.name}: microseconds, and ratio to bpcore\n")
        print(tables.summary(results))
    print(f"\n{tables.losses(results)}")
    print(report.disturbance(results))
    settings = {"task": task.name, "seconds": options.seconds}
    record = {**where, "settings": settings, "results": results}
    if options.json:
        records.write(options.json, record)
    return record


def add_settings(add, seconds):
    """The options that every command has, given a parser's ``add_argument``."""
    add("--seconds", type=float, default=seconds, help="per measurement, about")
    add("--json", metavar="FILE", help="file for all figures and the machine")


def net_name(text):
    """`text`, checked to be the sizes of a network."""
    if not re.fullmatch(r"[1-9]\d*(-[1-9]\d*)+", text):
        raise argparse.ArgumentTypeError(f"write as in 784-128-10; got {text}")
    return text


def _parser(task):
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{task.method}",
        description=f"Time one {task.name}, compared with the floor and peers.",
    )
    add = parser.add_argument
    add("nets", nargs="*", type=net_name, metavar="NET", help="the whole table if none")
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
    add_settings(add, 3.0)
    return parser


def _cases(options, table):
    """The networks and batch sizes of the options, or those of the table."""
    if not options.nets and not options.batch:
        return [Case(net, batch, options.dtype) for net, batch in table]
    nets = options.nets or dict(table)
    batches = options.batch or (32,)
    return [Case(net, batch, options.dtype) for net in nets for batch in batches]


def _installed(names):
    """The classes of the peers whose packages are installed, each once."""
    found = {name: peers.load(name) for name in dict.fromkeys(names)}
    if missing := [name for name, Peer in found.items() if Peer is None]:
        print(f"not installed, left out: {', '.join(missing)}")
    return {name: Peer for name, Peer in found.items() if Peer is not None}
