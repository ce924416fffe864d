"""Progress of training: a bar if tqdm is installed, else lines of text, or nothing."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bpcore.training.unbuffered import unbuffered

if TYPE_CHECKING:
    from typing import Self

    from bpcore.training.record import Record


#: A bar that leaves room for the losses in 80 columns.
FORMAT = "{desc}{percentage:3.0f}%|{bar:10}| {elapsed}<{remaining}{postfix}"
#: In place of it, where the number of rows is unknown.
ROWS_ONLY = "{desc}{n} rows, {elapsed}{postfix}"


class Progress:
    """Base class: shows nothing.

    Parameters
    ----------
    epochs : int
        The number of epochs of the fit.
    n : int or None
        Rows of an epoch, None if unknown.
    """

    def __init__(self, epochs: int, n: int | None) -> None:
        self.epochs = epochs
        self.n = n

    def begin(self, epochs: int) -> None:
        """Some epochs are over before the first that is shown."""

    def advance(self, row: int) -> None:
        """The epoch has reached this row."""

    def end_epoch(self, record: Record) -> None:
        """An epoch is over."""

    def close(self) -> None:
        """Show the last epoch, and end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def summary(record: Record) -> str:
    """The latest losses and metrics in a few words."""
    return record.latest(lambda name: name.removesuffix("_loss"), 4)


class Bar(Progress):
    """A tqdm bar over all rows of all epochs."""

    def __init__(self, epochs: int, n: int | None, tqdm: Any) -> None:
        super().__init__(epochs, n)
        self.epoch = self.before = 0
        self.bar = tqdm(
            total=epochs * n if n else None,
            bar_format=FORMAT if n else ROWS_ONLY,
            desc=f"epoch 1/{epochs}: ",
            file=unbuffered(_stderr()),
        )

    def begin(self, epochs: int) -> None:
        self.epoch, self.before = epochs, epochs * (self.n or 0)
        self.bar.initial = self.bar.n = self.before  # not part of the speed
        self.describe(min(epochs + 1, self.epochs))

    def advance(self, row: int) -> None:
        self.bar.update(self.before + row - self.bar.n)

    def end_epoch(self, record: Record) -> None:
        self.epoch, self.before = len(record), self.bar.n
        # The bar limits its own rate of redrawing: an epoch may take a microsecond.
        self.describe(min(self.epoch + 1, self.epochs))
        self.bar.set_postfix_str(summary(record), refresh=False)

    def describe(self, epoch: int) -> None:
        self.bar.set_description(f"epoch {epoch}/{self.epochs}", refresh=False)

    def close(self) -> None:
        self.describe(self.epoch)
        try:
            self.bar.refresh()
        finally:
            self.bar.close()


class Lines(Progress):
    """Lines on standard error, one for an epoch, at most about one a second."""

    def __init__(self, epochs: int, n: int | None) -> None:
        super().__init__(epochs, n)
        self.printed = -math.inf
        self.line = ""

    def end_epoch(self, record: Record) -> None:
        self.line = f"epoch {len(record)}/{self.epochs}: {summary(record)}"
        if time.monotonic() - self.printed >= 1:
            self.print_line()

    def print_line(self) -> None:
        if self.line and (stderr := _stderr()) is not None:
            unbuffered(stderr).write(self.line + "\n")
        self.printed, self.line = time.monotonic(), ""

    def close(self) -> None:
        self.print_line()


class WithoutErrors(Progress):
    """Shows progress by another object, and nothing after its first error.

    Training must not end because its progress cannot be written (standard error closed,
    a broken pipe, an encoding without the bar's characters) or because tqdm fails.
    """

    def __init__(
        self,
        epochs: int,
        n: int | None,
        make: Callable[[int, int | None], Progress],
    ) -> None:
        super().__init__(epochs, n)
        self.shown = Progress(epochs, n)
        with contextlib.suppress(Exception):
            self.shown = make(epochs, n)

    def begin(self, epochs: int) -> None:
        try:
            self.shown.begin(epochs)
        except Exception:
            self.show_nothing()

    def advance(self, row: int) -> None:
        try:
            self.shown.advance(row)
        except Exception:
            self.show_nothing()

    def end_epoch(self, record: Record) -> None:
        try:
            self.shown.end_epoch(record)
        except Exception:
            self.show_nothing()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.shown.close()

    def show_nothing(self) -> None:
        self.close()
        self.shown = Progress(self.epochs, self.n)


def progress(show: bool, epochs: int, n: int | None) -> Progress:
    """A bar if tqdm is installed, else lines; nothing unless `show`."""
    if not show or _stderr() is None:
        return Progress(epochs, n)
    return WithoutErrors(epochs, n, _bar_or_lines)


def _stderr() -> Any:
    """Standard error, None if a program has deleted it."""
    return getattr(sys, "stderr", None)


def _bar_or_lines(epochs: int, n: int | None) -> Progress:
    try:
        from tqdm import tqdm
    except ImportError:
        return Lines(epochs, n)
    _renew_lock_in_children(tqdm)

    class Quiet(tqdm):  # type: ignore[type-arg]
        monitor_interval = 0  # or tqdm would start a thread that stays

        def refresh(self, nolock: bool = False, lock_args: Any = None) -> Any:
            if nolock:
                return super().refresh(nolock=True)
            # After an error tqdm itself would never release its lock.
            with tqdm.get_lock():  # type: ignore[no-untyped-call]
                return super().refresh(nolock=True)

        def __del__(self) -> None:  # also where its construction failed
            with contextlib.suppress(Exception):
                super().__del__()

    return Bar(epochs, n, Quiet)


@cache
def _renew_lock_in_children(tqdm: Any) -> None:
    """Give children a lock of their own: another thread may hold tqdm's at a fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: tqdm.set_lock(threading.RLock()))
