"""Regressor: one or several numbers for each sample, or quantiles of one."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_pinball_score
from sklearn.utils.metaestimators import available_if

from bpcore import arrays
from bpcore.losses import JointQuantile, Quantile
from bpcore.quoting import quoted
from bpcore.sklearn.base import NetworkEstimator, makes_mini_batches
from bpcore.sklearn.columns import Columns
from bpcore.sklearn.data import Data
from bpcore.sklearn.exported import exported_regressor
from bpcore.sklearn.shared import with_parameters_of

if TYPE_CHECKING:
    from sklearn.neural_network import MLPRegressor


@with_parameters_of(NetworkEstimator)
class Regressor(RegressorMixin, NetworkEstimator):
    """A network that predicts numbers, one or several for each sample.

    By default the loss is the squared error, half the sum over the outputs of
    (a - y)^2, and the output the identity.

    Parameters
    ----------
    {parameters}
    quantiles : float or sequence of float, optional
        The quantiles of y to predict, each above 0 and below 1, with the loss
        "quantile".  A sequence gives one output for each, and needs one number per
        sample.

    Attributes
    ----------
    {attributes}

    See Also
    --------
    Classifier : The same for classes and labels.
    from_sklearn : An estimator from a fitted ``MLPRegressor``.

    Notes
    -----
    The parameters, weights and results are those of a `bpcore.Network` with the same
    arguments and ``rng=random_state``.  y is not scaled: numbers far from 1 train badly
    (``sklearn.compose.TransformedTargetRegressor`` scales them).

    Several quantiles share the hidden layers, and are trained together by the mean of
    their losses (Koenker and Bassett 1978).  Predicted quantiles may cross where there
    are few data.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.sklearn import Regressor
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> model = Regressor(hidden_layer_sizes=(32,), activation="tanh", lr=0.01,
    ...                   epochs=100, random_state=0)
    >>> model.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95
    True
    """

    kind = "sklearn.Regressor"

    def __init__(
        self,
        *,
        quantiles: float | Sequence[float] | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(**parameters)
        self.quantiles = quantiles

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @property
    def _several_quantiles(self) -> tuple[float, ...] | None:
        """The quantiles, if they are a sequence."""
        given: Any = self.quantiles
        if given is None or isinstance(given, numbers.Real):
            return None
        return tuple(given)

    def _new_targets(self, y: NDArray[Any], classes: Any) -> Columns:
        n_targets = 1 if y.ndim == 1 else y.shape[1]
        several = self._several_quantiles
        if several is None:
            return Columns(n_targets)
        if n_targets > 1:
            raise ValueError(
                "y must have one number for each sample for several quantiles; "
                f"got {n_targets}"
            )
        return Columns(1, len(several))

    def _network_loss(self, targets: Any) -> tuple[str | None, Any]:
        if self.quantiles is None:
            return self.output, self.loss
        if self.loss not in (None, "quantile"):
            raise ValueError(
                f"loss must be 'quantile' where quantiles are given; "
                f"got {quoted(self.loss)}"
            )
        several = self._several_quantiles
        if several is not None:
            return self.output, JointQuantile(several)
        q: Any = self.quantiles
        return self.output, Quantile(q)

    @available_if(makes_mini_batches)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """One pass over a part of the data, or one more epoch over all of them.

        Weights are not scaled to mean 1.  Early stopping counts over the calls: after
        `patience` calls without a better value ``stopped_`` is "patience", with
        `restore_best` the network is the best one, and further calls change nothing.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val
            As for `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As `fit`.
        DivergenceError
            As `fit`; the network is as before.

        Examples
        --------
        >>> from bpcore.sklearn import Regressor
        >>> Regressor(random_state=0).partial_fit([[0.0], [1.0]], [0.0, 1.0]).n_iter_
        1
        """
        data = Data(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self._train(data, part=True)

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """R^2 of the predictions; for several quantiles the mean of their D^2.

        D^2 is 1 - (mean loss of the predictions) / (mean loss of the best constant),
        ``sklearn.metrics.d2_pinball_score``.

        Parameters
        ----------
        X : array-like (n, n_features)
        y : array-like (n,) or (n, n_outputs)
        sample_weight : array-like (n,), optional

        Returns
        -------
        float
            At most 1.
        """
        arrays.reject_masked("y", y)
        arrays.reject_masked("sample_weight", sample_weight)
        arrays.reject_times("y", y)
        arrays.reject_times("sample_weight", sample_weight)
        several = self._several_quantiles
        if several is None:
            return float(super().score(X, y, sample_weight))
        columns = self.predict(X).reshape(-1, len(several)).T
        scores = [
            d2_pinball_score(y, column, sample_weight=sample_weight, alpha=q)
            for q, column in zip(several, columns, strict=True)
        ]
        return float(np.mean(scores))

    def to_sklearn(self) -> MLPRegressor:
        """A fitted ``MLPRegressor`` of scikit-learn that predicts the same.

        Batch norm is folded into the weights.  Further training there has
        scikit-learn's squared error (poisson if the output is exp) without a penalty,
        and a solver that begins anew: the same if it is Adam, SGD or LBFGS at a
        constant rate, else Adam.

        Returns
        -------
        MLPRegressor

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If scikit-learn has no such network: activations other than its own or
            different ones per layer, layer norm, or an output that is neither the
            identity nor exp.

        Examples
        --------
        >>> from bpcore.sklearn import Regressor
        >>> model = Regressor(random_state=0).fit([[0.0], [1.0]], [0.0, 1.0])
        >>> type(model.to_sklearn()).__name__
        'MLPRegressor'
        """
        return exported_regressor(self)
