"""The best instruction set of this CPU, as the kernel lists its features.

Written without bpcore, to check what bpcore finds by CPUID.
"""

from pathlib import Path

V2 = {"sse4_2", "popcnt"}
V3 = V2 | {"avx2", "fma", "bmi1", "bmi2"}
V4 = V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
X86_64 = {"x86_64_v4": V4, "x86_64_v3": V3, "x86_64_v2": V2}


def best(machine: str) -> str:
    """The name of the build of the kernels that should be in use."""
    if machine == "aarch64":
        return "arm64"
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    features = next(line for line in lines if line.startswith("flags")).split()
    return next(
        (name for name, needs in X86_64.items() if needs <= {*features}), "scalar"
    )
