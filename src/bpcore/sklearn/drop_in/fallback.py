"""Training by scikit-learn itself, where the engine cannot do it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bpcore.sklearn.drop_in.tables import changed_table
from bpcore.sklearn.drop_in.trained import ATTRIBUTE, take_over

#: Its warnings name the fits that scikit-learn makes.
logger = logging.getLogger("bpcore.sklearn")

#: The losses and output activations that scikit-learn combines.
OUTPUTS = {
    ("log_loss", "logistic"),
    ("log_loss", "softmax"),
    ("poisson", "exp"),
    ("squared_error", "identity"),
}
#: Methods for which the engine has code of its own.
METHODS = ("_backprop", "_compute_loss_grad", "_forward_pass", "_loss_grad_lbfgs")


def obstacle(estimator: Any, sample_weight: Any, drop_in: type) -> str | None:
    """The reason why the engine cannot train an estimator, or None.

    Scikit-learn takes steps even where the sum of the weights is negative; the engine
    has no step for a sum that is not above 0.  Users set `out_activation_`, change the
    tables of functions, and derive classes with other gradients.
    """
    if sample_weight is not None and bool((sample_weight < 0).any()):
        return "some sample weights are negative"
    outputs = estimator.loss, estimator.out_activation_
    if outputs not in OUTPUTS:
        return "loss {!r} with out_activation_ {!r}".format(*outputs)
    table = changed_table(estimator)
    if table is not None:
        return f"the table {table} has another function"
    for name in METHODS:
        if getattr(type(estimator), name) is not getattr(drop_in, name):
            return f"the class has its own {name}"
    return None


def say(estimator: Any, reason: str) -> None:
    """Log that an estimator is trained by scikit-learn, and why."""
    logger.warning(
        "%s is trained by scikit-learn: %s", type(estimator).__name__, reason
    )


@contextmanager
def predictions_in_between(estimator: Any, incremental: bool) -> Iterator[None]:
    """Let scikit-learn train in place the arrays that the drop-in predicts from.

    Early stopping predicts after each epoch: it needs no new learner for that.
    """
    if not incremental:  # else it may be that of another architecture
        vars(estimator).pop("_optimizer", None)
    take_over(estimator)
    try:
        yield
    finally:  # scikit-learn has replaced the arrays of its optimizer
        vars(estimator).pop(ATTRIBUTE, None)
