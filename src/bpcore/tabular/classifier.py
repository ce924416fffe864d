"""Classifier for tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.arrays import Real
from bpcore.batches.weights import as_normal_weights, scaled_to_normal
from bpcore.losses import CrossEntropy, Loss
from bpcore.metrics import Metric
from bpcore.network import Network
from bpcore.tabular.base import TabularEstimator
from bpcore.tabular.calibration import calibrate
from bpcore.tabular.categories import MOST
from bpcore.tabular.ensemble import mean
from bpcore.tabular.foundation import ClassifierMixin
from bpcore.tabular.recipe import CLASSIFICATION, Recipe
from bpcore.tabular.targets import Classes, require_length
from bpcore.tabular.validation import validation_rows

#: Weight of the log loss beside the error: epochs with the same error differ by it.
LOG_LOSS = 1e-4


def validation_error(
    y: NDArray[Any], a: NDArray[Any], weight: NDArray[np.float64] | None
) -> float:
    """The fraction of wrong classes, plus 0.0001 times the log loss.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.classifier import validation_error
    >>> a = np.array([[0.8, 0.2], [0.6, 0.4]])
    >>> round(validation_error(np.array([0, 1]), a, None), 6)
    0.500057
    """
    if weight is not None:  # None if all held-back rows are of classes of weight 0
        weight = scaled_to_normal(weight) if weight.any() else None
    p = np.maximum(a[np.arange(len(y)), y].astype(np.float64), 1e-30)
    each = (a.argmax(axis=1) != y) - LOG_LOSS * np.log(p)
    return float(np.average(each, weights=weight))


#: Parameters of this class only, documented before those of the base class.
OWN_PARAMETERS = """Parameters
    ----------
    class_weight : "balanced" or mapping, optional
        The weight of the rows of each class, times that of the row; "balanced" gives
        all classes the same total weight.
    label_smoothing : float, default=0.1
        Fraction of the targets that is spread over all classes while training."""

#: What the best epoch is chosen by.
MONITORED = Metric("validation_error", validation_error, higher_is_better=False)


class Classifier(ClassifierMixin, TabularEstimator):  # noqa: D101 -- the docstring is made
    __doc__ = (
        (TabularEstimator.__doc__ or "")
        .replace(
            "A network, or several, for tables as they come.",
            "Classes of the rows of a table, by a network or several.",
        )
        .replace("Parameters\n    ----------", OWN_PARAMETERS)
    )

    kind = "tabular.Classifier"

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
        return Classes.of(y, self.class_weight)

    def _outputs(self, targets: Classes, recipe: Recipe) -> tuple[int, str | Loss]:
        return len(targets.names), CrossEntropy(recipe.label_smoothing)

    def _options(self) -> dict[str, Any]:
        return {"metrics": MONITORED, "monitor": MONITORED.name}

    def _finish(self, network: Network, *data: Any) -> None:
        rows = validation_rows(network, *data)
        if rows is not None and (rows.weight is None or rows.weight.any()):
            calibrate(network, rows.X, rows.y, rows.weight)

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

    def predict_log_proba(self, X: Any) -> Real:
        """The logarithm of `predict_proba`."""
        with np.errstate(divide="ignore"):
            found: Real = np.log(self.predict_proba(X))
        return found

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
        return mean(self._members(Z))

    def _score(self, predicted: Real, y: Any, weight: Any) -> float:
        right = predicted.argmax(axis=1) == self._labels(predicted, y)
        weight = as_normal_weights("sample_weight", weight, len(right))
        return float(np.average(right, weights=weight))

    def _labels(self, predicted: Real, y: Any) -> NDArray[np.intp]:
        """The numbers of the classes y of so many predictions."""
        labels: NDArray[np.intp] = self.targets_.encode("y", y)
        require_length("y", len(labels), "X", len(predicted))
        return labels

    def _output_scale(self) -> float:
        return 1.0

    def _draw(self, axes: Any, predicted: Real, y: Any) -> None:
        from bpcore.tabular import plots

        names = [str(name) for name in self.classes_]
        plots.classes(axes, predicted, self._labels(predicted, y), names)
