"""Loss and gradient of all data, for scikit-learn's solver "lbfgs"."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.sklearn.drop_in.objective import (
    as_weights,
    constants_of,
    objective_of,
    targets_of,
)
from bpcore.sklearn.drop_in.trained import ROWS, Trained, dense, require_features


class FullBatch:
    """The function of the parameters that L-BFGS minimises, and its gradient.

    It computes in the dtype of the estimator's coefs_, which SciPy keeps.  A sparse X
    is made dense a few rows at a time.

    Parameters
    ----------
    estimator
        Its coefs_ and intercepts_ are there.
    X, y, weight
        As scikit-learn has validated them.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, weight: Any) -> None:
        self.learner = Trained(estimator).learner
        dtype = self.learner.dtype
        require_features(self.learner, X)
        self.objective = objective_of(estimator, dtype)
        self.alpha = float(estimator.alpha)
        self.X = X.tocsr() if hasattr(X, "tocsr") else np.ascontiguousarray(X, dtype)
        self.y = targets_of(estimator, y, dtype)
        n = len(self.y)
        self.weight = as_weights(weight)
        self.divisor = n if self.weight is None else float(self.weight.sum())
        self.constant = 0.0
        constants = constants_of(estimator, y)
        if constants is not None:
            self.constant = float(np.average(constants, weights=self.weight))

    def __call__(self, packed: Real) -> tuple[float, Real]:
        """The loss and the gradient at weights, then biases, one after the other."""
        views = self.learner.views
        unpack(packed, [*views.weights, *views.biases])
        total, gradient = self._sums()
        ridge = sum(float(np.dot(W.ravel(), W.ravel())) for W in views.weights)
        loss = self.objective.loss_factor * total + 0.5 * self.alpha * ridge
        gradient *= self.objective.gradient_factor
        parts = self.learner.design.layout.views(gradient)
        for dW, W in zip(parts.weights, views.weights, strict=True):
            dW += self.alpha * W
        gradient /= self.divisor
        return loss / self.divisor + self.constant, pack(
            [*parts.weights, *parts.biases]
        )

    def _sums(self) -> tuple[float, Real]:
        """sum(w E) and its gradient, flat."""
        n = len(self.y)
        step = n if isinstance(self.X, np.ndarray) else ROWS
        total, sum_of_parts = 0.0, np.zeros_like(self.learner.state.parameters)
        for first in range(0, n, step):
            rows = slice(first, first + step)
            X = self.X[rows]
            X = X if isinstance(X, np.ndarray) else dense(X, self.learner.dtype)
            weight = None if self.weight is None else self.weight[rows]
            divisor = len(X) if weight is None else float(weight.sum())
            found = self.learner.gradients(Batch(X, self.y[rows], weight))
            assert found.loss is not None  # they are those of targets
            total += divisor * found.loss
            sum_of_parts += divisor * found.flat
        return total, sum_of_parts


def pack(arrays: list[Real]) -> Real:
    """The elements of the arrays, one after the other."""
    return np.concatenate([array.ravel() for array in arrays])


def unpack(packed: Real, arrays: list[Real]) -> None:
    """Write the elements of `pack` into the arrays."""
    first = 0
    for array in arrays:
        array[...] = packed[first : first + array.size].reshape(array.shape)
        first += array.size
