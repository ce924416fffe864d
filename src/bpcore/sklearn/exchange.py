"""Fitted networks of scikit-learn as estimators of this package."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from bpcore.losses import LOSSES
from bpcore.network import Network
from bpcore.optimizers import LBFGS, SGD, Adam, Momentum, Optimizer
from bpcore.sklearn.classifier import Classifier
from bpcore.sklearn.columns import Columns
from bpcore.sklearn.exported import ACTIVATIONS, SAME
from bpcore.sklearn.fitted import Past, fitted_attributes
from bpcore.sklearn.labels import Labels
from bpcore.sklearn.networks import seed_of
from bpcore.sklearn.regressor import Regressor
from bpcore.sklearn.stopping import Stopping
from bpcore.sklearn.targets import Targets
from bpcore.training.history import History

#: The activations of scikit-learn: {name there: name here}.
NAMES = {there: here for here, there in ACTIVATIONS.items()}

#: Rows of scikit-learn's mini-batches with ``batch_size="auto"``, if there are so many.
AUTO = 200


def from_sklearn(estimator: MLPClassifier | MLPRegressor) -> Classifier | Regressor:
    """A fitted `Classifier` or `Regressor` from one of scikit-learn's networks.

    Weights, classes, activations, the names of features and the curve of losses are
    taken over; so are the parameters that mean the same in both.  Its penalty `alpha`
    and its schedules of the rate are not, nor is the state of its optimizer, which
    further training begins anew.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted.

    Returns
    -------
    Classifier or Regressor
        In the dtype of its weights.  Predictions are the same up to rounding.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If it is another estimator.
    ValueError
        If it is a classifier of a single class.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPRegressor
    >>> from bpcore.sklearn import from_sklearn
    >>> X = np.eye(3)
    >>> theirs = MLPRegressor(solver="lbfgs", random_state=0).fit(X, [0.0, 1.0, 2.0])
    >>> ours = from_sklearn(theirs)
    >>> bool(np.allclose(ours.predict(X), theirs.predict(X)))
    True
    """
    if not isinstance(estimator, MLPClassifier | MLPRegressor):
        raise TypeError(
            "estimator must be an MLPClassifier or MLPRegressor; "
            f"got {type(estimator).__name__}"
        )
    check_is_fitted(estimator)
    classes = getattr(estimator, "classes_", ())
    if len(classes) == 1:
        raise ValueError("estimator must have at least 2 classes; got 1 class")
    output = {**NAMES, "softmax": "softmax", "exp": "exp"}[estimator.out_activation_]
    ours: Any
    targets: Targets
    if isinstance(estimator, MLPClassifier):
        loss = "cross_entropy" if output == "softmax" else "binary_cross_entropy"
        multilabel = output == "sigmoid" and estimator.n_outputs_ > 1
        targets = Labels(estimator.classes_, multilabel, output, LOSSES[loss])
        ours = Classifier(**_parameters(estimator))
    else:
        targets = Columns(estimator.n_outputs_)
        ours = Regressor(loss=estimator.loss, **_parameters(estimator))
        loss = estimator.loss
    network = Network(
        [W.shape[0] for W in estimator.coefs_] + [estimator.n_outputs_],
        activation=ours.activation,
        output=output,
        loss=loss,
        optimizer=ours.optimizer,
        dtype=ours.dtype,
        rng=seed_of(ours.random_state),
    )
    layers = zip(network.weights, network.biases, strict=True)
    for (W, b), coef, intercept in zip(
        layers, estimator.coefs_, estimator.intercepts_, strict=True
    ):
        W[...], b[...] = coef, intercept
    losses = [float(value) for value in getattr(estimator, "loss_curve_", ())]
    past = Past(int(estimator.n_iter_), float(estimator.loss_), losses)
    attributes = {
        **fitted_attributes(network, History(), targets, past),
        "n_features_in_": estimator.n_features_in_,
        "_stopping": Stopping(),
    }
    if hasattr(estimator, "feature_names_in_"):
        attributes["feature_names_in_"] = estimator.feature_names_in_
    for name, value in attributes.items():
        setattr(ours, name, value)
    return ours


def _parameters(estimator: Any) -> dict[str, Any]:
    """The parameters that mean the same in both."""
    found = {name: clone(getattr(estimator, name), safe=False) for name in SAME}
    batch_size = estimator.batch_size
    stops = estimator.early_stopping
    patience = estimator.n_iter_no_change
    return {
        **found,
        "activation": NAMES[estimator.activation],
        "optimizer": _optimizer(estimator),
        "dtype": np.dtype(estimator.coefs_[0].dtype).name,
        "epochs": estimator.max_iter,
        "batch_size": AUTO if batch_size == "auto" else batch_size,
        "validation_fraction": estimator.validation_fraction if stops else None,
        # It stops after more than this number of epochs.
        "patience": None if math.isinf(patience) else patience + 1,
        "min_delta": estimator.tol,
        "restore_best": stops,
    }


def _optimizer(estimator: Any) -> Optimizer:
    """The settings of its solver."""
    lr = estimator.learning_rate_init
    if estimator.solver == "adam":
        return Adam(lr, estimator.beta_1, estimator.beta_2, estimator.epsilon)
    if estimator.solver == "lbfgs":
        return LBFGS(tolerance=estimator.tol)
    momentum = estimator.momentum
    nesterov = estimator.nesterovs_momentum and momentum > 0
    if momentum == 1:  # SGD's is below 1
        return Momentum(lr, momentum, nesterov)
    return SGD(lr, momentum=momentum, nesterov=nesterov)
