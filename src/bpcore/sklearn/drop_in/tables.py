"""Scikit-learn's tables of functions by name, which users extend and change."""

from __future__ import annotations

from typing import Any

from sklearn.neural_network._base import ACTIVATIONS, DERIVATIVES, LOSS_FUNCTIONS

#: As they are in scikit-learn: the engine computes these functions, and no others.
OWN = ACTIVATIONS.copy(), DERIVATIVES.copy(), LOSS_FUNCTIONS.copy()


def activations_are_own(estimator: Any) -> bool:
    """Whether both activations of an estimator are functions of scikit-learn."""
    hidden, output = estimator.activation, estimator.out_activation_
    own = OWN[0]
    try:
        return ACTIVATIONS[hidden] is own[hidden] and ACTIVATIONS[output] is own[output]
    except KeyError:  # a name that scikit-learn does not have
        return False


def changed_table(estimator: Any) -> str | None:
    """The name of a table whose functions for an estimator are a user's, or None."""
    if not activations_are_own(estimator):
        return "ACTIVATIONS"
    f = estimator.activation
    if DERIVATIVES.get(f) is not OWN[1].get(f):
        return "DERIVATIVES"
    loss = LOSS_FUNCTIONS, OWN[2]
    return "LOSS_FUNCTIONS" if loss[0] != loss[1] else None
