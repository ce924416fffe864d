"""Warnings at the line of the caller's that led to them."""

from __future__ import annotations

import sys
import warnings

#: Packages whose frames lie between that line and the warning.
WITHIN = "bpcore.", "scipy."


def warn(message: str) -> None:
    """A UserWarning; where standard error cannot be written, nothing."""
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(WITHIN):
        level, frame = level + 1, frame.f_back
    try:
        warnings.warn(message, stacklevel=level)
    except Warning:  # where filters make it an error
        raise
    except Exception:  # standard error is closed, or fails in a way of its own
        return
