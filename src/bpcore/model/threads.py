"""The number of threads: of the cores that the process may use, or by a setting."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

from bpcore import checks
from bpcore.model import threadpool
from bpcore.quoting import quoted

#: Upper bound of n_threads, more than any machine has cores.
MOST = 4096


def n_threads(value: int | str) -> int:
    """The number of threads of the argument n_threads, "auto" or a number."""
    threadpool.register(usable)
    if isinstance(value, str) and value == "auto":
        return automatic()
    number = checks.integer("n_threads", value, 1, ', or "auto"')
    if number > MOST:
        raise ValueError(f"n_threads must be at most {MOST}; got {number}")
    return number


def automatic() -> int:
    """The cores this process may use, or fewer if the environment says so.

    The CPU affinity and the quota of its control group limit it; then
    BPCORE_NUM_THREADS if set, else OMP_NUM_THREADS.

    Raises
    ------
    ValueError
        If BPCORE_NUM_THREADS is not a whole number of at least 1.  OMP_NUM_THREADS is
        another library's: what is not such a number there is ignored.
    """
    own = _own()
    if own and _at_least_1(own) is None:
        raise ValueError(
            "BPCORE_NUM_THREADS must be a whole number of at least 1; "
            f"got {quoted(own)}"
        )
    return usable()


def usable() -> int:
    """`automatic` without errors: a BPCORE_NUM_THREADS that is no number is ignored.

    For calls that other libraries make, and for work that no user gives threads.

    Examples
    --------
    >>> from bpcore.model.threads import automatic, usable
    >>> usable() == automatic()
    True
    """
    return int(max(1, min(len(affinity()), cpu_quota(), _from_environment())))


def affinity() -> tuple[int, ...]:
    """The cores that this process may use, by their numbers.

    Examples
    --------
    >>> from bpcore.model.threads import affinity
    >>> len(affinity()) > 0
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _from_environment() -> float:
    """The limit by BPCORE_NUM_THREADS or OMP_NUM_THREADS, infinity without one."""
    # One number for each level of nesting, of which the first counts here.
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return _at_least_1(_own()) or _at_least_1(first) or math.inf


def _own() -> str:
    """BPCORE_NUM_THREADS, empty without it."""
    return os.environ.get("BPCORE_NUM_THREADS", "").strip()


def _at_least_1(text: str) -> int | None:
    """The whole number in a text, None if it is not one of at least 1."""
    digits = text.lstrip("0")
    # More digits are not read: they are more than any machine has cores.
    return int(digits[:18]) or None if digits.isdecimal() else None


@cache
def cpu_quota(root: Path = Path("/sys/fs/cgroup"), proc: str = "/proc/self") -> float:
    """CPU quota of the control group, in cores; infinity without one."""
    try:
        lines = Path(proc, "cgroup").read_text().splitlines()
    except OSError:
        return math.inf
    quotas = [math.inf]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            continue
        # The limits of the group and of all groups that contain it.  Inside a container
        # the path may exist on the host only: then the root is read.
        top = root / controllers
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder == top or top in folder.parents:
                quotas.append(_limit(folder, version=1 if controllers else 2))
    return math.ceil(min(quotas)) if min(quotas) < math.inf else math.inf


# A child may be moved to another group.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=cpu_quota.cache_clear)


def _limit(folder: Path, version: int) -> float:
    """quota / period of one control group."""
    try:
        if version == 2:
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError):  # no such file, or "max"
        return math.inf


threadpool.register(usable)
