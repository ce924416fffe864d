"""What class weights do: fewer missed tumours, more false alarms.

Breast cancer (Wisconsin), which comes with scikit-learn: 569 tumours, 30 measures of
each.  scikit-learn calls malignant 0; here it is 1, the class that recall is about and
whose probability a net with one output learns.  Five stratified splits put each tumour
into the test once.  The heavier malignant ones weigh in training, the fewer are missed
and the more benign ones raise an alarm; the AUC, which knows no threshold, hardly
changes.

    python examples/breast_cancer.py
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

import bpcore as bp

BENIGN, MALIGNANT = 0, 1
WEIGHTS = (None, "balanced", {MALIGNANT: 5}, {MALIGNANT: 20}, {MALIGNANT: 50})


def load() -> tuple[NDArray[Any], NDArray[Any]]:
    """The measures of each tumour, and whether it is malignant, 1 or 0."""
    data = load_breast_cancer()
    return data.data, np.where(data.target_names[data.target] == "malignant", 1, 0)


def missed(y: NDArray[Any], a: NDArray[Any]) -> int:
    """A metric of one's own: malignant tumours that were taken for benign."""
    return int(((y == MALIGNANT) & (a <= 0.5)).sum())


def alarms(y: NDArray[Any], a: NDArray[Any]) -> int:
    """Benign tumours that were taken for malignant."""
    return int(((y == BENIGN) & (a > 0.5)).sum())


METRICS = ("accuracy", "recall", "auc", missed, alarms)


def cross_validate(
    class_weight: str | Mapping[int, float] | None, folds: int = 5
) -> dict[str, float]:
    """The metrics of the tests: counts summed over the folds, all else their mean."""
    X, y = load()
    splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y)
    results = []
    for train, test in splits:
        scaler = StandardScaler().fit(X[train])
        net = bp.Network(
            [X.shape[1], 16, 1],
            activation="tanh",
            loss="binary_cross_entropy",
            # Without decay the net separates what it is shown, and weights say little.
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
