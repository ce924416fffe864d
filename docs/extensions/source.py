"""The address of an object's source in the repository."""

import inspect
import re
import sys
from pathlib import Path

import bpcore

PACKAGE = Path(bpcore.__file__).parent
#: The folder of the package in the repository, and here.
FOLDER = "src/bpcore"
SOURCE = Path(__file__).parents[2] / FOLDER


def address(module, name, repository):
    """The page of the repository with these lines; None where there are none.

    Parameters
    ----------
    module, name : str
        "bpcore", "Network.fit".
    repository : str
        Its address.
    """
    if module == "bpcore.kernels":
        return of_kernel(name, repository)
    try:
        found = sys.modules[module]
        for part in name.split("."):
            found = getattr(found, part)
    except (KeyError, AttributeError):
        return None
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    try:
        file = Path(inspect.getsourcefile(found)).relative_to(PACKAGE)
        lines, first = inspect.getsourcelines(found)
    except (TypeError, ValueError, OSError):
        return None
    last = first + len(lines) - 1
    return f"{repository}/blob/main/{FOLDER}/{file.as_posix()}#L{first}-L{last}"


def of_kernel(name, repository):
    """The line of a kernel, which is in Cython."""
    lines = (SOURCE / "_kernels.pyx").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if re.match(rf"(cp)?def (\w+ )?{name}\(", line):
            return f"{repository}/blob/main/{FOLDER}/_kernels.pyx#L{number}"
    return None
