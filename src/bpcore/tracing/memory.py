"""Much memory is told of before it is taken."""

from __future__ import annotations

import sys
import warnings

#: Bytes above which it is told of.
MUCH = 10**9


def tell(what: str, size: int) -> None:
    """Warn, at the line that called the library, of what takes much memory."""
    if size <= MUCH:
        return
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("bpcore."):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"{what} {size / 1e9:.1f} GB of memory; a smaller mini-batch takes less",
        stacklevel=level,
    )
