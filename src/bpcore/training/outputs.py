"""predict and evaluate: their arguments checked, and the results computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bpcore import arrays
from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.batches.weights import ClassWeight
from bpcore.engine.engine import pinned
from bpcore.errstate import own_errstate
from bpcore.metrics import MetricLike, as_metrics
from bpcore.training.inputs import checked_batch, checked_class_weights, exact_targets
from bpcore.training.learner import Learner


def predict(learner: Learner, X: ArrayLike, out: Real | None) -> Real:
    """The outputs of X, written into `out` if it is given."""
    rows, single = rows_to_predict(learner, X)
    checks_X = out is None  # else X is checked before anything is written
    target = array_for_outputs(learner, out, rows, single)
    pins = pinned(rows, target)  # signal handlers may run
    finite = checks_X or arrays.all_finite(rows)
    if not (finite and learner.write_outputs(rows, target, checks_X)):
        arrays.raise_not_finite("X", X, rows[0] if single else rows)
    del pins
    return target if out is None else out


def rows_to_predict(learner: Learner, X: ArrayLike) -> tuple[Real, bool]:
    """Rows (n, n_0) to predict, and whether a single one (n_0,) was given."""
    rows, n_0 = arrays.as_contiguous("X", X, learner.dtype), learner.design.sizes[0]
    single = rows.ndim == 1
    if single:
        rows = rows.reshape(1, -1)
    if rows.ndim != 2 or rows.shape[1] != n_0 or len(rows) == 0:
        raise ValueError(
            f"X must have shape (n, {n_0}) with n at least 1, or ({n_0},) for a "
            f"single row; got {rows.shape[1:] if single else rows.shape}"
        )
    return rows, single


def array_for_outputs(learner: Learner, out: Any, rows: Real, single: bool) -> Real:
    """The caller's array for the outputs of these rows, checked, or a new one."""
    n_out = learner.design.sizes[-1]
    shape = (n_out,) if single else (len(rows), n_out)
    if out is None:
        return np.empty(shape, learner.dtype)
    return arrays.as_out(out, shape, learner.dtype, rows, learner.state.parameters)


@own_errstate
def evaluate(
    learner: Learner,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
    metrics: MetricLike | Sequence[MetricLike] | None,
) -> Any:
    """The mean loss, in a dict with the metrics if there are some."""
    measured = as_metrics(metrics)
    data = checked_batch(learner, X, y, sample_weight)
    weights = checked_class_weights(learner, class_weight, data.y)
    loss = learner.mean_loss(data.times(weights, learner.design))
    if not measured:
        return loss
    exact = Batch(data.X, exact_targets(learner, y, data.y), data.weight)
    return {"loss": loss, **learner.measure(exact, measured)}
