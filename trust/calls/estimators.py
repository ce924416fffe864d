"""Calls of the estimators' methods."""

from functools import partial

import bpcore as bp
import bpcore.sklearn
from trust.calls.call import LABELS, WEIGHTS, Call, X, Y


def calls():
    """Calls of the methods of a classifier and a regressor."""
    small = {
        "hidden_layer_sizes": (4,),
        "epochs": 2,
        "batch_size": 4,
        "random_state": 0,
    }
    estimators = {
        "sklearn.Classifier": (small, LABELS),
        "sklearn.Regressor": (small, Y),
    }
    for path, (settings, y) in estimators.items():
        package, name = path.split(".")
        new = partial(getattr(getattr(bp, package), name), **settings)

        def fitted(new=new, y=y):
            return new().fit(X, y)

        def call(method, argument, plain, run, path=path, fitted=fitted):
            more = {"said": "", "shaped": False, "theirs": True}
            return Call(f"{path}.{method}", argument, plain, run, fitted, **more)

        yield call("predict", "X", X, lambda m, v: m.predict(v))
        if "Classifier" in path:
            yield call("predict_proba", "X", X, lambda m, v: m.predict_proba(v))
            yield call("predict_log_proba", "X", X, lambda m, v: m.predict_log_proba(v))
        yield call("gradient", "X", X, lambda m, v: m.gradient(v))
        yield call("score", "X", X, lambda m, v, y=y: m.score(v, y))
        yield call("score", "y", y, lambda m, v: m.score(X, v))
        yield call(
            "score", "sample_weight", WEIGHTS, lambda m, v, y=y: m.score(X, y, v)
        )
        for argument, plain in {
            "X": X,
            "y": y,
            "sample_weight": WEIGHTS,
            "X_val": X,
            "y_val": y,
            "sample_weight_val": WEIGHTS,
        }.items():
            for method, result in ("fit", "n_features_in_"), ("partial_fit", "n_iter_"):
                run = partial(_fit, method, result, y, argument)
                yield call(method, argument, plain, run)


def _fit(method, result, y, argument, model, value):
    """An attribute of an estimator after it was fitted."""
    data = {"X": X, "y": y, "X_val": X, "y_val": y, argument: value}
    return vars(getattr(model, method)(**data))[result]
