"""Held-out rows, and how well a model predicts them beside a baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.cli.columns import CLASSIFICATION, Target
from bpcore.cli.show import line, number, table

#: Fewest rows of a report.
LEAST = 2
#: Most rows for the importance of the columns, and most predictions of them.
ROWS, PREDICTIONS = 2000, 300
#: Most columns shown.
COLUMNS = 10
#: Least probability in the log loss.
LEAST_PROBABILITY = 1e-15


#: A measure, the values of the model and of the baseline, and how they are shown.
Score = tuple[str, float, float, Callable[[float], str]]


def held_out(target: Target, fraction: float, seed: int) -> NDArray[np.bool_]:
    """The mask of a random fraction of the rows, the same of each class.

    It is empty if there are too few rows.  Each class stays in the other rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from bpcore.cli.columns import target_of
    >>> from bpcore.cli.report import held_out
    >>> target = target_of(pd.Series(["a", "b"] * 10, name="kind"), None)
    >>> mask = held_out(target, 0.2, seed=0)
    >>> int(mask.sum()), sorted(target.y[mask])
    (4, ['a', 'a', 'b', 'b'])
    """
    n = len(target.y)
    mask = np.zeros(n, bool)
    count = round(fraction * n)
    if count < LEAST or n - count < LEAST:
        return mask
    order = np.random.default_rng(seed).permutation(n)
    if target.task == CLASSIFICATION:
        labels = np.unique(np.asarray(target.y), return_inverse=True)[1]
        order = order[np.argsort(labels[order], kind="stable")]
    # Positions at equal distances in the order, and so in every class.
    mask[order[((np.arange(count) + 0.5) * n / count).astype(np.int64)]] = True
    if target.task == CLASSIFICATION:
        trained = np.bincount(labels[~mask], minlength=labels.max() + 1)
        mask &= trained[labels] > 0
    return mask


def show_scores(model: Any, target: Target, X: Any, y: Any, y_train: Any) -> None:
    """Print the scores of held-out rows: of the model, and of a constant prediction."""
    if target.task == CLASSIFICATION:
        title, rows = _class_scores(model, X, np.asarray(y), np.asarray(y_train))
    else:
        title, rows = _number_scores(model, X, np.asarray(y), np.asarray(y_train))
    table(
        f"{len(y):,} rows held out of the training",
        ["", "model", f"baseline: {title}"],
        [[name, shown(of_model), shown(base)] for name, of_model, base, shown in rows],
    )
    _, of_model, base, _ = rows[0]
    if not of_model > base:
        line(f"the model is no better than the baseline by {rows[0][0]}\n")


def _class_scores(
    model: Any, X: Any, y: NDArray[Any], y_train: NDArray[Any]
) -> tuple[str, list[Score]]:
    classes = model.classes_
    counts = np.bincount(np.searchsorted(classes, y_train), minlength=len(classes))
    labels = np.searchsorted(classes, y)
    p = np.asarray(model.predict_proba(X), np.float64)
    base = np.tile(counts / counts.sum(), (len(y), 1))
    return f"always {classes[counts.argmax()]}", [
        ("accuracy", _accuracy(labels, p), _accuracy(labels, base), _four),
        ("log loss", _log_loss(labels, p), _log_loss(labels, base), _four),
    ]


def _four(value: float) -> str:
    return f"{value:.4f}"


def _accuracy(labels: NDArray[Any], p: NDArray[np.float64]) -> float:
    return float((p.argmax(axis=1) == labels).mean())


def _log_loss(labels: NDArray[Any], p: NDArray[np.float64]) -> float:
    of_class = p[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_class, LEAST_PROBABILITY)).mean())


def _number_scores(
    model: Any, X: Any, y: NDArray[np.float64], y_train: NDArray[np.float64]
) -> tuple[str, list[Score]]:
    mean = float(y_train.mean())
    a, base = np.asarray(model.predict(X)), np.full(len(y), mean)
    return f"always {number(mean)}", [
        ("R2", _r2(y, a), _r2(y, base), _four),
        ("root mean squared error", _rmse(y, a), _rmse(y, base), number),
        ("mean absolute error", _mae(y, a), _mae(y, base), number),
    ]


def _r2(y: NDArray[np.float64], a: NDArray[np.float64]) -> float:
    spread = ((y - y.mean()) ** 2).sum()
    return float(1 - ((y - a) ** 2).sum() / spread) if spread > 0 else float("nan")


def _rmse(y: NDArray[np.float64], a: NDArray[np.float64]) -> float:
    return float(np.sqrt(((y - a) ** 2).mean()))


def _mae(y: NDArray[np.float64], a: NDArray[np.float64]) -> float:
    return float(np.abs(y - a).mean())


def show_importances(model: Any, target: Target, X: Any, y: Any) -> None:
    """Print the columns that matter most for the score of these rows."""
    repeats = max(1, min(5, PREDICTIONS // X.shape[1]))
    step = -(-len(X) // ROWS)
    found = model.explain(X[::step], y[::step], n_repeats=repeats)
    score = "accuracy" if target.task == CLASSIFICATION else "R2"
    rows = [
        [found.names[j], f"{found.permutation[j]:.4f}"] for j in found.order[:COLUMNS]
    ]
    more = len(found.names) - len(rows)
    few = f", the first {COLUMNS} of {len(found.names):,}" if more else ""
    table(
        f"Columns that matter most{few}",
        ["column", f"{score} lost if its values are shuffled"],
        rows,
    )
