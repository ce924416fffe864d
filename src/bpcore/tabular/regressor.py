"""Regressor for tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.batches.weights import as_normal_weights
from bpcore.losses import JointQuantile, TargetKind
from bpcore.metrics import METRICS
from bpcore.quoting import quoted
from bpcore.tabular.base import TabularEstimator
from bpcore.tabular.categories import MOST
from bpcore.tabular.ensemble import deviation, mean
from bpcore.tabular.foundation import RegressorMixin
from bpcore.tabular.recipe import REGRESSION, Recipe
from bpcore.tabular.targets import Standardised, as_targets, require_length

#: Parameters of this class only, documented before those of the base class.
QUANTILES = """Parameters
    ----------
    quantiles : sequence of float, optional
        The quantiles of y to predict in place of its mean, each above 0 and below 1.
        Those of a row are in order: they do not cross."""


class Regressor(RegressorMixin, TabularEstimator):  # noqa: D101 -- the docstring is made
    __doc__ = (
        (TabularEstimator.__doc__ or "")
        .replace(
            "A network, or several, for tables as they come.",
            "Numbers for the rows of a table, by a network or several.",
        )
        .replace("Parameters\n    ----------", QUANTILES)
    )

    kind = "tabular.Regressor"

    def __init__(
        self,
        *,
        quantiles: Sequence[float] | None = None,
        quick: bool = False,
        n_models: int = 1,
        hidden_layer_sizes: Sequence[int] | None = None,
        activation: str | None = None,
        lr: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
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
        self.quantiles = quantiles

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _recipe(self) -> Recipe:
        return REGRESSION

    def _targets(self, y: Any) -> Standardised:
        quantiles = None
        if self.quantiles is not None:
            given = self.quantiles
            if isinstance(given, str) or not np.iterable(given):
                raise TypeError(
                    f"quantiles must be a sequence of numbers; got {quoted(given)}"
                )
            quantiles = JointQuantile(tuple(given)).quantiles
        return Standardised.of(y, quantiles)

    def _outputs(self, targets: Standardised, recipe: Recipe) -> tuple[int, Any]:
        if targets.quantiles is None:
            return targets.count, "mean_squared_error"
        return len(targets.quantiles), JointQuantile(targets.quantiles)

    def _options(self) -> dict[str, Any]:
        return {"metrics": None, "monitor": None}

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The numbers of each row, (n,) or (n, n_targets) as y was.

        Parameters
        ----------
        X : frame, array or list of rows (n, n_columns)
        return_std : bool
            Whether to return their standard deviation over the networks too.  It is
            that of the training, much narrower than the errors: for intervals use
            quantiles, or MAPIE.

        Returns
        -------
        array (n,) or (n, n_targets), or (n, n_quantiles)
            No number is below or above all those of the training.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If the columns are not those of `fit`.

        Examples
        --------
        >>> from bpcore.tabular import Regressor
        >>> rows = [[0.0], [1.0], [2.0], [3.0]] * 10
        >>> model = Regressor(quick=True, random_state=0)
        >>> model.fit(rows, [0.0, 1.0, 2.0, 3.0] * 10).predict([[3.0]]).round(1)
        array([3.])
        """
        if return_std and len(getattr(self, "networks_", ())) == 1:
            raise ValueError("return_std needs n_models of at least 2; got 1 network")
        members = self._decoded(self._encoded(X))
        found = mean(members)
        return (found, deviation(members)) if return_std else found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2 of the predictions, the mean over the targets.

        For quantiles the mean of their D^2: 1 - (mean loss of the predictions) / (mean
        loss of the best constant).
        """
        return self._score(self.predict(X), y, sample_weight)

    def _decoded(self, Z: Real) -> list[NDArray[np.float64]]:
        """The predictions of each network."""
        return [self.targets_.decode(z) for z in self._members(Z)]

    def _predicted(self, Z: Real) -> NDArray[np.float64]:
        return mean(self._decoded(Z))

    def _score(self, predicted: NDArray[Any], y: Any, weight: Any) -> float:
        actual, _ = as_targets("y", y)
        require_length("y", len(actual), "X", len(predicted))
        weight = as_normal_weights("sample_weight", weight, len(actual))
        quantiles = self.targets_.quantiles
        if quantiles is not None:
            return d2_of_quantiles(predicted, actual[:, 0], quantiles, weight)
        a = predicted.reshape(len(predicted), -1)
        if actual.shape != a.shape:
            raise ValueError(f"y must have shape {a.shape}; got {actual.shape}")
        return METRICS["r2"](actual, a, weight, TargetKind())

    def _output_scale(self) -> Any:
        return self.targets_.deviation

    def _draw(self, axes: Any, predicted: NDArray[Any], y: Any) -> None:
        from bpcore.tabular import plots

        targets, _ = as_targets("y", y)
        require_length("y", len(targets), "X", len(predicted))
        quantiles = self.targets_.quantiles
        names = [f"target {j}" for j in range(self.targets_.count)]
        if quantiles is not None:
            names = [f"quantile {q:g}" for q in quantiles]
        measure = "R2" if quantiles is None else "Score"
        score = f"{measure} {self._score(predicted, y, None):.4f}"
        target = (self.target_name_ or "target").replace("$", r"\$")
        plots.against_targets(axes, predicted, targets, names, target, score)


def ratios(rest: Any, spread: Any) -> NDArray[np.float64]:
    """1 - rest / spread; for a spread of 0 it is 1 if the rest is 0 too, else 0.

    Examples
    --------
    >>> from bpcore.tabular.regressor import ratios
    >>> ratios([1.0, 0.0, 1.0], [4.0, 0.0, 0.0])
    array([0.75, 1.  , 0.  ])
    """
    rest, spread = np.asarray(rest, np.float64), np.asarray(spread, np.float64)
    found: NDArray[np.float64] = np.where(
        spread > 0, 1 - rest / np.where(spread > 0, spread, 1), rest == 0
    )
    return found


def d2_of_quantiles(
    predicted: NDArray[Any], y: NDArray[Any], quantiles: Sequence[float], weight: Any
) -> float:
    """The mean over quantiles of 1 - loss / (loss of the best constant)."""
    rest: list[Any] = []
    spread: list[Any] = []
    for a, q in zip(predicted.T, quantiles, strict=True):
        constant = np.full_like(a, weighted_quantile(y, q, weight))
        for losses, outputs in ((rest, a), (spread, constant)):
            values, _ = JointQuantile((q,))(outputs[:, None], y[:, None])
            losses.append(np.average(values, weights=weight))
    return float(np.mean(ratios(rest, spread)))


def weighted_quantile(y: NDArray[Any], q: float, weight: Any) -> float:
    """The smallest y that at least a fraction q of the weight does not exceed.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.regressor import weighted_quantile
    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), 0.5, None)
    2.0
    """
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, np.float64)
    order = np.argsort(y, kind="stable")
    sums = np.cumsum(weight[order])
    place = np.searchsorted(sums, q * sums[-1])
    return float(y[order][min(place, len(y) - 1)])
