"""Choice of the build of the kernels by the instruction sets of the CPU.

``csrc/kernels.c`` is compiled once per instruction set, and all that were built are
linked into ``bpcore._kernels``.  At import the best one that the processor and the
operating system support is used; ``BPCORE_ISA`` names another.  Every build with a
fused multiply-add (all but ``x86_64_v2``) gives the same bits.

The block sizes of every build are set at import too (``engine/blocking.py``).  For
trials ``BPCORE_BLOCKS`` changes some of them, as in ``BPCORE_BLOCKS=kc=512,mc=96``.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bpcore.engine.blocking import Blocks, blocks_for, caches_of_cpu, overridden
from bpcore.engine.engine import data_cache, supported
from bpcore.quoting import quoted

#: The compiled module.  Imported by its name in a string, since tools that analyse
#: imports find no source of it.
kernels: Any = importlib.import_module("bpcore._kernels")

#: Instruction sets whose kernels are built and run here, the best first.
available: tuple[str, ...] = tuple(
    isa for isa, runs in supported().items() if runs and isa in kernels.BUILDS
)

#: Data caches of a core of this CPU.
caches = caches_of_cpu(data_cache)

_ITEMSIZES = {"float32": 4, "float64": 8}


def _blocks_of(build: dict[str, Any], dtype: str) -> Blocks:
    """Block sizes of a build for one dtype."""
    tile = build["tile_rows"], build["tile_columns"][dtype]
    blocks = blocks_for(caches, *tile, _ITEMSIZES[dtype])
    return overridden(blocks, os.environ.get("BPCORE_BLOCKS", ""), *tile)


#: Block sizes by instruction set and dtype.
blocks: dict[str, dict[str, Blocks]] = {
    isa: {dtype: _blocks_of(build, dtype) for dtype in _ITEMSIZES}
    for isa, build in kernels.BUILDS.items()
}
kernels.set_blocks(blocks)


def use(isa: str) -> None:
    """Compute by the kernels built for an instruction set from now on.

    Networks keep those that were in use when they were made.

    Parameters
    ----------
    isa
        A name in ``available``.

    Raises
    ------
    ImportError
        If the name is unknown, was not built or cannot run on this machine.

    Examples
    --------
    >>> from bpcore.engine import dispatch
    >>> dispatch.use("VAX")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ImportError: BPCORE_ISA must be one of ...; got 'VAX', which is unknown
    """
    if isa not in available:
        whys = {None: "is unknown", True: "was not built", False: "cannot run here"}
        why = whys[supported().get(isa)]
        raise ImportError(
            f"BPCORE_ISA must be one of {', '.join(available)} on this machine; "
            f"got {quoted(isa)}, which {why}"
        )
    kernels.use(isa)


@contextmanager
def using(isa: str) -> Iterator[None]:
    """`use` for a ``with`` block, for tests and benchmarks that compare builds.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.engine import dispatch
    >>> with dispatch.using("scalar"):
    ...     print(bp.config()["isa"])
    scalar
    """
    before = kernels.in_use()
    use(isa)
    try:
        yield
    finally:
        kernels.use(before)


use(os.environ.get("BPCORE_ISA") or available[0])
