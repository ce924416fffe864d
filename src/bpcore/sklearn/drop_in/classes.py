"""MLPClassifier and MLPRegressor: scikit-learn's own, trained by this library."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from numpy.typing import NDArray
from sklearn import neural_network
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron

from bpcore import checks
from bpcore.arrays import Real
from bpcore.sklearn.drop_in import predictions
from bpcore.sklearn.drop_in.fallback import obstacle, predictions_in_between, say
from bpcore.sklearn.drop_in.full_batch import FullBatch
from bpcore.sklearn.drop_in.stochastic import fit_stochastic
from bpcore.sklearn.drop_in.tables import activations_are_own
from bpcore.sklearn.drop_in.trained import ATTRIBUTE, Trained, take_over

#: Docstring of both classes: `documented` puts scikit-learn's into it.
ABOUT = """Drop-in for ``sklearn.neural_network.{name}``: the same model, sooner.

    A subclass of scikit-learn's class, with its parameters, attributes and methods.  It
    draws the same random numbers in the same order and follows the same rules, so that
    `coefs_`, `intercepts_`, `loss_curve_`, `validation_scores_`, `n_iter_` and `t_` are
    those of scikit-learn up to rounding: in float32 for float32 X, else in float64.
    (For "lbfgs" the loss is, since its line searches depend on last digits.)
    {more}
    `coefs_` and `intercepts_` are views of the arrays that are trained.  A sparse X is
    made dense one mini-batch at a time.  Where some sample weights are negative,
    a subclass has gradients of its own, or a user has put other functions into
    scikit-learn's tables, scikit-learn trains, and the logger "bpcore.sklearn" says so.

    The documentation of scikit-learn's class:

    {theirs}

    Examples
    --------
    {example}
    """
CLASSIFIER = """>>> from bpcore.sklearn import MLPClassifier
    >>> X, y = [[0.0, 0.0], [1.0, 1.0]], [0, 1]
    >>> net = MLPClassifier((5,), solver="lbfgs", random_state=1).fit(X, y)
    >>> net.predict([[2.0, 2.0], [-1.0, -2.0]])
    array([1, 0])"""
REGRESSOR = """>>> from bpcore.sklearn import MLPRegressor
    >>> X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]
    >>> net = MLPRegressor(solver="lbfgs", random_state=1).fit(X, y)
    >>> net.predict([[1.5]]).round(1)
    array([1.5])"""
SEVERAL_TARGETS = """
    As in scikit-learn, the squared error of several targets is their mean in the loss,
    and their sum in its gradient: "lbfgs" is given a gradient that is n_outputs times
    that of its loss.
    """


def documented(parent: type, more: str, example: str) -> str:
    """The docstring of a subclass of `parent`, with the parent's but its examples."""
    theirs = (parent.__doc__ or "").split("    Examples\n    --------")[0].strip()
    return ABOUT.format(name=parent.__name__, more=more, theirs=theirs, example=example)


class DropIn(BaseMultilayerPerceptron):  # type: ignore[misc]
    """What both classes replace: training and predictions, not checks and rules."""

    #: scikit-learn's class.
    plain: ClassVar[type]

    @classmethod
    def __subclasshook__(cls, other: type) -> Any:
        """Whether `other` is a subclass; not because a subclass counts it as one."""
        return cls in other.__mro__

    def _fit_stochastic(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        activations: Any,
        deltas: Any,
        coef_grads: Any,
        intercept_grads: Any,
        layer_units: Any,
        incremental: bool,
    ) -> None:
        reason = obstacle(self, sample_weight, DropIn)
        if reason is None:
            fit_stochastic(self, X, y, sample_weight, incremental)
            return
        say(self, reason)
        with predictions_in_between(self, incremental):
            super()._fit_stochastic(
                X,
                y,
                sample_weight,
                activations,
                deltas,
                coef_grads,
                intercept_grads,
                layer_units,
                incremental,
            )

    def _fit_lbfgs(
        self, X: Any, y: Any, sample_weight: Any, *arrays_and_units: Any
    ) -> None:
        reason = obstacle(self, sample_weight, DropIn)
        if reason is None:
            X = FullBatch(self, X, y, sample_weight)
        else:
            say(self, reason)
        super()._fit_lbfgs(X, y, sample_weight, *arrays_and_units)
        take_over(self)

    def _loss_grad_lbfgs(
        self, packed: Real, X: Any, y: Any, sample_weight: Any, *arrays: Any
    ) -> tuple[float, Real]:
        if isinstance(X, FullBatch):
            return X(packed)
        if obstacle(self, sample_weight, DropIn) is not None:
            found: tuple[float, Real] = super()._loss_grad_lbfgs(
                packed, X, y, sample_weight, *arrays
            )
            return found
        return FullBatch(self, X, y, sample_weight)(packed)

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> Real:
        if not activations_are_own(self):
            outputs: Real = super()._forward_pass_fast(X, check_input)
            return outputs
        return predictions.outputs(self, X, check_input)

    def to_sklearn(self) -> Any:
        """The same model as a plain estimator of scikit-learn, with its parameters.

        It predicts and trains on as this one would, without bpcore.

        Returns
        -------
        MLPClassifier or MLPRegressor of scikit-learn
            With copies of all fitted attributes, if it is fitted.
        """
        plain = self.plain(**self.get_params(deep=False))
        vars(plain).update(copy.deepcopy(self.__getstate__()))
        return plain

    def __setstate__(self, state: dict[str, Any]) -> None:
        """All of a pickle is read by another object, then taken over at once."""
        other = object.__new__(type(self))
        checks.instance(f"a stored {type(self).__name__}", state, dict)
        super(DropIn, other).__setstate__(state)
        if "coefs_" in vars(other):
            try:
                take_over(other)
            except (AttributeError, LookupError) as error:
                raise ValueError(
                    f"a stored {type(self).__name__} must have the attributes of a "
                    f"fitted one: {type(error).__name__}: {error}"
                ) from error
        self.__dict__.update(vars(other))

    def __getstate__(self) -> dict[str, Any]:
        stored: dict[str, Any] = dict(super().__getstate__())
        own: Trained | None = stored.pop(ATTRIBUTE, None)
        return stored if own is None else own.copied(stored)


class MLPClassifier(  # noqa: D101 -- the docstring is made
    DropIn,
    neural_network.MLPClassifier,  # type: ignore[misc]
):
    __doc__ = documented(neural_network.MLPClassifier, "", CLASSIFIER)
    plain = neural_network.MLPClassifier

    def predict(self, X: Any) -> NDArray[Any]:
        """The predicted classes (n,), or (n, n_outputs) for several labels of a row."""
        if type(self)._predict is not neural_network.MLPClassifier._predict:
            return super().predict(X)
        return predictions.labels(self, X)


class MLPRegressor(  # noqa: D101 -- the docstring is made
    DropIn,
    neural_network.MLPRegressor,  # type: ignore[misc]
):
    __doc__ = documented(neural_network.MLPRegressor, SEVERAL_TARGETS, REGRESSOR)
    plain = neural_network.MLPRegressor

    def predict(self, X: Any) -> Real:
        """The predicted targets (n,), or (n, n_outputs)."""
        if type(self)._predict is not neural_network.MLPRegressor._predict:
            return super().predict(X)
        return predictions.numbers(self, X)
