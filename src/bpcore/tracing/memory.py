"""A warning before much memory is used."""

from __future__ import annotations

from bpcore.warn import warn

#: Bytes above which the warning is given.
MUCH = 10**9


def warn_of_memory(what: str, size: int) -> None:
    """Warn if `size` bytes are above 1 GB, at the line that called the library.

    Examples
    --------
    >>> from bpcore.tracing.memory import warn_of_memory
    >>> warn_of_memory("this trace takes", 10**6)
    """
    if size <= MUCH:
        return
    warn(f"{what} {size / 1e9:.1f} GB of memory; a smaller mini-batch takes less")
