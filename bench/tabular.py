"""Compare methods for tables on real sets: scores, seconds, and their means.

python -m bench.tabular --folder FOLDER --json tabular.json

Each method is fitted to three quarters of the rows of each set, with its default
settings and one thread, and scored on the rest: the fraction of right classes, or R^2.
"""

import argparse
import time
import warnings
from statistics import mean, stdev

import numpy as np
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split

from . import machine, pinning, records, report
from .table_methods import METHODS, VARIANTS
from .table_sets import table_sets


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle()
    warnings.simplefilter("ignore")
    where = machine.describe()
    print(machine.headline(where) + "\n")
    results = []
    for table in table_sets(options.folder):
        if options.sets and table.name not in options.sets:
            continue
        for split in range(options.splits):
            for name in options.methods:
                results.append(measure(table, name, split))
                print(line(results[-1]), flush=True)
    print(f"\n{summary(results)}")
    settings = {"task": "tabular", "splits": options.splits}
    if options.json:
        records.write(options.json, {**where, "settings": settings, "results": results})


def measure(table, name, split):
    """The figures of one method on one split of one set, as JSON data."""
    stratify = table.y if table.task == "classification" else None
    X, X_test, y, y_test = train_test_split(
        table.X, table.y, test_size=0.25, random_state=split, stratify=stratify
    )
    X, X_test = X.reset_index(drop=True), X_test.reset_index(drop=True)
    began = time.perf_counter()
    model = (METHODS | VARIANTS)[name](table.task, split, X).fit(X, y)
    seconds = time.perf_counter() - began
    found = {"set": table.name, "task": table.task, "rows": len(y), "split": split,
             "method": name, "seconds": seconds}  # fmt: skip
    if table.task == "regression":
        return found | {"score": float(r2_score(y_test, model.predict(X_test)))}
    p = np.asarray(model.predict_proba(X_test), np.float64)
    right = np.asarray(model.predict(X_test)) == y_test
    loss = log_loss(y_test, p / p.sum(axis=1, keepdims=True), labels=model.classes_)
    return found | {"score": float(np.mean(right)), "log_loss": float(loss)}


def line(result):
    """One result as text."""
    return (
        f"{result['set']:15} {result['rows']:6} split {result['split']}  "
        f"{result['method']:13} {result['score']:.4f}  {result['seconds']:.2f} s"
    )


def summary(results):
    """The mean score of each method on each set, and over all sets."""
    methods = list(dict.fromkeys(result["method"] for result in results))
    sets = list(dict.fromkeys(result["set"] for result in results))
    rows = [("set", *methods, *(f"{name}, s" for name in methods))]
    for name in sets:
        rows.append((name, *_cells(results, methods, name)))
    rows.append(("mean", *_cells(results, methods, None)))
    text = report.table(rows)
    for other in methods[1:]:
        text += f"\n{difference(results, methods[0], other)}"
    return text


def difference(results, first, other):
    """The mean difference of two methods over the sets, and its standard error."""
    scores = {
        method: {
            (result["set"], result["split"]): result["score"]
            for result in results
            if result["method"] == method
        }
        for method in (first, other)
    }
    both = [key for key in scores[first] if key in scores[other]]
    by_set = {}
    for key in both:
        by_set.setdefault(key[0], []).append(scores[first][key] - scores[other][key])
    means = [mean(values) for values in by_set.values()]
    error = stdev(means) / len(means) ** 0.5 if len(means) > 1 else float("nan")
    better = sum(value > 0 for value in means)
    return (
        f"{first} minus {other}: {mean(means):+.4f} (standard error {error:.4f}), "
        f"better on {better} of {len(means)} sets"
    )


def _cells(results, methods, name):
    """Mean scores, then mean seconds, of each method on a set, or on all of them."""
    chosen = {
        method: [
            result
            for result in results
            if result["method"] == method and name in (None, result["set"])
        ]
        for method in methods
    }
    scores = [f"{mean(r['score'] for r in found):.4f}" if found else ""
              for found in chosen.values()]  # fmt: skip
    seconds = [report.number(mean(r["seconds"] for r in found)) if found else ""
               for found in chosen.values()]  # fmt: skip
    return (*scores, *seconds)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.tabular",
        description="Compare methods for tables on real sets.",
    )
    add = parser.add_argument
    add("--folder", help="with housing/housing.csv and tables/*.csv")
    add("--splits", type=int, default=2)
    add("--sets", nargs="+", help="names of sets; all if not given")
    known = METHODS | VARIANTS
    add("--methods", nargs="+", choices=known, default=list(METHODS))
    add("--json", metavar="FILE", help="file for all figures and the machine")
    return parser


if __name__ == "__main__":
    main()
