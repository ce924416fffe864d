"""Disks that are full, fail, or end in the middle of a file, and processes that die.

    python -m trust.disks

A file that is written anew is then the old one or the new one, whole, and can be read;
a call that cannot write raises OSError and leaves nothing behind; what a process that
was killed may leave is called `.bpcore-*.part`. Reading gives the right content, or an
error. A fit that cannot keep its backups in a file keeps them in memory.
"""

import os
import random
import resource
import signal
import sys
import tempfile
import time
from functools import partial

from bpcore.errors import ModelFileError
from trust import campaign
from trust.children.programs import failure, python
from trust.failing.disk import ERRORS, Disk, environment, named
from trust.failing.writers import WRITERS, clean, large_fit

#: Writers that write at once; a picture is drawn before, and written as they write.
QUICK = tuple(name for name in WRITERS if not name.startswith("Animation"))
#: Seconds from which on there is time for pictures.
LONG = 60
#: Seconds within which a process is killed, at least.
SOON = 0.05


def run(seconds):
    """Kills, then failing calls in a process of its own, then limits."""
    with tempfile.TemporaryDirectory() as folder:
        times = min(200, max(5, int(seconds)))
        yield from killed(folder, times, QUICK if seconds < LONG else tuple(WRITERS))
    count = campaign.Count("limits of the system while a file is written")
    with tempfile.TemporaryDirectory() as folder:
        limits(count, folder)
    yield count
    with tempfile.TemporaryDirectory() as folder:
        failing = environment(folder)
        if failing is None:
            print("There is no C compiler: no call was made to fail.")
            return
        ended = python("-m", "trust.disks", "--calls", variables=failing)
    count = campaign.Count("calls of the system that fail")
    for line in ended.stdout.splitlines():
        count.add(None if line == "right" else line)
    if wrong := failure(ended):
        count.add(f"the process ended with {wrong}")
    yield count


# --- processes that are killed --------------------------------------------------------


def killed(folder, times, names=tuple(WRITERS)):
    """Kill processes that write a file over and over, at random moments."""
    for name in names:
        writer = WRITERS[name]
        count = campaign.Count(f"{name}: the process is killed")
        versions = writer.versions(folder)
        path, rng, left = os.path.join(folder, writer.name), random.Random(0), 0
        began = time.monotonic()
        writer.write(versions[0][0], path)
        soon = max(SOON, 2 * (time.monotonic() - began))
        for at in range(times):
            child = os.fork()
            if child == 0:
                write_for_ever(writer, versions, path)
            time.sleep(rng.random() * soon)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            left += clean(folder)
            wrong = fault(writer, versions, path, folder)
            count.add(wrong and f"{name}, kill {at}: {wrong}")
        os.unlink(path)
        count.note = f"{left} left a file"
        yield count


def write_for_ever(writer, versions, path):
    """The process that is killed."""
    try:
        while True:
            for thing, _ in versions:
                writer.write(thing, path)
    finally:
        os._exit(1)


def fault(writer, versions, path, folder):
    """What is wrong with the file, or with the folder, or None."""
    others = {*os.listdir(folder)} - {writer.name}
    if others:
        return f"there is also {others}"
    try:
        found = writer.content(path)
    except Exception as error:
        return f"it cannot be read: {error!r}"
    if found not in [content for _, content in versions]:
        return "it has another content"
    return None


# --- calls that fail ------------------------------------------------------------------


def calls(names=QUICK, most=8):
    """Print "right", or what is wrong, for each call of the system that fails."""
    disk = Disk()
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for kind, errors in ERRORS.items():
                for error in errors:
                    for found in one_after_the_other(
                        disk, name, folder, kind, error, most
                    ):
                        print(found or "right", flush=True)


def one_after_the_other(disk, name, folder, kind, error, most):
    """Let the first call of a kind fail, the second, ...; yields what is wrong."""
    writer = WRITERS[name]
    path = os.path.join(folder, writer.name)
    (old, of_old), (new, of_new) = versions = writer.versions(folder)
    action = partial(writer.write, new, path)
    if kind == "read":
        action = partial(writer.content, path)
    for at in range(1, most + 1):
        writer.write(old, path)
        raised = result = None
        with disk.failing(kind, at, error):
            try:
                result = action()
            except (OSError, ModelFileError) as caught:
                raised = caught
            except BaseException as other:
                raised = other
        if disk.seen < at:
            return
        about = f"{name}, {kind} {at}, {named(error)}: "
        if raised and not isinstance(raised, OSError | ModelFileError):
            yield f"{about}{raised!r}"
        elif wrong := fault(writer, versions, path, folder):
            yield about + wrong
        elif kind == "read":
            yield about + "read wrongly" if not raised and result != of_old else None
        elif writer.content(path) == (of_old if raised is None else of_new):
            # After an error of a folder's fsync the new file may be there.
            yield about + f"{raised!r}, and the other file"
        else:
            yield None


# --- limits ---------------------------------------------------------------------------


def limits(count, folder, names=tuple(WRITERS)):
    """No room for a file, or for descriptors, or no folder for temporary files."""
    for name in names:
        writer = WRITERS[name]
        versions = writer.versions(folder)
        path = os.path.join(folder, writer.name)
        for limit in (full, no_descriptors):
            writer.write(versions[0][0], path)
            raised = None
            with limit(path):
                try:
                    writer.write(versions[1][0], path)
                except OSError as error:
                    raised = error
            wrong = fault(writer, versions, path, folder)
            if raised is None:
                wrong = wrong or "no error"
            elif writer.content(path) != versions[0][1]:
                wrong = wrong or "not the old file"
            count.add(wrong and f"{name}, {limit.__name__}: {wrong}")
        os.unlink(path)
    right = large_fit()
    for place in ("/nowhere", "/proc"):
        tempfile.tempdir = place
        try:
            count.add(None if large_fit() == right else f"a fit with TMPDIR={place}")
        except Exception as error:
            count.add(f"a fit with TMPDIR={place}: {error!r}")
        finally:
            tempfile.tempdir = None


class Limit:
    """A limit of this process, for a ``with`` block."""

    kind: int

    def __init__(self, path):
        self.before = resource.getrlimit(self.kind)
        self.to = self.least(path)

    def __enter__(self):
        resource.setrlimit(self.kind, (self.to, self.before[1]))

    def __exit__(self, *exception):
        resource.setrlimit(self.kind, self.before)


class full(Limit):
    """A file may have half of the bytes that it needs."""

    kind = resource.RLIMIT_FSIZE

    @staticmethod
    def least(path):
        return os.path.getsize(path) // 2


class no_descriptors(Limit):
    """No file can be opened."""

    kind = resource.RLIMIT_NOFILE

    @staticmethod
    def least(path):
        descriptor = os.open(os.devnull, os.O_RDONLY)
        os.close(descriptor)
        return descriptor


if __name__ == "__main__":
    if "--calls" in sys.argv:
        calls()
        sys.exit()
    campaign.main("A file is the old one or the new one, whole.", run, 300)
