"""How training shows itself: a bar where tqdm is installed, else lines, or nothing."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from bpcore.history import History


class Progress:
    """Told how far training is; this one says nothing.

    Parameters
    ----------
    epochs : int
        How many there will be.
    n : int, or None where nobody knows
        Rows of an epoch.
    """

    def __init__(self, epochs: int, n: int | None) -> None:
        self.epochs = epochs
        self.n = n

    def advance(self, row: int) -> None:
        """The epoch has reached this row."""

    def end_epoch(self, history: History) -> None:
        """An epoch is over."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


def summary(history: History) -> str:
    """The latest losses and metrics in a few words."""
    return ", ".join(
        f"{name.removesuffix('_loss')} {column[-1]:.4g}"
        for name, column in history._columns.items()
        if column and name not in ("lr", "seconds")
    )


class Bar(Progress):
    """A tqdm bar over all rows of all epochs."""

    def __init__(self, epochs: int, n: int | None, tqdm: Any) -> None:
        super().__init__(epochs, n)
        self.epoch = self.before = 0
        self.bar = tqdm(
            total=epochs * n if n else None,
            unit=" rows",
            unit_scale=True,
            desc=f"epoch 1/{epochs}",
        )

    def advance(self, row: int) -> None:
        self.bar.update(self.before + row - self.bar.n)

    def end_epoch(self, history: History) -> None:
        self.epoch, self.before = len(history), self.bar.n
        # The bar redraws at its own pace: an epoch may take a microsecond.
        self.describe(min(self.epoch + 1, self.epochs))
        self.bar.set_postfix_str(summary(history), refresh=False)

    def describe(self, epoch: int) -> None:
        self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)

    def __exit__(self, *exception: Any) -> None:
        self.describe(self.epoch)
        self.bar.refresh()
        self.bar.close()


class Lines(Progress):
    """A line an epoch on standard error, at most about one a second."""

    def __init__(self, epochs: int, n: int | None) -> None:
        super().__init__(epochs, n)
        self.printed = -math.inf
        self.line = ""

    def end_epoch(self, history: History) -> None:
        self.line = f"epoch {len(history)}/{self.epochs}: {summary(history)}"
        if time.monotonic() - self.printed >= 1:
            self.print_line()

    def print_line(self) -> None:
        if self.line:
            print(self.line, file=sys.stderr)
        self.printed, self.line = time.monotonic(), ""

    def __exit__(self, *exception: Any) -> None:
        self.print_line()


def progress(show: bool, epochs: int, n: int | None) -> Progress:
    """The best way of showing progress that is installed, or silence."""
    if not show:
        return Progress(epochs, n)
    try:
        from tqdm import tqdm
    except ImportError:
        return Lines(epochs, n)

    class Quiet(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # or tqdm would start a thread that stays

    return Bar(epochs, n, Quiet)
