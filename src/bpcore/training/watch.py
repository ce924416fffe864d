"""When training ends early: by the value of a monitored quantity, or from outside."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from bpcore import checks
from bpcore.metrics import ALIASES, METRICS, Metric
from bpcore.model.state import Quantity
from bpcore.schedules import ReduceOnPlateau
from bpcore.training.record import Record


class Watch:
    """Follows one column of the history.

    Parameters
    ----------
    monitor : str, optional
        The name of the column; the validation loss where there is one, else the loss.
    mode : "auto", "min" or "max"
        Whether small values are good, as of losses, or large ones; "auto" knows of all
        metrics but a user's.
    patience : int, optional
        Epochs without a better value after which to stop; those with NaN do not count.
    min_delta : float
        What is better is so by more than this.
    of : str
        Whose settings these are, for messages.
    """

    def __init__(
        self,
        monitor: str | None,
        mode: str,
        patience: int | None,
        min_delta: float,
        metrics: Sequence[Metric],
        validates: bool,
        of: str = "",
    ) -> None:
        if patience is not None:
            patience = checks.integer("patience", patience, 1)
        self.patience = patience
        self.min_delta = checks.number("min_delta", min_delta, least=0.0)
        by_name = {metric.name: metric for metric in metrics}
        columns = ["loss", *(["validation_loss"] if validates else []), *by_name]
        if monitor is None:
            monitor = columns[min(1, int(validates))]
        if isinstance(monitor, str):
            monitor = ALIASES.get(monitor, monitor)
        if monitor not in columns:
            _reject_monitor(of, monitor, columns)
        self.monitor = monitor
        checks.one_of(f"{of}mode", mode, ["auto", "min", "max"])
        if mode == "auto":
            higher = monitor in by_name and by_name[monitor].higher_is_better
            if higher is None:
                raise ValueError(
                    f"{of}mode must be 'min' or 'max' to monitor {monitor!r}; "
                    "got 'auto'"
                )
            mode = "max" if higher else "min"
        self.mode = mode
        self.sign = 1.0 if mode == "min" else -1.0
        self.best, self.waited = math.inf, 0

    def begin(self, value: float) -> None:
        """Take a value of before the first epoch as the best one so far."""
        self.best = self.sign * value

    def better(
        self, record: Record, confirmed: Callable[[], bool] = lambda: True
    ) -> bool:
        """Whether the last epoch was the best one so far.

        NaN never is, nor is it waited for.  ``confirmed()`` is a further condition,
        evaluated where the value fulfils the first.
        """
        value = self.sign * record.last(self.monitor)
        if math.isnan(value):
            return False
        # The first finite value is, whatever min_delta says.
        margin = self.min_delta if self.best < math.inf else 0.0
        if value < self.best - margin and confirmed():
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience


def _reject_monitor(of: str, monitor: object, columns: Sequence[str]) -> NoReturn:
    """Raise for a name that is no column, with the one that may be meant."""
    import difflib  # only to be helpful

    known = [*dict.fromkeys((*columns, "validation_loss", *METRICS, *ALIASES))]
    near = ""
    if isinstance(monitor, str):
        name = monitor.lower().replace("-", "_").replace(" ", "_")
        rest = name
        for prefix in ("validation_", "valid_", "val_", "training_", "train_"):
            rest = rest.removeprefix(prefix)
        if rest in known:
            near = rest
        elif match := difflib.get_close_matches(rest, known, n=1):
            near = match[0]
        if near == "loss" and rest != name and name[0] == "v":
            near = "validation_loss"
    near = ALIASES.get(near, near)
    if near == "validation_loss" and near not in columns:
        raise ValueError(
            f"{of}monitor={monitor!r} needs validation data, of which there are none; "
            "'loss' is the training loss"
        )
    choices = [*dict.fromkeys((*columns, *METRICS))]
    hint = f"; did you mean {near!r}?" if near else ""
    raise ValueError(
        f"{of}monitor must be one of {', '.join(choices)}, or the name of a function "
        f"in metrics; got {monitor!r}{hint}"
    )


def plateau_watch(
    reducer: ReduceOnPlateau | None, metrics: Sequence[Metric], validates: bool
) -> tuple[Quantity, ReduceOnPlateau] | None:
    """The quantity that a schedule has to follow in a fit, and how it does so."""
    if reducer is None:
        return None
    owner = "ReduceOnPlateau's "
    watch = Watch(reducer.monitor, reducer.mode, None, 0.0, metrics, validates, owner)
    validates = validates and watch.monitor != "loss"
    quantity = Quantity(watch.monitor, watch.mode, validates)
    return quantity, dataclasses.replace(reducer, mode=watch.mode)


# --- interrupts -----------------------------------------------------------------------

#: How often `complete` calls what raises an Exception.
ATTEMPTS = 3


def complete(action: Callable[[], None]) -> None:
    """Call a function until it returns, then raise the first interrupt of it.

    For what must not be left half done: an interrupt (Ctrl-C) may come at any line of
    it, and again.  An Exception is raised at its third time.

    Examples
    --------
    >>> from bpcore.training.watch import complete
    >>> interrupts = [KeyboardInterrupt(), KeyboardInterrupt()]
    >>> def restore():
    ...     while interrupts:
    ...         raise interrupts.pop()
    ...     print("restored")
    >>> try:
    ...     complete(restore)
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    restored
    interrupted
    """
    errors: list[BaseException] = []
    done = False
    while not done:
        try:  # what comes within the inner `except` comes here
            while not done:
                try:
                    action()
                    done = True
                except BaseException as error:
                    errors.append(error)
                    if _fails(errors):
                        done = True
        except BaseException as error:
            errors.append(error)
    if errors:
        raise errors[-1] if _fails(errors) else errors[0]


def _fails(errors: list[BaseException]) -> bool:
    """Whether an action has been tried often enough."""
    return sum(isinstance(error, Exception) for error in errors) >= ATTEMPTS


# --- from another thread --------------------------------------------------------------


class Stopped(BaseException):
    """Ends the fit of a thread whose stop event was set; no error of the fit's own."""


class _Thread(threading.local):
    stop: threading.Event | None = None


_thread = _Thread()


@contextmanager
def stopped_by(event: threading.Event) -> Iterator[None]:
    """Let this event stop what this thread trains and evaluates.

    Examples
    --------
    >>> import threading
    >>> from bpcore.training.watch import raise_if_stopped, stopped_by
    >>> event = threading.Event()
    >>> with stopped_by(event):
    ...     raise_if_stopped()
    ...     event.set()
    ...     raise_if_stopped()
    Traceback (most recent call last):
        ...
    bpcore.training.watch.Stopped
    """
    before, _thread.stop = _thread.stop, event
    try:
        yield
    finally:
        _thread.stop = before


def raise_if_stopped() -> None:
    """Raise `Stopped` if this thread's event is set.

    Called between slices of time, mini-batches, epochs, evaluations of L-BFGS and
    evaluations of a central difference.
    """
    if _thread.stop is not None and _thread.stop.is_set():
        raise Stopped
