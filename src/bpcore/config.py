"""What this installation is made of and what it runs on."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from bpcore import _kernels
from bpcore.engine import dispatch


def config() -> dict[str, Any]:
    """Versions, instruction sets and build settings, as a dict.

    Returns
    -------
    dict
        "bpcore", "numpy", "python", "machine": versions and processor family; "isa":
        the instruction set in use; "available": all that are built and run here, the
        best first; "compiler", "flags", "tile_rows", "tile_columns", "chain",
        "k_block", "pack_from", "fetch_from": of the kernels in use.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.config()["isa"] in bp.config()["available"]
    True
    """
    from bpcore import __version__

    return {
        "bpcore": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "isa": _kernels.in_use(),
        "available": list(dispatch.available),
        **_kernels.BUILDS[_kernels.in_use()],
    }


def show_config() -> None:
    """Print `config`, one setting a line.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.show_config()  # doctest: +ELLIPSIS
    bpcore        ...
    """
    for name, value in config().items():
        shown = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:<13} {shown}")
