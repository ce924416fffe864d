"""When training is good enough: the quantity watched, its best value, and patience."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpcore import _validation as door
from bpcore.metrics import ALIASES, Metric

if TYPE_CHECKING:
    from bpcore.history import History


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
        Epochs without a better value after which to stop.
    min_delta : float
        What is better is so by more than this.
    """

    def __init__(
        self,
        monitor: str | None,
        mode: str,
        patience: int | None,
        min_delta: float,
        metrics: Sequence[Metric],
        validates: bool,
    ) -> None:
        if patience is not None:
            patience = door.whole_number("patience", patience, 1)
        self.patience = patience
        self.min_delta = door.real_number("min_delta", min_delta)
        by_name = {metric.name: metric for metric in metrics}
        columns = ["loss", *(["validation_loss"] if validates else []), *by_name]
        if monitor is None:
            monitor = columns[min(1, int(validates))]
        if isinstance(monitor, str):
            monitor = ALIASES.get(monitor, monitor)
        self.monitor = door.one_of("monitor", monitor, columns)
        door.one_of("mode", mode, ["auto", "min", "max"])
        if mode == "auto":
            higher = monitor in by_name and by_name[monitor].higher_is_better
            if higher is None:
                raise ValueError(
                    f"mode must be 'min' or 'max' to monitor {monitor!r}; got 'auto'"
                )
            mode = "max" if higher else "min"
        self.sign = 1.0 if mode == "min" else -1.0
        self.best, self.waited = math.inf, 0

    def better(self, history: History) -> bool:
        """Whether the last epoch was the best one so far; NaN never is."""
        value = self.sign * history._columns[self.monitor][-1]
        # The first finite value is, whatever min_delta says.
        if value < self.best - (self.min_delta if self.best < math.inf else 0.0):
            self.best, self.waited = value, 0
            history.best_epoch = len(history)
            return True
        self.waited += 1
        return False

    @property
    def is_over(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience
