"""Scikit-learn's tables of functions by name, which users extend and change."""

from __future__ import annotations

from typing import Any

from sklearn.neural_network import _base
from sklearn.neural_network._base import ACTIVATIONS, DERIVATIVES, LOSS_FUNCTIONS


def _functions(names: str, form: str) -> dict[str, Any]:
    """Functions of scikit-learn's module by their names in its tables."""
    return {name: getattr(_base, form.format(name)) for name in names.split()}


#: Scikit-learn's own functions: the engine computes these, and no others.  (Not copies
#: of its tables, which may have been changed before.)
OWN = (
    _functions("identity exp tanh logistic relu softmax", "inplace_{}"),
    _functions("identity tanh logistic relu", "inplace_{}_derivative"),
    _functions("poisson_loss log_loss binary_log_loss", "{}")
    | {"squared_error": _base.squared_loss},
)
OWN[2]["poisson"] = OWN[2].pop("poisson_loss")


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
    losses = all(LOSS_FUNCTIONS.get(name) is loss for name, loss in OWN[2].items())
    return None if losses else "LOSS_FUNCTIONS"
