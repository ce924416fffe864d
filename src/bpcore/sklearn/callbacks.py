"""scikit-learn's own callbacks (from 1.9 on), called for each epoch.

Before 1.9 there are none: estimators then have no method ``set_callbacks``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bpcore.network import Network
from bpcore.quoting import quoted
from bpcore.sklearn.data import Data
from bpcore.training.epoch import is_true
from bpcore.training.history import History
from bpcore.training.options import Callback
from bpcore.training.watch import Watch

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method itself: this scikit-learn has no callbacks."""
        return method


#: Returns the attributes of an estimator fitted until an epoch.
Fitted = Callable[[Network, History], dict[str, Any]]

__all__ = ["CallbackSupportMixin", "EpochTasks", "with_callbacks"]


class EpochTasks:
    """Makes a fit, and each of its epochs, a task of scikit-learn's callbacks.

    It is a callback of ``Network.fit`` that calls the others too, so that it knows
    whether the fit ends or another epoch begins.

    Parameters
    ----------
    estimator : BaseEstimator
    context : CallbackContext
        That of the fit.
    epochs : int
        The most epochs.
    data : Data
        The arguments of the fit.
    """

    def __init__(self, estimator: Any, context: Any, epochs: int, data: Data) -> None:
        self.estimator, self.context, self.epochs = estimator, context, epochs
        weight = data.sample_weight
        metadata = None if weight is None else {"sample_weight": weight}
        self.shown = {"X": data.X, "y": data.y, "metadata": metadata}
        self.callbacks: tuple[Callback, ...] = ()

    def surround(self, options: dict[str, Any], fitted: Fitted) -> None:
        """Take the place of the callbacks in the arguments of ``Network.fit``.

        ``fitted(network, history)`` returns the attributes of an estimator fitted until
        then.
        """
        self.fitted = fitted
        self.callbacks = tuple(options["callbacks"])
        options["callbacks"] = (self,)

    def check(self, network: Network) -> None:
        """Check the callbacks, and call their own ``check``."""
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"callbacks must be callables; got {quoted(callback)}")
            if callable(check := getattr(callback, "check", None)):
                check(network)

    def begin_fit(self, watch: Watch) -> None:
        """Begin the tasks of the fit and of its first epoch."""
        self.watch = watch
        self.context.call_on_fit_task_begin(estimator=self.estimator, **self.shown)
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Begin the task of the next epoch."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.shown)

    def __call__(self, network: Network, history: History) -> bool:
        """End the task of an epoch, and begin the next; whether to stop."""
        stops = [is_true(call(network, history)) for call in self.callbacks]
        stops += [
            self.task.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=lambda: self.fitted(network, history),
                **self.shown,
            )
        ]
        if any(stops):
            return True
        if not self.watch.is_over and len(history) < self.epochs:
            self.begin_epoch()
        return False

    def end_fit(self, attributes: dict[str, Any]) -> None:
        """End the task of the fit."""
        self.context.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=attributes,
            **self.shown,
        )
