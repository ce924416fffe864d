"""Class weights: fewer missed tumours, more false alarms
======================================================

Breast cancer (Wisconsin), a data set of scikit-learn: 569 tumours with 30 features.  In
scikit-learn malignant is class 0; here it is class 1, of which recall is computed and
whose probability a network with one output learns.  With five stratified splits each
tumour is in a test set once.  The larger the weight of malignant tumours in training,
the fewer are missed, and the more benign ones are false alarms; the AUC, which does not
depend on a threshold, hardly changes.

Run it::

    python examples/breast_cancer.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

import bpcore as bp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BENIGN, MALIGNANT = 0, 1
WEIGHTS = (None, "balanced", {MALIGNANT: 5}, {MALIGNANT: 20}, {MALIGNANT: 50})


def load() -> tuple[NDArray[Any], NDArray[Any]]:
    """The features of each tumour, and its class: 1 malignant, 0 benign."""
    data = load_breast_cancer()
    return data.data, np.where(data.target_names[data.target] == "malignant", 1, 0)


def missed(y: NDArray[Any], a: NDArray[Any]) -> int:
    """A user's metric: malignant tumours that were predicted benign."""
    return int(((y == MALIGNANT) & (a <= 0.5)).sum())


def alarms(y: NDArray[Any], a: NDArray[Any]) -> int:
    """Benign tumours that were predicted malignant."""
    return int(((y == BENIGN) & (a > 0.5)).sum())


METRICS = ("accuracy", "recall", "auc", missed, alarms)


def cross_validate(
    class_weight: str | Mapping[int, float] | None, folds: int = 5
) -> dict[str, float]:
    """The metrics of the test sets: counts summed over the folds, others averaged."""
    X, y = load()
    splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y)
    results = []
    for train, test in splits:
        scaler = StandardScaler().fit(X[train])
        net = bp.Network(
            [X.shape[1], 16, 1],
            activation="tanh",
            loss="binary_cross_entropy",
            # Without weight decay the network fits all training rows, and class
            # weights have little effect.
            optimizer=bp.Adam(3e-3, weight_decay=0.03),
            rng=0,
        )
        net.fit(
            scaler.transform(X[train]),
            y[train],
            epochs=60,
            class_weight=class_weight,
            progress=False,
        )
        results.append(
            net.evaluate(scaler.transform(X[test]), y[test], metrics=METRICS)
        )
    summed = {name: sum(fold[name] for fold in results) for name in results[0]}
    counts = ("missed", "alarms")
    return {k: v if k in counts else v / folds for k, v in summed.items()}


def picture() -> Figure:
    """Missed tumours and false alarms, for each class weight."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    found = [cross_validate(weight) for weight in WEIGHTS]
    alarms, missed = ([m[name] for m in found] for name in ("alarms", "missed"))
    axes.plot(alarms, missed, "o-", color="black")
    for x, y, weight in zip(alarms, missed, WEIGHTS, strict=True):
        name = f"{weight[MALIGNANT]} : 1" if isinstance(weight, dict) else weight
        axes.annotate(
            name or "none", (x, y), (6, 6), textcoords="offset points", color="0.3"
        )
    axes.set(xlabel="false alarms", ylabel="missed tumours")
    axes.set(title="The weight of malignant tumours", xlim=(-3, 95), ylim=(0, 11.5))
    return figure


def main() -> None:
    """Print a row for each class weight."""
    y = load()[1]
    print(f"{len(y)} tumours, {y.sum()} of them malignant\n")
    print("class weight    accuracy  recall     auc   missed  false alarms")
    for weight in WEIGHTS:
        m = cross_validate(weight)
        name = f"{weight[MALIGNANT]} : 1" if isinstance(weight, dict) else weight
        print(
            f"{name or 'none':15} {m['accuracy']:8.3f} {m['recall']:7.3f} "
            f"{m['auc']:7.3f} {m['missed']:8.0f} {m['alarms']:13.0f}"
        )


if __name__ == "__main__":
    main()
