"""Time scikit-learn's networks and their drop-ins, which give the same weights.

python -m bench.drop_ins --mnist FOLDER --json drop_ins.json

Each case is fitted by both, the weights are compared, and then both are timed
interleaved, with one thread each: everything that a user waits for, scikit-learn's own
checks included.
"""

import argparse
import warnings
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

import bpcore.sklearn
from bpcore.datasets import load_digits, load_mnist

from . import machine, pinning, records, report, verdicts
from .timing import Spread, interleave

#: The classes of both libraries, and the names in the results.
LIBRARIES = {"scikit-learn": neural_network, "bpcore": bpcore.sklearn}

#: Largest difference of the weights, over the largest weight.
TOLERANCE = {"float64": 1e-9, "float32": 1e-3}

#: Fits in a search: so many values of alpha, and so many folds of each.
ALPHAS, FOLDS = 4, 5

#: Rows of MNIST, and epochs on them.
MNIST_ROWS, MNIST_EPOCHS = 10_000, 2


@dataclass(frozen=True)
class Fit:
    """One fit of both libraries' MLPClassifier, with the settings given."""

    name: str
    X: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    settings: dict = field(default_factory=dict)

    def verify(self):
        """The largest difference of the weights, over the largest.

        In float32 after 5 epochs: roundings grow from step to step.
        """
        few = {} if self.X.dtype == np.float64 else {"max_iter": 5}
        theirs, ours = (self._fitted(module, **few) for module in LIBRARIES.values())
        pairs = zip(
            theirs.coefs_ + theirs.intercepts_,
            ours.coefs_ + ours.intercepts_,
            strict=True,
        )
        return max(float(abs(a - b).max() / abs(a).max()) for a, b in pairs)

    def actions(self):
        """What is timed, by library."""
        return {
            name: partial(self._fitted, module) for name, module in LIBRARIES.items()
        }

    def _fitted(self, module, **more):
        net = module.MLPClassifier(random_state=0, **self.settings | more)
        return net.fit(self.X, self.y)


class Search(Fit):
    """A search over alpha: many fits of few rows."""

    def actions(self):
        alphas = {"alpha": np.logspace(-4, 0, ALPHAS)}
        searches = {
            name: GridSearchCV(
                module.MLPClassifier(random_state=0, **self.settings),
                alphas,
                cv=FOLDS,
                refit=False,
            )
            for name, module in LIBRARIES.items()
        }
        return {
            name: partial(search.fit, self.X, self.y)
            for name, search in searches.items()
        }


class Predict(Fit):
    """Predictions of one row."""

    def actions(self):
        x = self.X[:1]
        return {
            name: partial(action().predict, x)
            for name, action in super().actions().items()
        }


def cases(dtype, mnist):
    """The cases of a dtype."""
    X, y = load_digits()
    X = X.astype(dtype)
    yield Fit("digits, default settings", X, y)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 10)).astype(dtype)
    yield Fit("50 rows, default settings", rows, rows[:, 0] > 0)
    rows = rng.normal(size=(50 * FOLDS // (FOLDS - 1), 10)).astype(dtype)
    yield Search("a search of fits of 50 rows, 100 units", rows, rows[:, 0] > 0)
    yield Search(
        "a search of fits of 50 rows, 16 units",
        rows,
        rows[:, 0] > 0,
        {"hidden_layer_sizes": (16,)},
    )
    yield Predict("predict one row", X, y, {"max_iter": 5})
    if mnist:
        X, y = (array[:MNIST_ROWS] for array in load_mnist(mnist)[:2])
        settings = {"hidden_layer_sizes": (128,), "max_iter": MNIST_EPOCHS}
        yield Fit("MNIST, 784-128-10, adam", X.astype(dtype), y, settings)


def main():
    """Run the command line: verify, measure, print, write."""
    options = _parser().parse_args()
    pinning.settle()
    warnings.simplefilter("ignore", ConvergenceWarning)
    where = machine.describe()
    print(machine.headline(where) + "\n")
    results = []
    for dtype in TOLERANCE:
        for case in cases(dtype, options.mnist):
            results.append(measure(case, dtype, options.seconds))
            print(f"{table(results[-1:])}\n", flush=True)
    print(report.disturbance(results))
    settings = {"task": "drop_ins", "seconds": options.seconds}
    record = {**where, "settings": settings, "results": results}
    print(f"\n{verdicts.table('drop_ins', record)}")
    if options.json:
        records.write(options.json, record)


def measure(case, dtype, seconds):
    """The figures of one case, as JSON data except for the spreads."""
    error = case.verify()
    if not error <= TOLERANCE[dtype]:
        raise SystemExit(f"{case.name}, {dtype}: weights differ by {error:.1e}")
    samples, robbed = interleave(case.actions(), seconds)
    return {
        "case": case.name,
        "dtype": dtype,
        "error": error,
        "robbed": robbed,
        "seconds": {name: Spread.of(times) for name, times in samples.items()},
        "over_bpcore": Spread.of(samples["scikit-learn"] / samples["bpcore"]),
    }


def table(results):
    """One line for each case: times, and that of scikit-learn over bpcore's."""
    rows = [("case", "dtype", "scikit-learn ms", "bpcore ms", "ratio", "quartiles")]
    for result in results:
        times = [
            report.number(result["seconds"][name].median * 1e3) for name in LIBRARIES
        ]
        ratio = report.ratio(result["over_bpcore"])
        rows.append((result["case"], result["dtype"], *times, *ratio))
    return report.table(rows)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.drop_ins",
        description="Time scikit-learn's networks and their drop-ins.",
    )
    add = parser.add_argument
    add("--mnist", metavar="FOLDER", help="of MNIST's files; without it no such case")
    add("--seconds", type=float, default=3.0, help="per case")
    add("--json", metavar="FILE", help="file for all figures and the machine")
    return parser


if __name__ == "__main__":
    main()
