"""Predictions of a drop-in: scikit-learn's checks, or those of the kernels alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from bpcore.arrays import Real, own_objects
from bpcore.sklearn.drop_in.trained import as_trained


def outputs(estimator: Any, X: Any, check_input: bool) -> Real:
    """The output activations (n, n_outputs).

    An array of the dtype that the estimator was fitted on goes straight to the kernels,
    which check its shape and that it is finite.  Frames, names of features, sparse
    matrices and other dtypes go through scikit-learn's checks.
    """
    own = as_trained(estimator)
    if check_input:
        if not hasattr(estimator, "feature_names_in_"):
            found = own.outputs_at_once(X)
            if found is not None:
                return found
        X = own_objects(X)
        X = validate_data(estimator, X, accept_sparse=["csr", "csc"], reset=False)
    return own.outputs(X)


def labels(estimator: Any, X: Any) -> NDArray[Any]:
    """The classes of rows, as scikit-learn's `predict` gives them."""
    a = outputs_of_fitted(estimator, X)
    classes = estimator.classes_
    if estimator.out_activation_ == "softmax":
        return np.take(classes, a.argmax(axis=1))
    if estimator.n_outputs_ == 1 and len(classes) == 2:
        return np.take(classes, (a[:, 0] > 0.5).astype(np.intp))
    a = a.ravel() if estimator.n_outputs_ == 1 else a
    inverse: NDArray[Any] = estimator._label_binarizer.inverse_transform(a)
    return inverse


def numbers(estimator: Any, X: Any) -> Real:
    """The targets that are predicted for rows, (n,) if there is one of each."""
    a = outputs_of_fitted(estimator, X)
    return a.ravel() if a.shape[1] == 1 else a


def outputs_of_fitted(estimator: Any, X: Any) -> Real:
    """`outputs`, or NotFittedError."""
    if "coefs_" not in vars(estimator):
        check_is_fitted(estimator)
    a: Real = estimator._forward_pass_fast(X)  # a subclass may have its own
    return a
