"""Whose fault it is when memory fails: of bpcore, or of a library below or above it."""

import re
import sysconfig
from pathlib import Path

import bpcore

OWN = Path(bpcore.__file__).parent
ROOT = Path(__file__).parents[2]
#: Folders of installed libraries.
INSTALLED = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
#: Errors that C code raises in place of MemoryError: without one, Python's
#: SystemError; pickle's error if it does not find a name.
IN_PLACE = "SystemError", "PicklingError"


def library(file):
    """The library of a file by its name; None if it is bpcore or the campaign."""
    path = Path(file)
    if path.is_relative_to(OWN):
        return None
    for folder in INSTALLED:
        if path.is_relative_to(folder):
            return path.relative_to(folder).parts[0]
    return None if path.is_relative_to(ROOT) else "Python"


def of_error(error, memory):
    """An error of C code that is not ours, whose allocation failed."""
    if type(error).__name__ not in IN_PLACE:
        return None
    return library(memory.module())


def frames_at_end(printed):
    """File, line and function of each frame that faulthandler has printed.

    Those of the thread that crashed; else those of the main one, which comes last.
    """
    *threads, main = re.split(r"^(?=Current thread|Thread 0x)", printed, flags=re.M)
    crashed = [each for each in [*threads, main] if each.startswith("Current")]
    return re.findall(r'File "(.+)", line (\d+) in (.+)', [*crashed, main][0])


def at_end(frames, printed=""):
    """The library in which a process crashed or did not end; None if it is bpcore.

    A thread that waits, waits for what the caller of ``wait`` expects.  Where the
    campaign itself has called C code, as pickle's, it is the library whose allocation
    failed, unless a module of bpcore was at work.
    """
    for file, _, function in frames:
        if function != "wait":
            of_campaign = library(file) is None and not Path(file).is_relative_to(OWN)
            failed = re.search(
                r"^allocation failed in: (.+?)( \(own\))?$", printed, re.M
            )
            if of_campaign and failed and not failed[2]:
                return library(failed[1])
            return library(file)
    return None
