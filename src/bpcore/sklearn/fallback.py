"""Training by scikit-learn itself, where the engine cannot do it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bpcore.sklearn.trained import ATTRIBUTE, trained

#: Its warnings name the fits that scikit-learn makes.
logger = logging.getLogger("bpcore.sklearn")


def any_negative(sample_weight: Any) -> bool:
    """Whether any sample has a negative weight.

    Scikit-learn takes steps even where the sum of the weights is negative; the engine
    has no step for a sum that is not above 0.
    """
    return sample_weight is not None and bool((sample_weight < 0).any())


def say_negative(estimator: Any) -> None:
    """Log that an estimator is trained by scikit-learn, and why."""
    logger.warning(
        "%s: some sample weights are negative; scikit-learn trains, not bpcore",
        type(estimator).__name__,
    )


@contextmanager
def predictions_in_between(estimator: Any, incremental: bool) -> Iterator[None]:
    """Let scikit-learn train in place the arrays that the drop-in predicts from.

    Early stopping predicts after each epoch, and the first prediction would replace
    `coefs_` and `intercepts_` by arrays that are not those in training.
    """
    if not incremental:  # else it may be that of another architecture
        vars(estimator).pop("_optimizer", None)
    trained(estimator)
    try:
        yield
    finally:  # scikit-learn has replaced the arrays of its optimizer
        vars(estimator).pop(ATTRIBUTE, None)
