"""Predictions of any model as columns of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from bpcore.losses import CrossEntropy
from bpcore.network import Network
from bpcore.tabular import Classifier
from bpcore.tabular.base import TabularEstimator
from bpcore.tabular.numeric import as_numbers

#: The name of the column where the target has none.
PREDICTION = "prediction"


@dataclass(frozen=True)
class Predictor:
    """A model as a function from frames to columns of texts.

    Attributes
    ----------
    columns : list of str, or None
        The columns that it needs, in their order; None if they have no names.
    n_columns : int
    texts : set of str
        Columns of categories that are texts.
    has_classes : bool
        Whether it predicts classes.
    outputs : list of str
        The names of the columns of the predictions.
    prepared : callable
        From a frame of its columns to what the model takes.
    function : callable
        The predictions of the model.
    """

    columns: list[str] | None
    n_columns: int
    texts: set[str]
    has_classes: bool
    outputs: list[str]
    prepared: Callable[[Any], Any]
    function: Callable[[Any], Any]

    def predict(self, frame: Any) -> list[list[str]]:
        """The columns of the predictions for a frame of the model's columns."""
        return as_texts(self.function(self.prepared(frame)))


def predictor_of(model: Any, proba: bool) -> Predictor:
    """The predictor of a model; `proba` for the probabilities of a classifier.

    Examples
    --------
    >>> import pandas as pd
    >>> from bpcore.cli.predictors import predictor_of
    >>> from bpcore.tabular import Classifier
    >>> frame = pd.DataFrame({"x": [0.0, 1.0] * 20})
    >>> y = pd.Series(["no", "yes"] * 20, name="answer")
    >>> model = Classifier(quick=True, random_state=0).fit(frame, y)
    >>> predictor = predictor_of(model, proba=False)
    >>> predictor.outputs, predictor.predict(frame[:3])
    (['answer'], [['no', 'yes', 'no']])
    """
    if isinstance(model, Network):
        predictor = _of_network(model, proba)
    elif isinstance(model, TabularEstimator):
        predictor = _of_table(model, proba)
    else:
        predictor = _of_estimator(model, proba)
    if proba and not predictor.has_classes:
        raise click.UsageError("--proba needs a model that predicts classes")
    return predictor


def _of_table(model: Any, proba: bool) -> Predictor:
    """The predictor of an estimator for tables."""
    names, columns = model.encoder_.names, None
    texts: set[str] = set()
    if names is not None:
        columns = [str(name) for name in names]
        texts = {
            columns[column.place]
            for column in model.encoder_.categories
            if column.categories.kind is str
        }

    def prepared(frame: Any) -> Any:
        return (
            frame.to_numpy(object) if names is None else frame.set_axis(names, axis=1)
        )

    has_classes = isinstance(model, Classifier)
    target = model.target_name_ or PREDICTION
    if not has_classes:
        outputs, function = _names(target, model.targets_), model.predict
    elif proba:
        outputs = [str(name) for name in model.classes_.tolist()]
        function = model.predict_proba
    else:
        outputs, function = [target], model.predict
    n_columns = model.n_features_in_
    return Predictor(
        columns, n_columns, texts, has_classes, outputs, prepared, function
    )


def _names(target: str, targets: Any) -> list[str]:
    """The names of the columns of a regressor."""
    if targets.quantiles is not None:
        return [f"{target}_quantile_{q:g}" for q in targets.quantiles]
    if targets.count == 1:
        return [target]
    return [f"{target}_{j}" for j in range(targets.count)]


def _of_estimator(model: Any, proba: bool) -> Predictor:
    """The predictor of an estimator of `bpcore.sklearn`."""
    names = getattr(model, "feature_names_in_", None)
    columns = None if names is None else [str(name) for name in names]
    has_classes = hasattr(model, "classes_")
    if proba and has_classes:
        outputs, function = [str(name) for name in model.classes_], model.predict_proba
    else:
        n_out = 1 if has_classes else model.network_.sizes[-1]
        outputs, function = _numbered(n_out), model.predict

    def prepared(frame: Any) -> Any:
        X = _matrix(frame)  # raises where a number is missing
        return X if names is None else frame.set_axis(names, axis=1)

    n_columns = model.n_features_in_
    return Predictor(
        columns, n_columns, set(), has_classes, outputs, prepared, function
    )


def _of_network(network: Network, proba: bool) -> Predictor:
    """The predictor of a network: with cross-entropy the number of the class."""
    n_in, n_out, loss = network.sizes[0], network.sizes[-1], network.loss
    has_classes = loss == "cross_entropy" or isinstance(loss, CrossEntropy)
    if proba:
        outputs = [str(j) for j in range(n_out)]
    else:
        outputs = _numbered(1 if has_classes else n_out)

    def function(X: Any) -> Any:
        found = network.predict(X)
        return found.argmax(axis=1) if has_classes and not proba else found

    return Predictor(None, n_in, set(), has_classes, outputs, _matrix, function)


def _numbered(count: int) -> list[str]:
    """The names of so many columns of predictions."""
    if count == 1:
        return [PREDICTION]
    return [f"{PREDICTION}_{j}" for j in range(count)]


def _matrix(frame: Any) -> NDArray[np.float64]:
    """The columns of a frame, all numbers."""
    return np.stack([_numbers(name, frame[name]) for name in frame.columns], axis=1)


def _numbers(name: str, column: Any) -> NDArray[np.float64]:
    """A column of numbers, none of them missing."""
    found = as_numbers(f"X[{name!r}]", np.asarray(column))
    if np.isnan(found).any():
        raise ValueError(f"column {name!r} must have no missing values for this model")
    return found


def as_texts(values: Any) -> list[list[str]]:
    """The columns of an array as texts, from which the numbers can be read back.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.cli.predictors import as_texts
    >>> as_texts(np.array([[0.1, 1e30], [1, 0]], np.float32)), as_texts(np.array([0.1]))
    ([['0.1', '1.0'], ['1e+30', '0.0']], [['0.1']])
    """
    columns: Sequence[Any] = values.reshape(len(values), -1).T
    if values.dtype == np.float64:  # sooner than by NumPy's numbers
        return [[repr(value) for value in column.tolist()] for column in columns]
    return [[str(value) for value in column] for column in columns]
