"""Instruction sets that the processor and the operating system can run."""


cdef extern from "csrc/cpu.h":
    bint bpcore_has_x86_64_v2()
    bint bpcore_has_x86_64_v3()
    bint bpcore_has_x86_64_v4()
    bint bpcore_has_arm64()


def supported():
    """{instruction set: whether it runs here}, the best first.

    Examples
    --------
    >>> from bpcore.engine.cpu import supported
    >>> supported()["scalar"]
    True
    """
    return {
        "x86_64_v4": bool(bpcore_has_x86_64_v4()),
        "x86_64_v3": bool(bpcore_has_x86_64_v3()),
        "arm64": bool(bpcore_has_arm64()),
        "x86_64_v2": bool(bpcore_has_x86_64_v2()),
        "scalar": True,
    }
