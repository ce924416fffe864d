"""Cores, threads and instruction set, set before any library is loaded.

BLAS, OpenMP and XLA read their thread counts from the environment when they are
loaded, and bpcore its instruction set, so a running command cannot change them. It
restarts itself instead, with the environment that it needs.
"""

import os
import sys

_SETTLED = "BENCH_SETTLED"

_THREAD_COUNTS = (
    "BPCORE_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

#: Variables that prevent a library from using its best code for this CPU. Sandboxes
#: and continuous integration set some of them for repeatable results; they would make
#: the comparison unfair.
_LIMITS = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "XLA_FLAGS",
)


def settle(cores=1, isa=None, blas_core=None):
    """Restart this command on `cores` cores, with as many threads per library.

    Returns only in the restarted process.

    Parameters
    ----------
    cores : int
        The process is bound to the last ones, since the first handles interrupts.
    isa : str, optional
        Instruction set for bpcore; None leaves the choice to bpcore.
    blas_core : str, optional
        Processor whose kernels OpenBLAS uses, such as ``"Haswell"``, which has AVX2
        but not AVX-512; None leaves the choice to OpenBLAS.
    """
    if _SETTLED in os.environ:
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])
    os.environ.update(dict.fromkeys(_THREAD_COUNTS, str(cores)))
    for name in _LIMITS:
        if name in os.environ:
            print(f"ignored for a fair timing: {name}={os.environ.pop(name)}")
    os.environ.update({_SETTLED: "1", "JAX_PLATFORMS": "cpu"})
    if isa is not None:
        os.environ["BPCORE_ISA"] = isa
    if blas_core is not None:
        os.environ["OPENBLAS_CORETYPE"] = blas_core
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def allowed_cores():
    """Number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()


def settings():
    """The cores and the environment of this process, for the record."""
    names = (*_THREAD_COUNTS, "BPCORE_ISA", "OPENBLAS_CORETYPE")
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cores": sorted(affinity(0)) if affinity else "not bound on this system",
        "environment": {name: os.environ[name] for name in names if name in os.environ},
    }
