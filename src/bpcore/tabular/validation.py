"""The rows that chose a network's best epoch."""

from __future__ import annotations

from typing import Any

from bpcore.batches.batch import Batch, as_batch
from bpcore.batches.split import held_back, split
from bpcore.network import Network, learner_of
from bpcore.training.history import History


def rows_held_back(rows: int, fraction: float) -> int:
    """The number of rows held back, at least one on each side."""
    if not 1 <= round(fraction * rows) < rows:
        raise ValueError(
            f"validation_fraction={fraction} must leave at least one of {rows} rows "
            "on each side"
        )
    return held_back(rows, fraction)


def validation_rows(
    network: Network, X: Any, y: Any, weight: Any, validation: Any
) -> Batch | None:
    """The rows that ``network.fit(X, y, validation=validation)`` does not train on.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> from bpcore.tabular.validation import validation_rows
    >>> net = bp.Network([1, 1], rng=0)
    >>> X = np.arange(10.0).reshape(-1, 1)
    >>> validation_rows(net, X, X, None, 0.2)
    <Batch of 2 rows>
    """
    learner = learner_of(network)
    design, dtype = learner.design, learner.dtype
    if validation is None:
        return None
    if isinstance(validation, float):
        batch = as_batch(design, dtype, X, y, weight)
        return split(batch, validation, design, learner.engine.shuffle)[1]
    X_val, y_val, *weights = validation
    return as_batch(design, dtype, X_val, y_val, weights[0] if weights else None)


def chosen_by(history: History) -> str:
    """The quantity by which the best epoch of an estimator was chosen: the least.

    Examples
    --------
    >>> from bpcore.tabular import Classifier
    >>> from bpcore.tabular.validation import chosen_by
    >>> X, y = [[0.0], [1.0]] * 20, ["no", "yes"] * 20
    >>> model = Classifier(quick=True, epochs=1, random_state=0).fit(X, y)
    >>> chosen_by(model.histories_[0])
    'validation_error'
    """
    return next(iter(history.metrics), "validation_loss")
