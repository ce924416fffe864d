"""Classifier for tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.losses import CrossEntropy, Loss
from bpcore.metrics import Metric
from bpcore.network import Network
from bpcore.tabular.base import TabularEstimator
from bpcore.tabular.calibration import calibrate
from bpcore.tabular.categories import MOST
from bpcore.tabular.foundation import ClassifierMixin
from bpcore.tabular.recipe import CLASSIFICATION, Recipe
from bpcore.tabular.targets import Classes

#: Weight of the log loss beside the error: epochs with the same error differ by it.
LOG_LOSS = 1e-4


def validation_error(
    y: NDArray[Any],
    a: NDArray[Any],
    weight: NDArray[np.float64] | None,
    class_weights: NDArray[np.float64] | None = None,
) -> float:
    """The fraction of wrong classes, plus 0.0001 times the log loss, with weights.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.classifier import validation_error
    >>> a = np.array([[0.8, 0.2], [0.6, 0.4]])
    >>> round(validation_error(np.array([0, 1]), a, None), 6)
    0.500057
    """
    p = np.maximum(a[np.arange(len(y)), y].astype(np.float64), 1e-30)
    each = (a.argmax(axis=1) != y) - LOG_LOSS * np.log(p)
    if class_weights is not None:
        weight = class_weights[y] * (1.0 if weight is None else weight)
    return float(np.average(each, weights=weight))


def class_weights(
    given: Any, names: NDArray[Any], labels: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """The weight of each class, of the parameter `class_weight`; None for none.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.classifier import class_weights
    >>> names, labels = np.array(["no", "yes"]), np.array([0, 0, 0, 1])
    >>> class_weights("balanced", names, labels)
    array([0.66666667, 2.        ])
    >>> class_weights({"no": 3}, names, labels)
    array([3., 1.])
    """
    if given is None:
        return None
    if isinstance(given, str) and given == "balanced":
        return len(labels) / (len(names) * np.bincount(labels, minlength=len(names)))
    if not isinstance(given, Mapping):
        raise ValueError(
            "class_weight must be None, 'balanced' or a mapping from classes to "
            f"weights; got {given!r}"
        )
    weights, known = np.ones(len(names)), names.tolist()
    for name, weight in given.items():
        if name not in known:
            raise ValueError(
                f"class_weight must have classes of y for keys; got {name!r}"
            )
        weights[known.index(name)] = checks.number(
            f"class_weight[{name!r}]", weight, least=0.0
        )
    return weights


class Classifier(ClassifierMixin, TabularEstimator):  # noqa: D101 -- the docstring is made
    __doc__ = (TabularEstimator.__doc__ or "").replace(
        "A network, or several, for tables as they come.",
        "Classes of the rows of a table, by a network or several.",
    )

    def __init__(
        self,
        *,
        quick: bool = False,
        n_models: int = 1,
        hidden_layer_sizes: Sequence[int] | None = None,
        activation: str | None = None,
        lr: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        label_smoothing: float | None = None,
        class_weight: Any = None,
        validation_fraction: float | None = 0.2,
        categorical: Collection[Any] | str = "auto",
        max_categories: int = MOST,
        n_threads: int | str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            quick=quick,
            n_models=n_models,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            lr=lr,
            epochs=epochs,
            batch_size=batch_size,
            validation_fraction=validation_fraction,
            categorical=categorical,
            max_categories=max_categories,
            n_threads=n_threads,
            random_state=random_state,
            verbose=verbose,
        )
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes in order."""
        found: NDArray[Any] = self.targets_.names
        return found

    def _recipe(self) -> Recipe:
        if self.label_smoothing is not None:
            checks.number("label_smoothing", self.label_smoothing, least=0.0, below=1.0)
        return CLASSIFICATION.replace(label_smoothing=self.label_smoothing)

    def _targets(self, y: Any) -> Classes:
        return Classes.of(y)

    def _encode(self, targets: Classes, name: str, y: Any) -> NDArray[np.int64]:
        return targets.labels(name, y)

    def _outputs(self, targets: Classes, recipe: Recipe) -> tuple[int, str | Loss]:
        return len(targets.names), CrossEntropy(recipe.label_smoothing)

    def _options(self, targets: Classes, encoded: NDArray[np.int64]) -> dict[str, Any]:
        weights = class_weights(self.class_weight, targets.names, encoded)
        error = validation_error
        if weights is not None:
            error = partial(validation_error, class_weights=weights)
        monitored = Metric("validation_error", error, higher_is_better=False)
        return {
            "metrics": monitored,
            "monitor": monitored.name,
            "class_weight": None if weights is None else dict(enumerate(weights)),
        }

    def _calibrate(
        self, network: Network, rows: Batch, options: dict[str, Any]
    ) -> None:
        weight, weights = rows.weight, options["class_weight"]
        if weights is not None:
            of_rows = np.array(list(weights.values()))[rows.y]
            weight = of_rows if weight is None else weight * of_rows
        calibrate(network, rows.X, rows.y, weight)

    def predict_proba(self, X: Any) -> Real:
        """The probability of each class, in the order of ``classes_``: (n, n_classes).

        They are calibrated by the rows that chose the best epoch: without it, label
        smoothing would make them too small for the most probable class.

        Parameters
        ----------
        X : frame, array or list of rows (n, n_columns)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the columns are not those of `fit`.
        """
        return self._predicted(self._encoded(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row: (n,).

        Examples
        --------
        >>> from bpcore.tabular import Classifier
        >>> rows = [["red", 1.0], ["blue", 2.0]] * 20
        >>> model = Classifier(quick=True, random_state=0).fit(rows, ["a", "b"] * 20)
        >>> model.predict([["red", 1.5]]).tolist()
        ['a']
        """
        most = self.predict_proba(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[most]
        return found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The fraction of rows whose class is right."""
        return self._score(self.predict_proba(X), y, sample_weight)

    def _predicted(self, Z: Real) -> Real:
        members = self._members(Z)
        return members[0] if len(members) == 1 else np.mean(members, axis=0)

    def _score(self, predicted: Real, y: Any, weight: Any) -> float:
        return float(np.average(self._right(predicted, y), weights=weight))

    def _right(self, predicted: Real, y: Any) -> NDArray[np.bool_]:
        """Whether the most probable class is that of y."""
        found: NDArray[np.bool_] = self.classes_[
            predicted.argmax(axis=1)
        ] == np.asarray(y).reshape(-1)
        return found

    def _output_scale(self) -> float:
        return 1.0

    def _draw(self, axes: Any, predicted: Real, y: Any) -> None:
        from bpcore.tabular import plots

        plots.calibration(axes, predicted.max(axis=1), self._right(predicted, y))
