"""Methods for tables, each with its default settings, on the same frames."""

from functools import partial

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from bpcore import tabular


def bpcore(task, seed, X, **settings):
    """The estimator of bpcore."""
    kind = tabular.Classifier if task == "classification" else tabular.Regressor
    return kind(random_state=seed, n_threads=1, **settings)


def bpcore_quick(task, seed, X):
    """The same with ``quick=True``."""
    return bpcore(task, seed, X, quick=True)


def boosting(task, seed, X):
    """scikit-learn's gradient boosting, which reads categories and holes."""
    classifies = task == "classification"
    kind = (
        HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    )
    return OnCategories(kind(random_state=seed, categorical_features="from_dtype"))


def scikit_learn(task, seed, X):
    """scikit-learn's network with early stopping, on scaled and one-hot columns."""
    numeric = X.select_dtypes("number").columns
    rest = [column for column in X.columns if column not in set(numeric)]
    prepared = ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
             numeric),
            ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), rest),
        ]
    )  # fmt: skip
    kind = MLPClassifier if task == "classification" else MLPRegressor
    settings = {"early_stopping": True, "max_iter": 1000, "random_state": seed}
    return make_pipeline(prepared, standardised(task, kind(**settings)))


def realmlp(task, seed, X, **settings):
    """pytabkit's RealMLP-TD-S: its published defaults, on one thread."""
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    classifies = task == "classification"
    kind = RealMLP_TD_S_Classifier if classifies else RealMLP_TD_S_Regressor
    settings |= {"random_state": seed, "device": "cpu", "n_threads": 1, "verbosity": 0}
    return Filled(kind(**settings))


#: Transformations of the columns by RealMLP-TD-S.
TRANSFORMATIONS = ("one_hot", "median_center", "robust_scale", "smooth_clip")
#: What RealMLP-TD adds to RealMLP-TD-S, one addition at a time, with its settings.
ADDITIONS = {
    "parametric activations": {"use_parametric_act": True, "act_lr_factor": 0.1},
    "PBLD embeddings": {
        "num_emb_type": "pbld",
        "plr_sigma": 0.1,
        "plr_hidden_1": 16,
        "plr_hidden_2": 4,
        "plr_lr_factor": 0.1,
    },
    "embedded categories": {
        "tfms": [*TRANSFORMATIONS, "embedding"],
        "max_one_hot_cat_size": 9,
        "embedding_size": 8,
    },
}


METHODS = {
    "bpcore": bpcore,
    "bpcore quick": bpcore_quick,
    "RealMLP-TD-S": realmlp,
    "boosting": boosting,
    "scikit-learn": scikit_learn,
}
#: Measured only if they are named.
VARIANTS = {name: partial(realmlp, **added) for name, added in ADDITIONS.items()}


class OnCategories:
    """An estimator that gets columns of texts as categories of pandas."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, y):
        """Fit to the frame."""
        self.dtypes = {
            column: pd.CategoricalDtype(sorted(X[column].dropna().unique()))
            for column in X.columns
            if not pd.api.types.is_numeric_dtype(X[column])
        }
        self.estimator.fit(self._converted(X), y)
        return self

    def predict(self, X):
        """Its predictions."""
        return self.estimator.predict(self._converted(X))

    def predict_proba(self, X):
        """Its probabilities."""
        return self.estimator.predict_proba(self._converted(X))

    @property
    def classes_(self):
        """Its classes."""
        return self.estimator.classes_

    def _converted(self, X):
        return X.astype(self.dtypes)


class Filled(OnCategories):
    """The same, and holes in numbers filled with the median and marked."""

    def _converted(self, X):
        X = super()._converted(X).copy()
        numeric = X.select_dtypes("number").columns
        if not hasattr(self, "medians"):
            self.medians = X[numeric].median()
            self.marked = [column for column in numeric if X[column].isna().any()]
        for column in self.marked:
            X[f"{column} is missing"] = X[column].isna().astype(float)
        X[numeric] = X[numeric].fillna(self.medians).astype(np.float64)
        return X


def standardised(task, estimator):
    """A regressor with a standardised target; a classifier as it is."""
    if task == "classification":
        return estimator
    return TransformedTargetRegressor(estimator, transformer=StandardScaler())
