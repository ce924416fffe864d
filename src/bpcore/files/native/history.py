"""A History as JSON and arrays of a container."""

from __future__ import annotations

from typing import Any

from bpcore.files.native.container import Container
from bpcore.files.native.networks import Stored
from bpcore.quoting import quoted
from bpcore.training.history import OF_ALL, History, history_of


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
    plain = {"columns": list(columns)} | {n: getattr(history, n) for n in OF_ALL}
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
    if not isinstance(plain, dict) or set(plain) != {"columns", *OF_ALL}:
        raise ValueError("history must have columns, stopped, best_epoch and restored")
    names = plain["columns"]
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError(f"the columns of history must be texts; got {quoted(names)}")
    if len(set(names)) < len(names):
        raise ValueError("history must have no column twice")
    columns = {name: file.array(f"{prefix}{i}") for i, name in enumerate(names)}
    return history_of(columns, *(plain[name] for name in OF_ALL))
