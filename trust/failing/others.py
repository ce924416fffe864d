"""Whose fault it is when memory fails: of bpcore, or of a library below or above it."""

import sysconfig
from pathlib import Path

import bpcore

OWN = str(Path(bpcore.__file__).parent)
ROOT = str(Path(__file__).parents[2])
#: Folders of installed libraries, and of Python's own.
INSTALLED = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
OF_PYTHON = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
#: Errors that C code raises in place of MemoryError: without one, Python's
#: SystemError; pickle's error if it does not find a name.
IN_PLACE = "SystemError", "PicklingError"


def library(file):
    """The library of a file by its name; None if it is bpcore or the campaign."""
    if file.startswith((OWN, ROOT)):
        return None
    for folder in INSTALLED:
        if file.startswith(folder):
            return Path(file).relative_to(folder).parts[0]
    return "Python"


def of_error(error, memory):
    """An error of C code that is not ours, whose allocation failed."""
    if type(error).__name__ not in IN_PLACE:
        return None
    return library(memory.module())


def at_end(frames):
    """A process that crashed or did not end, by its innermost frames of Python.

    A thread that waits, waits for what the caller of ``wait`` expects.
    """
    for file, function in frames:
        if function != "wait":
            return library(file)
    return None
