"""Versions, instruction sets and build settings of this installation."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from bpcore.engine import dispatch
from bpcore.engine.dispatch import kernels
from bpcore.version import VERSION

__all__ = ["VERSION", "config", "show_config"]


def config() -> dict[str, Any]:
    """Versions, instruction sets and build settings, as a dict.

    Returns
    -------
    dict
        "bpcore", "numpy", "python", "machine": versions and processor family; "isa":
        the instruction set in use; "available": instruction sets that are built and
        that the processor has, the best first; "compiler", "flags", "tile_rows",
        "tile_columns", "chain": compiler and constants (``csrc/types.h``) of the
        kernels in use; "caches": bytes and ways of a core's first- and second-level
        data caches; "blocks": block sizes of matrix products for them, by dtype
        (``engine/blocking.py``).

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.config()["isa"] in bp.config()["available"]
    True
    """
    return {
        "bpcore": VERSION,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "isa": kernels.in_use(),
        "available": list(dispatch.available),
        **kernels.BUILDS[kernels.in_use()],
        "caches": dispatch.caches._asdict(),
        "blocks": {
            dtype: blocks._asdict()
            for dtype, blocks in dispatch.blocks[kernels.in_use()].items()
        },
    }


def show_config() -> None:
    """Print `config`, one entry per line.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.show_config()  # doctest: +ELLIPSIS
    bpcore        ...
    """
    for name, value in config().items():
        print(f"{name:<13} {_shown(value)}")


def _shown(value: Any) -> str:
    """A value in words: lists and dicts without brackets."""
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        inner = (_shown(part) for part in value.values())
        nested = any(isinstance(part, dict) for part in value.values())
        return ("; " if nested else ", ").join(map("{} {}".format, value, inner))
    return str(value)
