"""Warnings that show the line of the user's code that led to them."""

from __future__ import annotations

import inspect
import warnings

#: Prefixes of the modules whose frames are skipped.
WITHIN = "bpcore.", "scipy."


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Give a warning; errors of writing to standard error are ignored."""
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").startswith(WITHIN):
        level, frame = level + 1, frame.f_back
    try:
        warnings.warn(message, category, stacklevel=level)
    except Warning:  # a filter turns warnings into errors
        raise
    except Exception:  # standard error is closed or cannot be written
        return
