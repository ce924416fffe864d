"""Time rows that are mostly zeros, and dense ones, one by one and in mini-batches.

python -m bench.sparse --mnist DIR --json sparse.json

Inputs of one row are often mostly zeros: images with margins, one-hot columns. Where an
input is 0, its row of W adds nothing to the sums, and plain gradient descent does not
change it. In a mini-batch, a term that is 0 for all rows of a register tile is skipped.
For `predict_one`, `learn_one` and `train_step` on one row, and for `predict` and
`train_step` on mini-batches, with plain SGD, momentum and Adam, the ratio of the time
of dense rows to that of others is printed. Every kind of rows has many different ones,
which take turns.

MNIST's rows are timed if the folder of its files is given; there are always rows with
as many zeros from a random generator, and the package's digits.
"""

import argparse
from functools import partial

import numpy as np

import bpcore

from . import machine, pinning, records, report, verdicts, verify
from .command import add_settings
from .front_end import FrontEnd
from .peers import bpcore as own
from .peers import reference
from .sparse_rows import BATCH, KINDS, ROWS, Rows
from .timing import Spread, interleave
from .yardsticks import Peak

#: Optimizers; learning rates are so small that no unit dies, however long it takes.
OPTIMIZERS = {
    "SGD": bpcore.SGD(lr=1e-3),
    "momentum": bpcore.SGD(lr=1e-4, momentum=0.9),
    "Adam": bpcore.Adam(2e-5),
}

#: What is timed: batch sizes, methods, and the optimizers with which they are.
METHODS = {
    1: {
        "predict_one": ("SGD",),
        "learn_one": tuple(OPTIMIZERS),
        "train_step": tuple(OPTIMIZERS),
    },
    BATCH: {"predict": ("SGD",), "train_step": tuple(OPTIMIZERS)},
}

#: Networks, and the kinds of their rows.
NETS = {
    "784-128-10": ("dense", "margins", "scattered", "one-hot"),
    "64-128-10": ("dense", "digits"),
}


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle(isa=options.isa)
    where = machine.describe()
    print(machine.headline(where) + "\n")
    results = []
    for net, kinds in NETS.items():
        if options.mnist and "margins" in kinds:
            kinds = (*kinds, "MNIST")
        for batch, methods in METHODS.items():
            cases = [
                Rows(net, batch, options.dtype, kind=kind, mnist=options.mnist)
                for kind in kinds
            ]
            for method, optimizers in methods.items():
                for name in optimizers:
                    results.append(measure(cases, method, name, options.seconds))
    print(f"\n{table(results)}\n")
    print(report.disturbance(results))
    settings = {"task": "sparse", "seconds": options.seconds}
    record = {**where, "settings": settings, "results": results}
    print(f"\n{verdicts.table('sparse', record)}")
    if options.json:
        records.write(options.json, record)


def measure(cases, method, optimizer, seconds):
    """Verify one method on every kind of rows, then time them.

    Parameters
    ----------
    cases : list of Rows
        Of one network and batch size; the first is dense.
    method, optimizer : str
        Names in `METHODS` and `OPTIMIZERS`.
    seconds : float
        About how long to time.

    Returns
    -------
    dict
        The figures, as JSON data except for the spreads.
    """
    dtype = cases[0].dtype
    peak, front_end = Peak(bpcore.kernels, dtype), FrontEnd(dtype)
    actions = {case.kind: _verified(case, method, optimizer) for case in cases}
    yardsticks = front_end.actions | {"peak": peak.run}
    samples, robbed = interleave(actions | yardsticks, seconds)
    return {
        "net": cases[0].net,
        "batch": cases[0].batch,
        "dtype": dtype,
        "robbed": robbed,
        "front_end": front_end.describe(samples, peak.rate(samples["peak"])),
        "method": method,
        "optimizer": optimizer,
        "rows": {
            case.kind: {
                "zeros": round(case.zeros, 3),
                "seconds": Spread.of(samples[case.kind] / ROWS),
                "dense_over_it": Spread.of(samples["dense"] / samples[case.kind]),
            }
            for case in cases
        },
    }


def table(results):
    """One line for each network, method, optimizer and kind of rows; what they are.

    Times are of one row.
    """
    head = ("net", "batch", "method", "optimizer", "rows", "zeros", "us", "quartiles")
    rows = [(*head, "dense over it", "quartiles")]
    for result in results:
        for kind, figures in result["rows"].items():
            rows.append(
                (
                    *(str(result[name]) for name in head[:4]),
                    kind,
                    f"{figures['zeros']:.0%}",
                    *report.microseconds(figures["seconds"]),
                    *report.ratio(figures["dense_over_it"]),
                )
            )
    found = {kind for result in results for kind in result["rows"]}
    kinds = (f"{kind}: {KINDS[kind]}" for kind in KINDS if kind in found)
    return "\n".join([report.table(rows), "", *kinds])


class Peer(own.Peer):
    """The library; its `step` is a pass of one of its methods over all mini-batches.

    Parameters
    ----------
    case : Rows
    method, optimizer : str
    """

    def __init__(self, case, method, optimizer):
        super().__init__(case, n_threads=1, optimizer=OPTIMIZERS[optimizer])
        if method.endswith("_one"):
            inputs, labels = [row.copy() for row in case.X], case.y.tolist()
        else:
            inputs, labels = list(case.batches(case.X)), list(case.batches(case.y))
        pairs = list(zip(inputs, labels, strict=True))
        if method.startswith("predict"):
            pairs = [(x,) for x in inputs]
        self.step = partial(_pass, getattr(self._net, method), pairs)

    def predictions(self, case):
        """Of every row by itself, of mini-batches, and of all at once."""
        one_by_one = [self._net.predict_one(row).copy() for row in case.X]
        batches = [self._net.predict(batch) for batch in case.batches(case.X)]
        return np.array(one_by_one), np.concatenate(batches), self._net.predict(case.X)


class Reference(Peer):
    """The same by the reference, as oracle."""

    network = reference.Peer.network


def _pass(call, pairs):
    """The call on one mini-batch after another."""
    for pair in pairs:
        call(*pair)


def _verified(case, method, optimizer):
    """The pass to be timed, after the library has been compared with the reference."""
    peer = Peer(case, method, optimizer)
    predicts = method.startswith("predict")
    if predicts:
        given = peer.predictions(case)
        right = Reference(case, method, optimizer).predictions(case)[-1]
        error = verify.largest_error(given, [right] * len(given))
    else:
        oracle = partial(Reference, method="train_step", optimizer=optimizer)
        # as many steps in mini-batches as with single rows, of a similar length
        error = verify.training(case, oracle, steps=case.batch)(peer)
    limits = verify.RESULT if predicts else verify.MOVEMENT
    if not error <= limits[case.dtype]:
        raise SystemExit(
            f"{case.net}, {case.kind}, {method}, {optimizer}: {error:.1e} from the "
            "reference; nothing is timed"
        )
    return peer.step


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.sparse",
        description="Time rows that are mostly zeros, and dense ones.",
    )
    add = parser.add_argument
    add("--mnist", metavar="DIR", help="folder of MNIST's files; its rows are added")
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--isa", metavar="NAME", help="instruction set for bpcore, as in x86_64_v3")
    add_settings(add, 3.0)
    return parser


if __name__ == "__main__":
    main()
