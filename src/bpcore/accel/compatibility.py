"""Whether the installed scikit-learn is one that the drop-ins fit."""

from __future__ import annotations

import inspect
import re
import warnings
from typing import Any

import numpy as np

OLDEST = (1, 7)
_ARRAYS = ("activations", "deltas", "coef_grads", "intercept_grads")
_DATA = ("X", "y", "sample_weight")
#: The parameters, after self, of scikit-learn's methods that the drop-ins replace or
#: call and that are not public.
METHODS = {
    "_fit_stochastic": (*_DATA, *_ARRAYS, "layer_units", "incremental"),
    "_fit_lbfgs": (*_DATA, *_ARRAYS, "layer_units"),
    "_loss_grad_lbfgs": ("packed_coef_inter", *_DATA, *_ARRAYS),
    "_forward_pass_fast": ("X", "check_input"),
    "_update_no_improvement_count": ("early_stopping", *_DATA),
}


def obstacle() -> str | None:
    """The reason why scikit-learn's classes cannot be replaced, or None."""
    try:
        import sklearn
    except ImportError as error:
        return f"scikit-learn cannot be imported ({error})"
    version = sklearn.__version__
    if release(version) < OLDEST:
        return f"scikit-learn {version} is older than {OLDEST[0]}.{OLDEST[1]}"
    try:
        from bpcore.accel.stand_ins import STAND_INS

        for stand_in in STAND_INS.values():
            require_methods(stand_in.replaced)
            require_same_fit(stand_in)
    except Exception as error:  # whatever a later release has changed
        return f"scikit-learn {version} is not what bpcore knows ({error})"
    return None


def release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def require_methods(theirs: type) -> None:
    """Raise if a method of scikit-learn's class is missing or has other parameters."""
    for name, expected in METHODS.items():
        method = getattr(theirs, name, None)
        if method is None:
            raise TypeError(f"{theirs.__name__} has no {name}")
        found = (*inspect.signature(method).parameters,)[1:]
        if found != expected:
            raise TypeError(
                f"{theirs.__name__}.{name} takes {', '.join(found)}; "
                f"expected {', '.join(expected)}"
            )


def require_same_fit(stand_in: Any) -> None:
    """Raise unless two epochs of each solver give scikit-learn's weights.

    Rules that have changed behind the same methods show here.
    """
    X = np.linspace(-1, 1, 16).reshape(8, 2) ** 3
    y = np.arange(8) % 3
    for solver in ("sgd", "adam", "lbfgs"):
        own, theirs = (
            fitted(kind, X, y, solver) for kind in (stand_in, stand_in.replaced)
        )
        for a, b in zip(
            own.coefs_ + own.intercepts_,
            theirs.coefs_ + theirs.intercepts_,
            strict=True,
        ):
            if not np.allclose(a, b, rtol=1e-6, atol=1e-9):
                raise ValueError(f"{solver!r} gives other weights")


def fitted(kind: Any, X: Any, y: Any, solver: str) -> Any:
    """An estimator of that class after two epochs."""
    net = kind(
        hidden_layer_sizes=(3,), solver=solver, batch_size=3, max_iter=2, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        return net.fit(X, y)
