"""Choice of the build of the kernels by the instruction sets of the CPU.

``csrc/kernels.c`` is compiled once per instruction set, and all that were built are
linked into ``bpcore._kernels``.  At import the best one that the processor and the
operating system support is used; ``BPCORE_ISA`` names another.  Every build with a
fused multiply-add (all but ``x86_64_v2``) gives the same bits.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bpcore.engine.cpu import supported

#: The compiled module.  Imported by its name in a string, since tools that analyse
#: imports find no source of it.
kernels: Any = importlib.import_module("bpcore._kernels")

#: Instruction sets whose kernels are built and run here, the best first.
available: tuple[str, ...] = tuple(
    isa for isa, runs in supported().items() if runs and isa in kernels.BUILDS
)


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
            f"got {isa!r}, which {why}"
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
