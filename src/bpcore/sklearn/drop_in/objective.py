"""The design of a drop-in's network, and scikit-learn's objective and its targets.

For a mini-batch of n rows, with f and r below::

    gradient     of (f sum(w E) + alpha / 2 |W|^2) / sum(w)
    loss         (r sum(w E) + alpha / 2 |W|^2) / sum(w)

The two differ for several targets of `MLPRegressor`: scikit-learn's squared error is a
mean over the outputs, and its gradient is that of their sum.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.losses import LOSSES, Loss
from bpcore.model.design import Design
from bpcore.sklearn.drop_in.log_loss import BinaryLogLoss, LogLoss, most_loss

#: Scikit-learn's names of activations that have another name here.
ACTIVATIONS = {"logistic": "sigmoid"}


class Objective(NamedTuple):
    """A loss of this library, and its factors in scikit-learn's objective."""

    loss: Loss
    gradient_factor: float = 1.0
    loss_factor: float = 1.0


def objective_of(estimator: Any, dtype: np.dtype[Any]) -> Objective:
    """The objective of a fitted, or initialised, estimator of scikit-learn."""
    output, n_outputs = estimator.out_activation_, outputs_of(estimator)
    if output == "softmax":
        return Objective(LogLoss(most_loss=most_loss(dtype)))
    if output == "logistic":
        return Objective(BinaryLogLoss(most_loss(dtype)))
    if output == "exp":  # the mean over outputs here, their sum there
        return Objective(LOSSES["poisson"], n_outputs, n_outputs)
    return Objective(LOSSES["squared_error"], 1.0, 1.0 / n_outputs)


def activations_of(estimator: Any) -> tuple[str, str]:
    """Scikit-learn's names of the activations of hidden layers and output."""
    return estimator.activation, estimator.out_activation_


def outputs_of(estimator: Any) -> int:
    """The number of outputs of the network."""
    return int(np.shape(estimator.coefs_[-1])[1])


def design_of(estimator: Any, dtype: np.dtype[Any]) -> Design:
    """The architecture of an estimator, from the shapes of its coefs_."""
    shapes = [np.shape(W) for W in estimator.coefs_]
    if any(len(shape) != 2 or min(shape) < 1 for shape in shapes):
        raise ValueError(f"coefs_ must have widths of at least 1; got {shapes!s:.200}")
    layers = [shapes[0][0], *(n_out for _, n_out in shapes)]
    for l, (n_in, n_out) in enumerate(pairwise(layers)):
        if shapes[l] != (n_in, n_out):
            raise ValueError(
                f"coefs_[{l}] must have shape {(n_in, n_out)}; got {shapes[l]}"
            )
    hidden = len(layers) - 2
    f, output = activations_of(estimator)
    names = [f] * hidden + [output]
    return Design(
        sizes=tuple(layers),
        activations=tuple(ACTIVATIONS.get(name, name) for name in names),
        loss=objective_of(estimator, dtype).loss,
        norms=(None,) * (hidden + 1),
        dropout=(0.0,) * (hidden + 1),
        input_noise=0.0,
        seed=0,
        by_weights=True,
    )


def targets_of(
    estimator: Any, y: NDArray[Any], dtype: np.dtype[Any]
) -> Real | NDArray[np.int64]:
    """The targets as the engine reads them, from the (n, n_outputs) of scikit-learn.

    Labels of classes where the outputs are a softmax.  One target is repeated for
    several outputs, as in scikit-learn; any other number of them raises.
    """
    if y.dtype.kind not in "biufO":  # NumPy would convert times and texts
        raise TypeError(f"y must hold real numbers; got dtype {y.dtype}")
    y = np.broadcast_to(y, (len(y), outputs_of(estimator)))
    if estimator.out_activation_ == "softmax":
        labels: NDArray[np.int64] = y.argmax(axis=1).astype(np.int64, copy=False)
        return labels
    return np.ascontiguousarray(y, dtype)


def constants_of(estimator: Any, y: NDArray[Any]) -> NDArray[np.float64] | None:
    """What scikit-learn's loss of each sample has besides ours, or None: (n,).

    The Poisson deviance has y log(y) - y, which no weight changes.
    """
    if estimator.out_activation_ != "exp":
        return None
    y = np.asarray(y, np.float64)
    terms = np.where(y > 0, y * np.log(np.where(y > 0, y, 1)), 0) - y
    constants: NDArray[np.float64] = terms.sum(axis=1)
    return constants


def as_weights(weight: Any) -> NDArray[np.float64] | None:
    """The weights of samples as the engine reads them."""
    return None if weight is None else np.ascontiguousarray(weight, np.float64)
