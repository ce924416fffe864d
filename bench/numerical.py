"""Time a gradient by backpropagation, and the same by central differences.

python -m bench.numerical --json numerical.json

From a network of 17 weights to one of 20,000: the time of the first grows with their
number, that of the second with its square.
"""

import argparse
from functools import partial

import numpy as np

import bpcore
from bpcore.training.differences import Differences
from bpcore.training.inputs import differentiable_batch

from . import machine, pinning, records, report
from .command import add_settings
from .timing import Spread, interleave

NETS = (
    "2-4-1",
    "4-8-2",
    "8-16-4",
    "16-32-8",
    "32-64-8",
    "64-128-10",
    "96-192-10",
)
BATCH = 32

#: Largest difference of the gradients, relative to the largest element.
_TOLERANCE = 1e-6


def main():
    """Run the command line: verify, measure, print, write."""
    options = _parser().parse_args()
    pinning.settle()
    where = machine.describe()
    print(machine.headline(where))
    results = [measure(net, options.seconds) for net in NETS]
    print(f"\n{table(results)}\n")
    print(report.disturbance(results))
    if options.json:
        settings = {"task": "numerical", "seconds": options.seconds}
        records.write(options.json, {**where, "settings": settings, "results": results})


def measure(name, seconds):
    """Compare both gradients of one network, then time them.

    Returns
    -------
    dict
        The figures of one network, as JSON data except for the spreads.
    """
    sizes = [int(size) for size in name.split("-")]
    net = bpcore.Network(sizes, activation="tanh", dtype="float64", rng=0, n_threads=1)
    rng = np.random.default_rng(0)
    X, y = (rng.standard_normal((BATCH, size)) for size in (sizes[0], sizes[-1]))
    batch = differentiable_batch(net.learner, X, y, None, None)
    actions = {
        "backpropagation": partial(net.gradients, X, y),
        "numerical": partial(Differences(net.learner).by_parameters, batch),
    }
    exact, numerical = net.gradients(X, y).flat, actions["numerical"]()
    error = float(np.abs(exact - numerical).max() / np.abs(exact).max())
    if not error <= _TOLERANCE:
        raise SystemExit(f"{name}: the gradients differ by {error:.1e}")
    samples, robbed = interleave(actions, seconds)
    return {
        "net": name,
        "batch": BATCH,
        "dtype": "float64",
        "robbed": robbed,
        "weights": net.parameters.size,
        "evaluations": 2 * net.parameters.size,
        "error": float(f"{error:.1e}"),
        **{action: Spread.of(times) for action, times in samples.items()},
        "over_backpropagation": Spread.of(
            samples["numerical"] / samples["backpropagation"]
        ),
    }


def exponents(results):
    """The powers of the number of weights with which both times grow.

    One pass through the network takes c + k weights^p, where c is the overhead of a
    call. Backpropagation makes one forward and one backward pass, so its time grows
    with weights^p; differences make two passes per weight, and grow with
    weights^(1 + p).
    """
    weights = [result["weights"] for result in results]
    once = [result["backpropagation"].median for result in results]
    each = [result["numerical"].median / result["evaluations"] for result in results]
    return {
        "backpropagation": _power(weights, once),
        "numerical": 1 + _power(weights, each),
    }


def _power(weights, times):
    """The p of c + k weights^p with the least relative error."""
    times = np.array(times)

    def distance(p):
        terms = np.array([np.ones(len(times)), np.power(weights, p, dtype=float)])
        (c, k), *_ = np.linalg.lstsq((terms / times).T, np.ones(len(times)))
        return np.square((c * terms[0] + k * terms[1]) / times - 1).sum()

    return float(min(np.linspace(0.5, 1.5, 201), key=distance))


def table(results):
    """One line for each network, and the powers of both times."""
    head = ("backprop us", "quartiles", "numerical us", "quartiles", "ratio")
    rows = [("net", "weights", "evaluations", *head, "quartiles")]
    for result in results:
        rows.append(
            (
                result["net"],
                str(result["weights"]),
                str(result["evaluations"]),
                *report.microseconds(result["backpropagation"]),
                *report.microseconds(result["numerical"]),
                *report.ratio(result["over_backpropagation"]),
            )
        )
    powers = exponents(results)
    return (
        f"{report.table(rows)}\n\n"
        "Without the overhead of a call, the time of backpropagation grows with the\n"
        f"number of weights to the power {powers['backpropagation']:.2f}, that of "
        f"central differences to the power {powers['numerical']:.2f}."
    )


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.numerical",
        description="Time a gradient by backpropagation and by central differences.",
    )
    add_settings(parser.add_argument, 1.0)
    return parser


if __name__ == "__main__":
    main()
