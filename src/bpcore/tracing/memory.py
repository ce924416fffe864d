"""A warning before much memory is taken."""

from __future__ import annotations

from bpcore.warn import warn

#: Bytes above which the warning is given.
MUCH = 10**9


def warn_of_memory(what: str, size: int) -> None:
    """Warn, at the line that called the library, if so many bytes are much.

    Examples
    --------
    >>> from bpcore.tracing.memory import warn_of_memory
    >>> warn_of_memory("this trace takes", 10**6)
    """
    if size <= MUCH:
        return
    warn(f"{what} {size / 1e9:.1f} GB of memory; a smaller mini-batch takes less")
