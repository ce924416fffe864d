"""Base classes of estimators: scikit-learn's, or without it what of them is needed.

With scikit-learn the estimators are its estimators: they can be cloned, searched over
and put into pipelines.  Without it they fit and predict all the same.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Self

from bpcore.quoting import quoted

__all__ = [
    "BaseEstimator",
    "ClassifierMixin",
    "RegressorMixin",
    "conversion_warning",
    "not_fitted_error",
]


class Parameters:
    """Constructor arguments by name, as ``sklearn.base.BaseEstimator`` has them.

    Examples
    --------
    >>> from bpcore.tabular.foundation import Parameters
    >>> class Model(Parameters):
    ...     def __init__(self, *, width=3, name="a"):
    ...         self.width, self.name = width, name
    >>> Model(width=5).set_params(name="b")
    Model(width=5, name='b')
    """

    @classmethod
    def _names(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name."""
        return {name: getattr(self, name) for name in self._names()}

    def set_params(self, **parameters: Any) -> Self:
        """Replace constructor arguments; `fit` reads and checks them."""
        for name in parameters:
            if name not in self._names():
                raise ValueError(
                    f"Invalid parameter {quoted(name)} for estimator {quoted(self)}. "
                    f"Valid parameters are: {self._names()}."
                )
        vars(self).update(parameters)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = (
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if repr(value) != repr(defaults[name].default)
        )
        return f"{type(self).__name__}({', '.join(changed)})"


class Nothing:
    """In the place of scikit-learn's mixins."""


if TYPE_CHECKING:
    BaseEstimator = Parameters
    ClassifierMixin = Nothing
    RegressorMixin = Nothing
    not_fitted_error: type[Exception] = ValueError
    conversion_warning: type[Warning] = UserWarning
else:
    try:
        from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
        from sklearn.exceptions import DataConversionWarning as conversion_warning
        from sklearn.exceptions import NotFittedError as not_fitted_error
    except ImportError:
        BaseEstimator, ClassifierMixin, RegressorMixin = Parameters, Nothing, Nothing
        not_fitted_error, conversion_warning = ValueError, UserWarning
