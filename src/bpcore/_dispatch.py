"""Which build of the kernels runs: the one file that knows that CPUs differ.

``_kernels.pyx`` is compiled once per instruction set, into ``bpcore._x86_64_v3`` and so
on.  At import the best build that the processor and the operating system allow is
chosen; ``BPCORE_ISA`` names another.  Every build with a fused multiply-add (all but
``x86_64_v2``) gives the same bits.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from types import ModuleType

from bpcore._cpu import supported


def is_built(isa: str) -> bool:
    """Whether there is a module with the kernels for an instruction set."""
    try:
        return importlib.util.find_spec(f"bpcore._{isa}._kernels") is not None
    except ModuleNotFoundError:  # not even its package, as in a program put together
        return False


#: Instruction sets whose kernels are built and run here, the best first.
available: tuple[str, ...] = tuple(
    isa for isa, runs in supported().items() if runs and is_built(isa)
)


def load(isa: str) -> ModuleType:
    """The kernels built for one instruction set.

    Parameters
    ----------
    isa
        A name in ``available``.

    Raises
    ------
    ImportError
        If the name is unknown, was not built or cannot run on this machine.
    """
    if not available:
        raise ImportError(
            "bpcore must come with kernels that run on this machine, bpcore._scalar at "
            "least; got none (programs made by PyInstaller need the package's own hook)"
        )
    if isa not in available:
        whys = {None: "is unknown", True: "was not built", False: "cannot run here"}
        why = whys[supported().get(isa)]
        raise ImportError(
            f"BPCORE_ISA must be one of {', '.join(available)} on this machine; "
            f"got {isa!r}, which {why}"
        )
    return importlib.import_module(f"bpcore._{isa}._kernels")


#: The instruction set in use, and its kernels.
isa: str = os.environ.get("BPCORE_ISA") or next(iter(available), "scalar")
kernels: ModuleType = load(isa)
