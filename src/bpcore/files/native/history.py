"""A History as JSON and arrays of a container."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpcore import checks
from bpcore.files.native.container import Container
from bpcore.files.native.networks import Stored
from bpcore.quoting import quoted
from bpcore.training.history import REASONS, History
from bpcore.training.record import Record


def stored_history(history: History | None, prefix: str = "history.") -> Stored:
    """A history for a file; its columns are arrays, named by their numbers.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.native.history import stored_history
    >>> net = bp.Network([1, 1], rng=0)
    >>> history = net.fit([[1.0]], [[2.0]], epochs=3, progress=False)
    >>> stored_history(history).plain["columns"]
    ['loss', 'lr', 'seconds']
    """
    if history is None:
        return Stored({}, {})
    columns = history.to_dict()
    plain = {
        "columns": list(columns),
        "stopped": history.stopped,
        "best_epoch": history.best_epoch,
        "restored": history.restored,
    }
    numbered = enumerate(columns.values())
    return Stored(plain, {f"{prefix}{i}": column for i, column in numbered})


def read_history(
    plain: Any, file: Container, prefix: str = "history."
) -> History | None:
    """The history of a file; None if it has none.

    Raises
    ------
    ValueError, TypeError
        If it is not as `stored_history` returns it.
    """
    if plain == {}:
        return None
    if not isinstance(plain, dict) or set(plain) != {
        "columns", "stopped", "best_epoch", "restored",
    }:  # fmt: skip
        raise ValueError("history must have columns, stopped, best_epoch and restored")
    names = plain["columns"]
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"the columns of history must be texts; got {quoted(names)}")
    columns = [file.array(f"{prefix}{i}") for i in range(len(names))]
    length = len(columns[0]) if columns and columns[0].ndim == 1 else 0
    for column in columns:
        if column.shape != (length,) or column.dtype != np.float64:
            raise ValueError("the columns of history must be float64 of one length")
    if len(set(names)) < len(names) or "loss" not in names:
        raise ValueError("history must have the column loss, and none twice")
    history = History(Record.of(dict(zip(names, columns, strict=True))))
    history.stopped = checks.one_of("stopped", plain["stopped"], REASONS)
    history.best_epoch = _epoch("best_epoch", plain["best_epoch"], length)
    if plain["restored"] is not None:
        history.restored = _epoch("restored", plain["restored"], length)
    return history


def _epoch(name: str, value: Any, epochs: int) -> int:
    """The number of an epoch, 0 for none."""
    epoch = checks.integer(name, value, 0)
    if epoch > epochs:
        raise ValueError(
            f"{name} must be at most {epochs}, the last epoch; got {epoch}"
        )
    return epoch
