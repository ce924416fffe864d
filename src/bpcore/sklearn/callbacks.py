"""scikit-learn's own callbacks (from 1.9 on), called for each epoch.

Before 1.9 there are none: estimators then have no method ``set_callbacks``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bpcore.network import Network
from bpcore.training.epoch import is_true
from bpcore.training.history import History
from bpcore.training.watch import Watch

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def with_callbacks(method: Callable[..., Any]) -> Callable[..., Any]:
        """The method itself: this scikit-learn has no callbacks."""
        return method


__all__ = ["CallbackSupportMixin", "EpochTasks", "with_callbacks"]


class EpochTasks:
    """A callback of ``Network.fit`` that makes each epoch a task of scikit-learn's.

    It calls the estimator's other callbacks too, so that it knows whether the fit ends
    or another epoch begins.

    Parameters
    ----------
    estimator : BaseEstimator
    context : CallbackContext
        That of the fit.
    epochs : int
        The most epochs.
    callbacks : sequence of callables
        The callbacks of ``Network.fit``.
    fitted : callable
        ``fitted(network, history)`` returns the attributes of an estimator fitted until
        then.
    data : dict
        X, y and metadata, for the callbacks.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        epochs: int,
        callbacks: Sequence[Callable[..., Any]],
        fitted: Callable[[Network, History], dict[str, Any]],
        data: dict[str, Any],
    ) -> None:
        self.estimator, self.context, self.epochs = estimator, context, epochs
        self.callbacks, self.fitted, self.data = callbacks, fitted, data
        #: Of the fit, set before it begins.
        self.watch: Watch | None = None
        self.task: Any = None

    def check(self, network: Network) -> None:
        """Check the callbacks, and call their own ``check``."""
        for callback in self.callbacks:
            if not callable(callback):
                raise TypeError(f"callbacks must be callables; got {callback!r}")
            if callable(check := getattr(callback, "check", None)):
                check(network)

    def begin(self) -> None:
        """Begin the task of the next epoch."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def __call__(self, network: Network, history: History) -> bool:
        """End the task of an epoch, and begin the next; whether to stop."""
        stops = [is_true(call(network, history)) for call in self.callbacks]
        stop = self.task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.fitted(network, history),
            **self.data,
        )
        stop = stop or any(stops)
        over = self.watch is not None and self.watch.is_over
        if not stop and not over and len(history) < self.epochs:
            self.begin()
        return bool(stop)
