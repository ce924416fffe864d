"""Predictions of any model as columns of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from bpcore.network import Network
from bpcore.tabular import Classifier
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
    outputs : list of str
        The names of the columns of `predict`.
    predict : callable
    """

    columns: list[str] | None
    n_columns: int
    texts: set[str]
    outputs: list[str]
    predict: Callable[[Any], list[list[str]]]


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
        return _of_network(model, proba)
    names, columns, texts = model.encoder_.names, None, set[str]()
    if names is not None:
        columns = [str(name) for name in names]
        texts = {
            columns[column.place]
            for column in model.encoder_.categories
            if column.categories.kind is str
        }

    def prepared(frame: Any) -> Any:
        """The frame as `fit` had it: with names, or none."""
        return frame.to_numpy(object) if names is None else frame.set_axis(names, axis=1)

    target = model.target_name_ or PREDICTION
    outputs: list[str]
    if not isinstance(model, Classifier):
        _require_classes(proba, False)
        outputs = _names(target, model.targets_)

        def predict(frame: Any) -> list[list[str]]:
            return as_texts(model.predict(prepared(frame)))

    elif proba:
        outputs = [str(name) for name in model.classes_.tolist()]

        def predict(frame: Any) -> list[list[str]]:
            return as_texts(model.predict_proba(prepared(frame)))

    else:
        outputs = [target]

        def predict(frame: Any) -> list[list[str]]:
            return as_texts(model.predict(prepared(frame)))

    return Predictor(columns, model.n_features_in_, texts, outputs, predict)


def _names(target: str, targets: Any) -> list[str]:
    """The names of the columns of a regressor."""
    if targets.quantiles is not None:
        return [f"{target}_quantile_{q:g}" for q in targets.quantiles]
    if targets.count == 1:
        return [target]
    return [f"{target}_{j}" for j in range(targets.count)]


def _of_network(network: Network, proba: bool) -> Predictor:
    classes = network.loss_has_classes
    ...


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
    return [[str(value) for value in column] for column in columns]
