"""Training of a drop-in by "sgd" and "adam": scikit-learn's epochs, our steps.

The rules are those of `BaseMultilayerPerceptron._fit_stochastic` (BSD licence): what is
drawn from the RandomState, in which order, and when training stops.
"""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from bpcore.arrays import Real
from bpcore.interrupts import complete
from bpcore.sklearn.drop_in.objective import (
    as_weights,
    constants_of,
    objective_of,
    targets_of,
)
from bpcore.sklearn.drop_in.trained import (
    Trained,
    dense,
    optimizer_in_use,
    require_features,
    trained,
)

#: The frame of scikit-learn's `_fit`, from a function that `fit_stochastic` calls:
#: filters of warnings name its module.
CALLER = 4
#: Most rows times parameters of several epochs that are run at once, about 10 ms, and
#: most epochs: signals are handled after them.
MOST_WORK = 50_000_000
MOST_EPOCHS = 100
#: Scikit-learn's count of the epochs without progress.
COUNT = BaseMultilayerPerceptron._update_no_improvement_count
#: The order of the rows in each of several epochs, None for the rows as they lie.
Orders = list[NDArray[np.int64] | None]


def fit_stochastic(
    estimator: Any, X: Any, y: Any, sample_weight: Any, incremental: bool
) -> None:
    """Train an estimator whose coefs_ and intercepts_ are there.

    X and y are as scikit-learn has validated them; X dense or sparse.
    """
    if estimator.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    if incremental and hasattr(estimator, "_optimizer"):
        if optimizer_in_use(estimator) is None:
            raise ValueError(
                "partial_fit cannot go on with the optimizer of an earlier fit: its "
                "arrays have other shapes than coefs_ and intercepts_"
            )
        own = trained(estimator)
    else:
        estimator._optimizer = new_optimizer(estimator)
        own = trained(estimator)
    data = Data(X, y, sample_weight)
    held_back = None
    if estimator.early_stopping:
        data, held_back = split(estimator, data)
    batch_size = size_of_batches(estimator, len(data.y))
    epochs = Epochs(estimator, own, data, batch_size)
    count = partial(count_steps, estimator._optimizer, epochs)
    try:
        try:
            run_epochs(estimator, epochs, held_back, incremental)
        finally:
            complete(count)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=CALLER - 1)
    finally:  # once more: an interrupt may come just before
        complete(count)
    if held_back is not None:  # the best weights
        estimator.coefs_ = estimator._best_coefs
        estimator.intercepts_ = estimator._best_intercepts
        trained(estimator)


class Data(NamedTuple):
    """Rows, targets and weights of samples, as scikit-learn has validated them."""

    X: Any
    y: Any
    weight: Any


def new_optimizer(estimator: Any) -> Any:
    """The optimizer of scikit-learn, of which the schedule and the arrays are used."""
    parameters = [*estimator.coefs_, *estimator.intercepts_]
    if estimator.solver == "sgd":
        return SGDOptimizer(
            parameters,
            estimator.learning_rate_init,
            estimator.learning_rate,
            estimator.momentum,
            estimator.nesterovs_momentum,
            estimator.power_t,
        )
    return AdamOptimizer(
        parameters,
        estimator.learning_rate_init,
        estimator.beta_1,
        estimator.beta_2,
        estimator.epsilon,
    )


def split(estimator: Any, data: Data) -> tuple[Data, Data]:
    """The training data, and the part that early stopping holds back."""
    classifies = is_classifier(estimator)
    arrays = data[:2] if data.weight is None else data
    parts = train_test_split(
        *arrays,
        random_state=estimator._random_state,
        test_size=estimator.validation_fraction,
        stratify=data.y if classifies and estimator.n_outputs_ == 1 else None,
    )
    training, held_back = parts[::2], parts[1::2]
    if held_back[0].shape[0] < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the "
            "size of your dataset."
        )
    if classifies:
        held_back[1] = estimator._label_binarizer.inverse_transform(held_back[1])
    if data.weight is None:
        training, held_back = [*training, None], [*held_back, None]
    return Data._make(training), Data._make(held_back)


def size_of_batches(estimator: Any, n_samples: int) -> int:
    """Rows of a mini-batch."""
    if estimator.batch_size == "auto":
        return min(200, n_samples)
    if estimator.batch_size > n_samples:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to "
            "be clipped",
            stacklevel=CALLER,
        )
    return int(np.clip(estimator.batch_size, 1, n_samples))


class Epochs:
    """The epochs of one fit: each makes the steps of all mini-batches."""

    def __init__(
        self, estimator: Any, own: Trained, data: Data, batch_size: int
    ) -> None:
        dtype = own.dtype
        require_features(own.learner, data.X)
        objective = objective_of(estimator, dtype)
        self.own, self.engine, self.dtype = own, own.learner.engine, dtype
        self.batch_size, self.weight = batch_size, as_weights(data.weight)
        self.y = targets_of(estimator, data.y, dtype)
        self.constants = constants_of(estimator, data.y)
        self.sparse = not isinstance(data.X, np.ndarray)
        self.X = data.X.tocsr() if self.sparse else np.ascontiguousarray(data.X, dtype)
        ridge = estimator.alpha, objective.gradient_factor, objective.loss_factor
        own.train(partial(self.engine.use_ridge, *ridge))

    def __len__(self) -> int:
        return len(self.y)

    @property
    def work(self) -> int:
        """Rows times parameters of an epoch."""
        return len(self) * self.own.learner.design.layout.size

    @property
    def steps(self) -> int:
        """The number of steps made by the optimizer."""
        return self.own.learner.state.steps

    def run(self, orders: Orders, lr: float) -> list[float]:
        """Epochs with the rows in each of these orders; returns their losses.

        A loss is the mean over the samples of those of their mini-batches, each
        computed before its step.  If one is not finite, the losses from there on and
        all weights are nan, as they would become by more steps.
        """
        self.own.train(partial(setattr, self.engine, "lr", lr))
        if self.weight is not None:
            for order in orders:
                require_weights(self._sums(self.weight, order))
        losses = self._losses_of_sparse if self.sparse else self._losses_of_dense
        found = losses(orders)
        if len(found) < len(orders) or not math.isfinite(sum(found)):
            self.own.fill(math.nan)
            found += [math.nan] * (len(orders) - len(found))
        if self.constants is not None:
            pairs = zip(found, orders, strict=True)
            found = [
                loss + self._constant(self.constants, order) for loss, order in pairs
            ]
        return found

    def _losses_of_dense(self, orders: Orders) -> list[float]:
        """The losses of the epochs, up to one that is not finite."""
        if len(orders) == 1:  # it may be long: signals are handled within it
            _, total, rows, finite = self.own.train(partial(
                self.engine.run, self.X, self.y, self.weight, orders[0],
                self.batch_size, 0, 0.0, 0.0, 0, True, None,
            ))  # fmt: skip
            return [total / rows] if finite else []
        n = len(orders)
        losses, seconds = np.empty(n), np.empty(n)
        done = failed = 0
        while done < n and not failed:
            part = None if orders[0] is None else np.array(orders[done:])
            more, failed = self.own.train(partial(
                self.engine.run_epochs, self.X, self.y, self.weight, None,
                self.batch_size, losses[done:], seconds[done:], None, (), part,
            ))  # fmt: skip
            done += more
        return losses[:done].tolist()

    def _losses_of_sparse(self, orders: Orders) -> list[float]:
        """The same, where one mini-batch at a time is made dense."""
        losses: list[float] = []
        for order in orders:
            total = 0.0
            for first in range(0, len(self), self.batch_size):
                rows: Any = slice(first, first + self.batch_size)
                rows = rows if order is None else order[rows]
                X, y = dense(self.X[rows], self.dtype), self.y[rows]
                weight = None if self.weight is None else self.weight[rows]
                _, part, _, finite = self.own.train(partial(
                    self.engine.run, X, y, weight, None, len(y), 0, 0.0, 0.0, 0, True,
                    None,
                ))  # fmt: skip
                if not finite:
                    return losses
                total += part
            losses.append(total / len(self))
        return losses

    def _sums(self, x: Real, order: NDArray[np.int64] | None) -> Real:
        """The sum of x over each mini-batch."""
        x = x if order is None else x[order]
        starts = np.arange(0, len(x), self.batch_size)
        sums: Real = np.add.reduceat(x, starts)
        return sums

    def _constant(self, constants: Real, order: NDArray[np.int64] | None) -> float:
        """What the loss of an epoch has besides ours."""
        if self.weight is None:
            return float(constants.mean())
        rows = self._sums(np.ones(len(self)), order)
        weighted = self._sums(self.weight * constants, order)
        total = (rows * weighted / self._sums(self.weight, order)).sum()
        return float(total / len(self))


def require_weights(sums: Real) -> None:
    """Raise what np.average raises for a mini-batch whose weights sum to zero."""
    if not sums.all():
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")


def run_epochs(
    estimator: Any, epochs: Epochs, held_back: Data | None, incremental: bool
) -> None:
    """Epoch after epoch until a rule of scikit-learn says that it is the last."""
    n_samples, optimizer = len(epochs), estimator._optimizer
    order = places = np.arange(n_samples)
    validation = (None, None, None) if held_back is None else held_back
    estimator.n_iter_ = 0
    while estimator.n_iter_ < estimator.max_iter:
        orders: Orders = []
        for _ in range(epochs_at_once(estimator, epochs, incremental)):
            if estimator.shuffle:
                order = shuffled(order, places, estimator._random_state)
            orders.append(order if estimator.shuffle else None)
        for loss in epochs.run(orders, rate_of(optimizer)):
            estimator.n_iter_ += 1
            estimator.loss_ = loss
            estimator.t_ += n_samples
            estimator.loss_curve_.append(loss)
            if estimator.verbose:
                print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
            estimator._update_no_improvement_count(held_back is not None, *validation)
            optimizer.iteration_ends(estimator.t_)
            if estimator._no_improvement_count > estimator.n_iter_no_change:
                reason = reason_to_stop(estimator, held_back is not None)
                if optimizer.trigger_stopping(reason, estimator.verbose):
                    return
                estimator._no_improvement_count = 0
        if incremental:
            return
    warnings.warn(
        f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and "
        "the optimization hasn't converged yet.",
        ConvergenceWarning,
        stacklevel=CALLER,
    )


def epochs_at_once(estimator: Any, epochs: Epochs, incremental: bool) -> int:
    """Epochs until the next one after which something must be looked at.

    Training cannot end while the count of epochs without progress is too low.  A
    subclass that counts them by itself may look at the weights.
    """
    schedule = estimator.solver == "sgd" and estimator.learning_rate == "invscaling"
    own_count = type(estimator)._update_no_improvement_count is not COUNT
    if incremental or estimator.early_stopping or estimator.verbose:
        return 1
    if schedule or own_count:
        return 1
    left = estimator.max_iter - estimator.n_iter_
    until = estimator.n_iter_no_change + 1 - estimator._no_improvement_count
    return max(1, int(min(left, until, MOST_EPOCHS, MOST_WORK // epochs.work)))


def shuffled(
    order: NDArray[np.int64], places: NDArray[np.int64], random_state: Any
) -> NDArray[np.int64]:
    """``sklearn.utils.shuffle(order, random_state=...)``, without its checks.

    `places` are 0, 1, 2, ...
    """
    places = places.copy()
    random_state.shuffle(places)
    return order[places]


def rate_of(optimizer: Any) -> float:
    """The learning rate of the next steps; Adam's without its corrections."""
    if hasattr(optimizer, "velocities"):
        return float(optimizer.learning_rate)
    return float(optimizer.learning_rate_init)


def count_steps(optimizer: Any, epochs: Epochs) -> None:
    """Set the number of Adam's steps, and correct its learning rate for it."""
    t = epochs.steps
    if hasattr(optimizer, "t") and t > optimizer.t:
        corrections = 1 - optimizer.beta_1**t, np.sqrt(1 - optimizer.beta_2**t)
        lr = optimizer.learning_rate_init * corrections[1] / corrections[0]
        optimizer.t, optimizer.learning_rate = t, lr


def reason_to_stop(estimator: Any, early_stopping: bool) -> str:
    """Scikit-learn's message about epochs without progress."""
    what = "Validation score" if early_stopping else "Training loss"
    return (
        f"{what} did not improve more than tol={estimator.tol:f} for "
        f"{estimator.n_iter_no_change:d} consecutive epochs."
    )
