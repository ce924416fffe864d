"""Classifier: one class, or several labels, for each sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if

from bpcore import arrays, checks
from bpcore.arrays import Real, as_weights
from bpcore.batches.weights import ClassWeight, products
from bpcore.model.design import output_and_loss
from bpcore.quoting import quoted
from bpcore.sklearn.base import FIT, NetworkEstimator, makes_mini_batches
from bpcore.sklearn.data import Data
from bpcore.sklearn.exported import exported_classifier
from bpcore.sklearn.labels import PROBABILITIES, Labels, as_classes
from bpcore.sklearn.shared import with_parameters_of

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier


def gives_probabilities(estimator: Classifier) -> bool:
    """Whether the outputs of its network are probabilities."""
    if estimator.output is None and estimator.loss is None:
        return True
    output, _ = output_and_loss(estimator.output, estimator.loss)
    return output in PROBABILITIES


def gives_decisions(estimator: Classifier) -> bool:
    """Whether the outputs of its network are not probabilities."""
    return not gives_probabilities(estimator)


@with_parameters_of(NetworkEstimator)
class Classifier(ClassifierMixin, NetworkEstimator):
    """A network that predicts classes, or labels of which a sample may have several.

    By default two classes have one sigmoid output and binary_cross_entropy, more have a
    softmax and cross_entropy, and each of several labels has a sigmoid output::

        p = 1 / (1 + exp(-z))                     two classes, labels
        p_k = exp(z_k) / sum_j exp(z_j)           three or more classes

    Parameters
    ----------
    {parameters}
    class_weight : dict, sequence or "balanced", optional
        The weight of each class, by class (1 if missing) or in the order of
        ``classes_``; "balanced" gives all classes the same total weight.  The weight of
        a sample is multiplied by that of its class, for the training and validation
        loss and metrics.  For several labels per sample it is that of the positives of
        each in the loss, as for ``Network.fit``.

    Attributes
    ----------
    classes_ : array (n_classes,)
        The classes in order; of multi-label targets the numbers of the labels.
    {attributes}

    See Also
    --------
    Regressor : The same for numbers.
    from_sklearn : An estimator from a fitted ``MLPClassifier``.

    Notes
    -----
    The parameters, weights and results are those of a `bpcore.Network` with the same
    arguments and ``rng=random_state``.  hinge and binary_cross_entropy train each of
    three or more classes against the rest.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from bpcore.sklearn import Classifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = Classifier(hidden_layer_sizes=(16,), lr=0.01, epochs=50, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.95
    True
    """

    kind = "sklearn.Classifier"

    def __init__(
        self,
        *,
        class_weight: ClassWeight | None = FIT["class_weight"],
        **parameters: Any,
    ) -> None:
        super().__init__(**parameters)
        self.class_weight = class_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _new_targets(self, y: NDArray[Any], classes: Any) -> Labels:
        return Labels.of(y, classes, self.output, self.loss)

    def _network_loss(self, targets: Any) -> tuple[str | None, Any]:
        return targets.output, targets.loss

    def _network_class_weight(self, targets: Any) -> ClassWeight | None:
        return self.class_weight if targets.multilabel else None

    def _weigh(
        self, targets: Any, y: NDArray[Any], part: bool
    ) -> Callable[[NDArray[Any], Any], Any]:
        if self.class_weight is None or targets.multilabel:
            return super()._weigh(targets, y, part)
        weights: Any = self.class_weight
        if isinstance(weights, str):
            checks.one_of("class_weight, if a str,", weights, ("balanced",))
            if part:
                raise ValueError(
                    "class_weight='balanced' needs the classes of all data, and cannot "
                    "be used with partial_fit: give a weight for each class"
                )
        elif not isinstance(weights, Mapping):
            names = targets.classes.tolist()
            if len(weights) != len(names):
                raise ValueError(
                    f"class_weight must have a weight for each of {len(names)} "
                    f"classes; got {len(weights)}"
                )
            weights = dict(zip(names, weights, strict=True))
        if isinstance(weights, Mapping):
            names = targets.classes.tolist()
            unknown = [name for name in weights if name not in names]
            if unknown:
                raise ValueError(
                    f"class_weight must have classes of y, {names}; "
                    f"got {quoted(unknown[0])}"
                )
            weights = {name: weights.get(name, 1.0) for name in names}
        factors = compute_class_weight(
            weights, classes=targets.classes, y=as_classes(y)
        )

        def weigh(y: NDArray[Any], weight: Any) -> Any:
            of_classes = factors[targets.indices("y", as_classes(y))]
            given = as_weights("sample_weight", weight, len(y), some=False)
            if not part:
                return products("sample_weight", of_classes, given)
            return of_classes if given is None else of_classes * given

        return weigh

    @available_if(makes_mini_batches)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
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
        classes : array-like (n_classes,)
            All classes; needed in the first call, since y may not have all.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As `fit`; if y has a class that is not in `classes`; or if `classes` are
            missing in the first call, or others than then.
        DivergenceError
            As `fit`; the network is as before.

        Examples
        --------
        >>> from bpcore.sklearn import Classifier
        >>> model = Classifier(random_state=0)
        >>> model.partial_fit([[0.0], [1.0]], ["a", "b"], classes=["a", "b", "c"])
        Classifier(random_state=0)
        >>> model.classes_.tolist()
        ['a', 'b', 'c']
        """
        if not hasattr(self, "network_"):
            if classes is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit."
                )
        elif classes is not None and not np.array_equal(
            np.unique(classes), self.classes_
        ):
            raise ValueError(
                f"classes={quoted(classes)} is not the same as on last call to "
                f"partial_fit, was: {quoted(self.classes_)}"
            )
        data = Data(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self._train(data, part=True, classes=classes)

    def score(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """The accuracy: the fraction of rows whose class, or all labels, are predicted.

        Parameters
        ----------
        X : array-like (n, n_features)
        y : array-like (n,) or (n, n_outputs)
        sample_weight : array-like (n,), optional

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        TypeError
            If an array is masked.

        Examples
        --------
        >>> from bpcore.sklearn import Classifier
        >>> model = Classifier(random_state=0).fit([[0.0], [1.0]], [0, 1])
        >>> 0 <= model.score([[0.0], [1.0]], [0, 1]) <= 1
        True
        """
        arrays.reject_masked("y", y)
        arrays.reject_masked("sample_weight", sample_weight)
        arrays.reject_times("sample_weight", sample_weight)
        return float(super().score(X, y, sample_weight))

    @available_if(gives_probabilities)
    def predict_proba(self, X: ArrayLike) -> Real:
        """The probability of each class or label.

        Parameters
        ----------
        X : array-like (n, n_features)

        Returns
        -------
        array (n, n_classes)
            In the order of ``classes_``; rows add up to 1, except those of several
            labels per sample.

        Raises
        ------
        NotFittedError, ValueError
            As `predict`.
        """
        outputs, targets = self._outputs(X)
        found: Real = targets.probabilities(outputs)
        return found

    @available_if(gives_probabilities)
    def predict_log_proba(self, X: ArrayLike) -> Real:
        """The logarithm of `predict_proba`, -inf where that is 0.

        Parameters
        ----------
        X : array-like (n, n_features)

        Returns
        -------
        array (n, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(gives_decisions)
    def decision_function(self, X: ArrayLike) -> Real:
        """The outputs of the network, where they are not probabilities (hinge).

        Parameters
        ----------
        X : array-like (n, n_features)

        Returns
        -------
        array (n,) for two classes, else (n, n_classes)
            For two classes, values above 0 are those of the second class.
        """
        outputs, targets = self._outputs(X)
        if targets.multilabel or outputs.shape[1] > 1:
            return outputs
        decisions: Real = outputs[:, 0] - outputs.dtype.type(targets.threshold)
        return decisions

    def to_sklearn(self) -> MLPClassifier:
        """A fitted ``MLPClassifier`` of scikit-learn that predicts the same.

        Batch norm is folded into the weights; two softmax outputs become one.  Further
        training there has scikit-learn's loss without a penalty, and a solver that
        begins anew: the same if it is Adam, SGD or LBFGS at a constant rate, else Adam.

        Returns
        -------
        MLPClassifier

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If scikit-learn has no such network: activations other than its own or
            different ones per layer, layer norm, an output that is neither sigmoid nor
            softmax, or three or more sigmoid outputs of one class each.

        Examples
        --------
        >>> from bpcore.sklearn import Classifier
        >>> model = Classifier(random_state=0).fit([[0.0], [1.0]], ["a", "b"])
        >>> type(model.to_sklearn()).__name__
        'MLPClassifier'
        """
        return exported_classifier(self)
