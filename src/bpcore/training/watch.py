"""Watch: the best value of a monitored quantity, and early stopping."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NoReturn

from bpcore import checks
from bpcore.metrics import ALIASES, METRICS, Metric
from bpcore.model.state import Quantity
from bpcore.quoting import joined, quoted
from bpcore.schedules import ReduceOnPlateau
from bpcore.training.record import Record


class Watch:
    """Follows one column of the record.

    Parameters
    ----------
    monitor : str, optional
        The name of the column; by default the validation loss if there is one, else the
        loss.
    mode : "auto", "min" or "max"
        Whether smaller or larger values are better; "auto" is for losses and built-in
        metrics.
    patience : int, optional
        Epochs without a better value after which to stop; those with NaN do not count.
    min_delta : float
        A better value differs by more than this.
    of : str
        The owner of these settings, for messages.
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
                    f"{of}mode must be 'min' or 'max' to monitor {quoted(monitor)}; "
                    "got 'auto'"
                )
            mode = "max" if higher else "min"
        self.mode = mode
        self.sign = 1.0 if mode == "min" else -1.0
        self.best, self.waited = math.inf, 0

    def begin(self, value: float) -> None:
        """Set the best value so far to that before the first epoch."""
        self.best = self.sign * value

    def better(
        self, record: Record, confirmed: Callable[[], bool] = lambda: True
    ) -> bool:
        """Whether the last epoch was the best one so far.

        An epoch with NaN is not, and does not count for patience.  ``confirmed()`` is a
        further condition, evaluated if the value is better.
        """
        value = self.sign * record.last(self.monitor)
        if math.isnan(value):
            return False
        # The first finite value is better whatever min_delta is.
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
    """Raise for a name that is not a column, suggesting a similar one."""
    import difflib  # needed for this message only

    known = [*dict.fromkeys((*columns, "validation_loss", *METRICS, *ALIASES))]
    near = ""
    if isinstance(monitor, str):
        name = monitor[:80].lower().replace("-", "_").replace(" ", "_")
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
            f"{of}monitor={quoted(monitor)} needs validation data, of which there are "
            "none; 'loss' is the training loss"
        )
    choices = [*dict.fromkeys((*columns, *METRICS))]
    hint = f"; did you mean {quoted(near)}?" if near else ""
    raise ValueError(
        f"{of}monitor must be one of {joined(choices)}, or the name of a function "
        f"in metrics; got {quoted(monitor)}{hint}"
    )


def plateau_watch(
    reducer: ReduceOnPlateau | None, metrics: Sequence[Metric], validates: bool
) -> tuple[Quantity, ReduceOnPlateau] | None:
    """The quantity that a schedule follows in a fit, and its settings."""
    if reducer is None:
        return None
    owner = "ReduceOnPlateau's "
    watch = Watch(reducer.monitor, reducer.mode, None, 0.0, metrics, validates, owner)
    validates = validates and watch.monitor != "loss"
    quantity = Quantity(watch.monitor, watch.mode, validates)
    return quantity, dataclasses.replace(reducer, mode=watch.mode)
