"""Warnings that show the line of the user's code that led to them."""

from __future__ import annotations

import inspect
import warnings

#: Prefixes of the modules whose frames are skipped.
WITHIN = "bpcore.", "scipy."


def warn(message: str) -> None:
    """Give a UserWarning; nothing happens where standard error cannot be written."""
    level, frame = 1, inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").startswith(WITHIN):
        level, frame = level + 1, frame.f_back
    try:
        warnings.warn(message, stacklevel=level)
    except Warning:  # where filters make it an error
        raise
    except Exception:  # standard error is closed, or fails in a way of its own
        return
