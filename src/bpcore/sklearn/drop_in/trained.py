"""Trained: the learner whose parameters are an estimator's coefs_ and intercepts_.

The arrays in `coefs_` and `intercepts_` are views of the learner's parameters, so what
a user writes into them counts.  Where they are other arrays, after unpickling or
because a user has put them there, a new learner takes over their values.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.arrays import Real
from bpcore.engine.engine import Engine
from bpcore.errors import InUseError
from bpcore.model.reader import MOST_STEPS
from bpcore.model.state import empty_state
from bpcore.model.threads import n_threads as thread_count
from bpcore.optimizers import SGD, Adam, Momentum, Optimizer
from bpcore.sklearn.drop_in.objective import activations_of, design_of
from bpcore.sklearn.drop_in.tables import activations_are_own
from bpcore.training.learner import Learner

#: Rows of a sparse X that are made dense at a time.
ROWS = 256
#: Seconds between two tries of an engine that another thread uses.
WAIT = 1e-4
#: Most times that a step waits so for threads that read.
TURNS = 50
#: Attribute of an estimator that holds its Trained; it is not pickled.
ATTRIBUTE = "_trained_by_bpcore"
#: Attributes of an estimator whose arrays are changed by steps.
CHANGED = ("coefs_", "intercepts_", "_optimizer")

Result = TypeVar("Result")


class Trained:
    """A learner with the parameters of an estimator, and their views.

    Attributes
    ----------
    learner : Learner
    dtype : dtype
    """

    def __init__(self, estimator: Any) -> None:
        arrays = [np.asarray(a) for a in (*estimator.coefs_, *estimator.intercepts_)]
        if not arrays or any(array.dtype.kind not in "fiu" for array in arrays):
            raise ValueError("coefs_ and intercepts_ must be lists of real arrays")
        dtype = np.result_type(*arrays)
        self.dtype = dtype if dtype == np.float32 else np.dtype(np.float64)
        design = design_of(estimator, self.dtype)
        optimizer = optimizer_of(optimizer_in_use(estimator))
        state = empty_state(design, self.dtype, optimizer)
        self.learner = Learner(design, state, Engine, thread_count("auto"))
        views = self.learner.lend()
        self._views = [*views.weights, *views.biases]
        self._activations = activations_of(estimator)
        self._training = 0  # actions that train, or wait for a prediction to end
        self._waiting: set[int] = set()  # threads that read before the next step
        self._optimizer: Any = None  # of scikit-learn, with arrays of the learner
        write_exactly("coefs_ and intercepts_", self._views, arrays)

    def belongs_to(self, estimator: Any) -> bool:
        """Whether arrays and activations of the estimator are those of the learner."""
        if self._activations != activations_of(estimator):
            return False
        arrays = (*estimator.coefs_, *estimator.intercepts_)
        if len(arrays) != len(self._views):
            return False
        return all(a is b for a, b in zip(arrays, self._views, strict=True))

    def trains(self, estimator: Any) -> bool:
        """Whether its steps are those of the estimator: `belongs_to`, and optimizer."""
        optimizer = optimizer_in_use(estimator)
        return optimizer is self._optimizer and self.belongs_to(estimator)

    def give_to(self, estimator: Any) -> None:
        """Put the views into the estimator's lists, and those of its optimizer.

        Everything is ready before the estimator is changed, in one switch: for other
        threads, and since an error or an interrupt may come before.
        """
        half = len(self._views) // 2
        given = {"coefs_": self._views[:half], "intercepts_": self._views[half:]}
        optimizer = optimizer_in_use(estimator)
        if optimizer is not None:
            given["_optimizer"] = self._optimizer = self._taken_over(optimizer)
        vars(estimator).update({**given, ATTRIBUTE: self})

    def _taken_over(self, optimizer: Any) -> Any:
        """A copy of an optimizer of scikit-learn that has the learner's arrays."""
        steps = checks.integer("t", getattr(optimizer, "t", 0), 0, below=MOST_STEPS)
        own = copy.copy(optimizer)
        for name, row in zip(names_of_arrays(own), self._rows(), strict=True):
            write_exactly(name, row, [np.asarray(a) for a in getattr(own, name)])
            setattr(own, name, row)
        self.learner.state.counters[:] = steps
        return own

    def train(self, action: Callable[[], Result]) -> Result:
        """The result of an action of the engine, as soon as no thread predicts by it.

        Predictions that begin meanwhile use a copy.  Those that wait come first.
        """
        self._training += 1
        try:
            for _ in range(TURNS):
                if not self._waiting:
                    break
                time.sleep(WAIT)
            else:
                self._waiting.clear()  # they come again, if they are still there
            while True:
                try:
                    return action()
                except InUseError:
                    time.sleep(WAIT)
        finally:
            self._training -= 1

    def whole(self, read: Callable[[], Result]) -> Result:
        """The result of a function that reads the learner's state between two steps.

        Without the lock, so that others may predict; if a step falls inside, with it.
        While another thread trains, it waits: scikit-learn has no InUseError.
        """
        engine, thread = self.learner.engine, threading.get_ident()
        with suppress(InUseError):
            return engine.read_whole(read)
        try:
            while True:
                with suppress(InUseError), engine.reading():
                    return read()
                with suppress(InUseError):  # beside another thread that reads
                    return engine.read_whole(read)
                self._waiting.add(thread)
                time.sleep(WAIT)
        finally:
            self._waiting.discard(thread)

    def copied(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Attributes of an estimator with copies of the arrays that steps change.

        They and the number of the optimizer's steps are of one moment.
        """
        changed = {key: stored[key] for key in CHANGED if key in stored}

        def read() -> tuple[dict[str, Any], int]:
            return copy.deepcopy(changed), int(self.learner.state.steps)

        copies, steps = self.whole(read)
        optimizer = stored.get("_optimizer")
        if optimizer is self._optimizer and hasattr(optimizer, "t"):
            copies["_optimizer"].t = steps
        return stored | copies

    def fill(self, value: float) -> None:
        """Set every weight and bias to a value."""
        for view in self._views:
            view.fill(value)

    def _rows(self) -> list[list[Real]]:
        """The arrays of the optimizer's state, each as weights, then biases."""
        rows, layout = self.learner.state.optimizer_arrays, self.learner.design.layout
        parts = (
            [] if rows is None else [layout.views(row[: layout.size]) for row in rows]
        )
        return [[*views.weights, *views.biases] for views in parts]

    def outputs(self, X: Any) -> Real:
        """The outputs (n, n_L) of rows that have been checked, dense or sparse.

        They have the dtype that NumPy would give a product of X and the weights.  While
        another thread trains, it waits.
        """
        dtype = np.result_type(X.dtype, self.dtype)
        if dtype == self.dtype and not self._training:
            with suppress(InUseError):  # another thread predicts
                return outputs_of(self.learner, X)
        dtype = dtype if dtype == self.dtype else np.dtype(np.float64)
        return outputs_of(self.whole(partial(self.learner.astype, dtype)), X)

    def outputs_at_once(self, X: Any) -> Real | None:
        """`outputs` of an array that needs no conversion, checked by the kernels.

        None for any other: it must be checked and converted in Python.
        """
        if type(X) is not np.ndarray or X.ndim != 2 or self._training:
            return None
        found: Real | None = None
        with suppress(InUseError):
            found = self.learner.engine.predict_at_once(X)
        return found


def write_exactly(
    name: str, views: Sequence[Real], arrays: Sequence[NDArray[Any]]
) -> None:
    """Write arrays into views of the same shapes; raises if one has another shape."""
    shapes = [array.shape for array in arrays], [view.shape for view in views]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{name} must have shapes {shapes[1]}; got {shapes[0]!s:.200}")
    for view, array in zip(views, arrays, strict=True):
        view[...] = array


def trained(estimator: Any) -> Trained:
    """The learner of a fitted estimator; a new one is its own from then on."""
    found: Trained | None = getattr(estimator, ATTRIBUTE, None)
    if found is None or not found.trains(estimator):
        found = Trained(estimator)
        found.give_to(estimator)
    return found


def take_over(estimator: Any) -> None:
    """Give a fitted estimator a learner, if the engine has its activations."""
    if activations_are_own(estimator):
        trained(estimator)


def as_trained(estimator: Any) -> Trained:
    """The learner of a fitted estimator, which stays as it is: another may train it."""
    found: Trained | None = getattr(estimator, ATTRIBUTE, None)
    while found is not None and not found.belongs_to(estimator):
        before, found = found, getattr(estimator, ATTRIBUTE, None)
        if found is before:  # and has not been replaced by another thread meanwhile
            found = None
    return Trained(estimator) if found is None else found


def optimizer_in_use(estimator: Any) -> Any:
    """The estimator's optimizer of scikit-learn, None without one.

    A fit by "lbfgs" leaves that of an earlier fit, maybe of another architecture.
    """
    optimizer = getattr(estimator, "_optimizer", None)
    if optimizer is None:
        return None
    arrays = getattr(optimizer, names_of_arrays(optimizer)[0])
    own = (*estimator.coefs_, *estimator.intercepts_)
    same = [np.shape(a) for a in arrays] == [np.shape(a) for a in own]
    return optimizer if same else None


def optimizer_of(stochastic: Any) -> Optimizer:
    """The settings of an optimizer of scikit-learn, SGD without any."""
    if stochastic is None:
        return SGD()
    lr = stochastic.learning_rate_init
    if hasattr(stochastic, "velocities"):
        return Momentum(lr, stochastic.momentum, stochastic.nesterov)
    beta_1, beta_2 = stochastic.beta_1, stochastic.beta_2
    return Adam(lr, beta_1, beta_2, stochastic.epsilon, eps_corrected=True)


def names_of_arrays(stochastic: Any) -> tuple[str, ...]:
    """The attributes of an optimizer of scikit-learn that are lists of arrays."""
    return ("velocities",) if hasattr(stochastic, "velocities") else ("ms", "vs")


def outputs_of(learner: Learner, X: Any) -> Real:
    """The outputs of rows that are converted to the learner's dtype."""
    require_features(learner, X)
    if isinstance(X, np.ndarray):
        return learner.outputs(np.ascontiguousarray(X, learner.dtype))
    X = X.tocsr()
    out = np.empty((X.shape[0], learner.design.sizes[-1]), learner.dtype)
    for first in range(0, len(out), ROWS):
        rows = slice(first, first + ROWS)
        learner.write_outputs(dense(X[rows], learner.dtype), out[rows])
    return out


def require_features(learner: Learner, X: Any) -> None:
    """Raise unless X has a column for each input: `n_features_in_` may be wrong."""
    n_in = learner.design.sizes[0]
    if X.ndim != 2 or X.shape[1] != n_in:
        raise ValueError(
            f"X must have shape (n, {n_in}), by coefs_[0]; got {tuple(X.shape)}"
        )


def dense(X: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows of a sparse matrix or array as an array in C order."""
    return np.ascontiguousarray(X.toarray(), dtype)
