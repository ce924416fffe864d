"""Instruction sets that the processor and the operating system can run, and caches."""

cdef extern from "csrc/cpu.h":
    bint bpcore_has_x86_64_v2()
    bint bpcore_has_x86_64_v3()
    bint bpcore_has_x86_64_v4()
    bint bpcore_has_arm64()

    ctypedef struct cache_t "bpcore_cache":
        int64_t bytes
        int64_t ways

    cache_t bpcore_data_cache(uint32_t level)


def supported():
    """{instruction set: whether it runs here}, the best first.

    Examples
    --------
    >>> from bpcore.engine.engine import supported
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


def data_cache(uint32_t level):
    """(bytes, ways) of a core's data cache of level 1 or 2, 0 for what is not known.

    From CPUID on x86_64, sysctl on macOS, sysconf elsewhere.

    Examples
    --------
    >>> from bpcore.engine.engine import data_cache
    >>> size, ways = data_cache(1)
    """
    if level not in (1, 2):
        raise ValueError(f"level must be 1 or 2; got {level}")
    cdef cache_t cache = bpcore_data_cache(level)
    return max(cache.bytes, 0), max(cache.ways, 0)
