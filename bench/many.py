"""Many small networks by ``fit_many`` on several cores, compared with one core."""

from functools import partial

import numpy as np

import bpcore

from . import report
from .timing import Spread, interleave

NETWORKS = 64
SIZES = (10, 32, 1)
ROWS, EPOCHS = 1000, 20


def measure(counts, seconds):
    """Train the networks on so many cores, compare their bits, then time them.

    Parameters
    ----------
    counts : list of int
        Numbers of cores, 1 among them.
    seconds : float
        About how long to time.

    Returns
    -------
    list of dict
        The figures of each number except 1, as JSON data except for the spreads.
    """
    X = np.random.default_rng(0).standard_normal((ROWS, SIZES[0])).astype(np.float32)
    y = (X[:, :1] * X[:, 1:2]).astype(np.float32)

    nets = {
        count: [
            bpcore.Network(SIZES, optimizer=bpcore.SGD(0.01, momentum=0.9), rng=seed)
            for seed in range(NETWORKS)
        ]
        for count in counts
    }
    actions = {
        count: partial(
            bpcore.fit_many, nets[count], X, y, epochs=EPOCHS, n_threads=count
        )
        for count in counts
    }
    bits = []
    for count, train in actions.items():
        train()
        bits.append([net.parameters.tobytes() for net in nets[count]])
    if any(others != bits[0] for others in bits):
        raise SystemExit(f"{NETWORKS} networks on several cores have other bits")
    samples, robbed = interleave(actions, seconds)
    return [
        {
            "net": "-".join(map(str, SIZES)),
            "batch": 32,
            "dtype": "float32",
            "robbed": robbed,
            "fitted": NETWORKS,
            "cores": count,
            "throughput": Spread.of(samples[1] / samples[count]),
        }
        for count in counts[1:]
    ]


def table(results):
    """One line for each number of cores."""
    rows = [("net", "networks", "cores", "throughput over one", "quartiles")]
    for result in results:
        cells = (result["net"], str(result["fitted"]), str(result["cores"]))
        rows.append((*cells, *report.ratio(result["throughput"])))
    return report.table(rows)
