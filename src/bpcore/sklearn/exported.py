"""Estimators of this package as fitted models of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from bpcore.network import Network
from bpcore.optimizers import LBFGS, SGD, Adam, Momentum, Optimizer
from bpcore.quoting import joined
from bpcore.training.arguments import BATCH_SIZE

if TYPE_CHECKING:
    from bpcore.sklearn.base import NetworkEstimator

#: The activations that scikit-learn has: {name here: name there}.
ACTIVATIONS = {
    "identity": "identity",
    "sigmoid": "logistic",
    "tanh": "tanh",
    "relu": "relu",
}

#: Parameters with the same meaning in both.
SAME = ("hidden_layer_sizes", "shuffle", "warm_start", "random_state", "verbose")

#: Parameters of the step that makes a model a fitted one.
QUIETLY = {
    "solver": "adam",
    "batch_size": "auto",
    "random_state": 0,
    "verbose": False,
}


def exported_classifier(estimator: NetworkEstimator) -> MLPClassifier:
    """A fitted ``MLPClassifier`` with the predictions of a `Classifier`.

    Examples
    --------
    >>> from bpcore.sklearn import Classifier
    >>> from bpcore.sklearn.exported import exported_classifier
    >>> model = Classifier(random_state=0).fit([[0.0], [1.0]], ["a", "b"])
    >>> exported_classifier(model).classes_.tolist()
    ['a', 'b']
    """
    check_is_fitted(estimator, "network_")
    targets, network = estimator.targets_, estimator.network_.folded()
    output = network.activations[-1]
    fits = output == "sigmoid" and not targets.one_against_rest
    if not fits and output != "softmax":
        raise ValueError(
            "scikit-learn's classifiers have one sigmoid output for two classes or "
            f"for each label, else a softmax; got {network.sizes[-1]} outputs of "
            f"{output}"
        )
    classes = targets.classes
    y: NDArray[Any] = classes
    if targets.multilabel:
        y = np.vstack([np.zeros(len(classes), int), np.ones(len(classes), int)])
    coefs, intercepts = _weights(network)
    if output == "softmax" and len(classes) == 2:
        # p_1 = 1 / (1 + exp(-(z_1 - z_0))): one sigmoid output.
        coefs[-1] = coefs[-1][:, 1:] - coefs[-1][:, :1]
        intercepts[-1] = intercepts[-1][1:] - intercepts[-1][:1]
    model = MLPClassifier(**_parameters(estimator, network))
    return _with_weights(model, estimator, coefs, intercepts, y, classes=classes)


def exported_regressor(estimator: NetworkEstimator) -> MLPRegressor:
    """A fitted ``MLPRegressor`` with the predictions of a `Regressor`.

    Examples
    --------
    >>> from bpcore.sklearn import Regressor
    >>> from bpcore.sklearn.exported import exported_regressor
    >>> model = Regressor(random_state=0).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> exported_regressor(model).loss
    'squared_error'
    """
    check_is_fitted(estimator, "network_")
    network = estimator.network_.folded()
    losses = {"identity": "squared_error", "exp": "poisson"}
    output = network.activations[-1]
    if output not in losses:
        raise ValueError(
            "scikit-learn's regressors have an output of identity or exp (poisson); "
            f"got {output}"
        )
    y = np.zeros((1, network.sizes[-1])) if network.sizes[-1] > 1 else np.zeros(1)
    model = MLPRegressor(loss=losses[output], **_parameters(estimator, network))
    return _with_weights(model, estimator, *_weights(network), y)


def _weights(network: Network) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Copies of the weights and biases of each layer."""
    return [W.copy() for W in network.weights], [b.copy() for b in network.biases]


def _parameters(estimator: NetworkEstimator, network: Network) -> dict[str, Any]:
    """The parameters of a model of scikit-learn."""
    if any(network.norms):
        raise ValueError("scikit-learn's networks have no layer norm")
    hidden = set(network.activations[:-1])
    strange = hidden - set(ACTIVATIONS)
    if strange or len(hidden) > 1:
        raise ValueError(
            "scikit-learn's networks have one activation for all hidden layers, of "
            f"{', '.join(ACTIVATIONS)}; got {joined(network.activations[:-1])}"
        )
    activation = ACTIVATIONS[hidden.pop()] if hidden else "relu"
    same = {name: clone(getattr(estimator, name), safe=False) for name in SAME}
    return {
        **same,
        **_solver(network.optimizer),
        "alpha": 0.0,
        "activation": activation,
        "batch_size": estimator.batch_size or BATCH_SIZE,
        "max_iter": estimator.epochs,
    }


def _solver(optimizer: Optimizer) -> dict[str, Any]:
    """The parameters of the solver, where scikit-learn has it with a constant rate."""
    if isinstance(optimizer, LBFGS):
        return {"solver": "lbfgs", "tol": optimizer.tolerance}
    if optimizer.schedule is not None:
        return {}
    if type(optimizer) is Adam:
        return {
            "solver": "adam",
            "learning_rate_init": optimizer.lr,
            "beta_1": optimizer.beta1,
            "beta_2": optimizer.beta2,
            "epsilon": optimizer.eps,
        }
    if isinstance(optimizer, SGD):
        return {
            "solver": "sgd",
            "learning_rate_init": optimizer.lr,
            "momentum": optimizer.momentum,
            "nesterovs_momentum": optimizer.nesterov,
        }
    if isinstance(optimizer, Momentum):
        return {
            "solver": "sgd",
            "learning_rate_init": optimizer.lr,
            "momentum": optimizer.alpha,
            "nesterovs_momentum": optimizer.nesterov,
        }
    return {}


def _with_weights(
    model: Any,
    estimator: NetworkEstimator,
    coefs: list[NDArray[Any]],
    intercepts: list[NDArray[Any]],
    y: NDArray[Any],
    **classes: Any,
) -> Any:
    """The model, fitted, with these weights.

    A step on rows of zeros sets all that a fitted model has, in any version.
    """
    X = np.zeros((len(y), coefs[0].shape[0]), coefs[0].dtype)
    parameters = model.get_params()
    model.set_params(**QUIETLY).partial_fit(X, y, **classes)
    model.set_params(**parameters)
    model.coefs_, model.intercepts_ = coefs, intercepts
    model.loss_, model.n_iter_ = estimator.loss_, estimator.n_iter_
    model.loss_curve_ = list(estimator.loss_curve_)
    model.best_loss_ = min(estimator.loss_curve_, default=np.inf)
    if hasattr(estimator, "feature_names_in_"):
        model.feature_names_in_ = estimator.feature_names_in_
    return model
