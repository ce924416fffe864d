"""CPython interpreters that wheels can be built and tested with."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: An interpreter describes itself.  Built for musl, it says so in one of its names.
PROBE = """
import importlib.util, json, os, platform, sys, sysconfig
musl = "musl" in str(sysconfig.get_config_vars("CC", "SOABI", "HOST_GNU_TYPE"))
print(json.dumps({
    "path": sys.executable,
    "implementation": sys.implementation.name,
    "release": platform.python_version(),
    "minor": sys.version_info[1] if sys.version_info[0] == 3 else -1,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "machine": platform.machine(),
    "libc": "musl" if musl else "glibc",
    "libc_minor": int((platform.libc_ver()[1] or "0.2").split(".")[1]),
    "installs": all(map(importlib.util.find_spec, ("ensurepip", "_ssl"))),
    "headers": os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A CPython 3, by its own answers.

    `path` may be a script that starts one of another system root (`roots.py`).
    `installs`: it can make virtual environments with pip, and download packages.
    `headers`: it has those of the C API.
    """

    path: Path
    release: str
    minor: int
    free_threaded: bool
    machine: str
    libc: str
    libc_minor: int
    installs: bool
    headers: bool

    @property
    def version(self) -> str:
        """As in the name of its command: "3.14t"."""
        return f"3.{self.minor}{'t' * self.free_threaded}"

    @property
    def abi(self) -> str:
        """The ABI of the wheels that are built with it: "abi3" from 3.12 on."""
        if self.free_threaded:
            return f"cp3{self.minor}t"
        return f"cp3{self.minor}" if self.minor < 12 else "abi3"

    @property
    def platforms(self) -> list[str]:
        """Platform tags of the wheels that it loads, the best first."""
        if self.libc == "musl":
            levels = [f"musllinux_1_{minor}" for minor in (2, 1)]
        else:
            levels = [f"manylinux_2_{n}" for n in range(self.libc_minor, 16, -1)]
            levels.append("manylinux2014")
        return [f"{level}_{self.machine}" for level in [*levels, "linux"]]

    def __str__(self) -> str:
        return f"CPython {self.release}{'t' * self.free_threaded}, {self.machine}"


def described(command: Path) -> Interpreter | None:
    """The interpreter that a command starts, or None if it starts no CPython 3."""
    done = subprocess.run(
        [command, "-I", "-c", PROBE], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return None
    answers = json.loads(done.stdout)
    if answers.pop("implementation") != "cpython" or answers["minor"] < 0:
        return None
    return Interpreter(**answers | {"path": Path(answers["path"])})


def commands() -> Iterator[Path]:
    """Commands named like an interpreter: pyenv's, then those on PATH."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [*sorted(pyenv.glob("versions/*/bin"))]
    folders += map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep))
    for folder in folders:
        for command in sorted(folder.glob("python3.*")):
            if re.fullmatch(r"python3\.\d+t?", command.name):
                yield command


def found(given: list[Path], oldest: int) -> list[Interpreter]:
    """The first interpreter of each version from 3.`oldest` on, the oldest first.

    Those given as arguments come before those that are found, and are all taken.
    """
    taken = []
    for command in given:
        interpreter = described(command)
        if interpreter is None:
            raise SystemExit(f"{command} starts no CPython 3")
        taken.append(interpreter)
    versions = {interpreter.version for interpreter in taken}
    for command in commands():
        interpreter = described(command)
        if interpreter is None or interpreter.minor < oldest:
            continue
        if interpreter.version not in versions:
            versions.add(interpreter.version)
            taken.append(interpreter)
    return sorted(taken, key=lambda one: (one.minor, one.free_threaded))
