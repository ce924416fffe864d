"""Limits of the processor: affinity, control groups, threadpoolctl, and rest."""

import contextlib
import os
import shutil
import time
from pathlib import Path

import bpcore as bp
from bpcore.model import threads
from trust.children.programs import THIS, python
from trust.concurrency import work

PROGRAM = """
import os, sys
from trust.concurrency import work
import bpcore as bp
net = bp.Network([300, 900, 2])
net.learner.engine.use_threads(net.n_threads, 1)
for _ in range(5):
    net.train_step(work.LARGE_X, work.LARGE_Y)
print(net.n_threads, len(os.listdir("/proc/self/task")))
"""

#: NumPy's threads would be counted too.
ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": ""}


def cores_and_threads(*before, move=None):
    """The number of threads of a network in a new process, and of the process."""
    command = *before, *THIS
    options = {"command": command, "variables": ALONE, "preexec_fn": move}
    ended = python("-c", PROGRAM, **options)
    ended.check_returncode()
    return tuple(map(int, ended.stdout.split()))


def affinity():
    """What is wrong where a process may use one core only, or None."""
    if not shutil.which("taskset"):
        return None
    core = min(os.sched_getaffinity(0))
    found = cores_and_threads("taskset", "-c", str(core))
    return None if found == (1, 1) else f"on one core: {found}"


@contextlib.contextmanager
def group_of_one_core():
    """A control group that may use one core; yields its folder, None if not allowed."""
    root, name = Path("/sys/fs/cgroup"), f"bpcore-{os.getpid()}"
    is_first = (root / "cpu" / "cpu.cfs_quota_us").exists()
    folder = (root / "cpu" if is_first else root) / name
    try:
        folder.mkdir()
    except OSError:
        yield None
        return
    try:
        if is_first:
            (folder / "cpu.cfs_quota_us").write_text("100000")
        else:
            (folder / "cpu.max").write_text("100000 100000")
        yield folder
    except OSError:
        yield None
    finally:
        folder.rmdir()


def control_group(folder):
    """What is wrong in a control group that may use one core, or None."""

    def move():
        (folder / "cgroup.procs").write_text(str(os.getpid()))

    found = cores_and_threads(move=move)
    return None if found == (1, 1) else f"in a group of one core: {found}"


def simulated_group(folder):
    """The same, with files as the kernel writes them."""
    for text, expected in ("50000 100000", 1), ("150000 100000", 2), ("max 1", None):
        root = Path(folder, text.replace(" ", "-"))
        (root / "a").mkdir(parents=True)
        (root / "cgroup").write_text("0::/a\n")
        (root / "a" / "cpu.max").write_text(text)
        found = threads.cpu_quota(root, str(root))
        if found != (float("inf") if expected is None else expected):
            return f"cpu.max {text!r}: {found}"
    return None


def threadpoolctl():
    """What is wrong with the team in threadpoolctl, or None."""
    from threadpoolctl import threadpool_info, threadpool_limits

    net = work.large()

    def shown():
        info = [each for each in threadpool_info() if each["user_api"] == "bpcore"]
        return [each["num_threads"] for each in info]

    before = shown()
    with threadpool_limits(1, user_api="bpcore"):
        inside = shown()
        used = members_at_work(net)
    after = shown()
    if before != [threads.automatic()] or after != before or inside != [1] or used:
        return f"{before}, with a limit of 1 {inside}, {used} at work, then {after}"
    return None


def members_at_work(net, seconds=0.2):
    """Whether threads of the team take processor time while a network is trained."""
    end = time.monotonic() + seconds
    before, own = time.process_time(), time.thread_time()
    while time.monotonic() < end:
        net.train_step(work.LARGE_X, work.LARGE_Y)
    others = time.process_time() - before - (time.thread_time() - own)
    return others > 0.1 * seconds


def rest(seconds):
    """The part of a core that the process takes after work, in percent."""
    nets = [work.large(), work.new(), work.new(loss=work.squared)]
    for net in nets:
        rows = work.LARGE_X if net.sizes[0] == 300 else work.X
        net.fit(rows, rows[:, :2], epochs=5, progress=False)
    bp.fit_many([work.new(seed=i) for i in range(4)], work.X, work.Y, epochs=3)
    time.sleep(0.1)
    before = time.process_time()
    time.sleep(seconds)
    return 100 * (time.process_time() - before) / seconds
