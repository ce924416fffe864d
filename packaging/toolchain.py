"""Compilers and linkers of the platforms that wheels are built for.

GCC compiles, with the headers of the platform's C library; Zig links, since it has the
symbols of old releases of glibc, and musl.
"""

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import ziglang
from interpreters import Interpreter

#: What every link has, whatever the compiler's flags are.
LINK = ("-shared", "-s", "-mcpu=baseline", "-Wl,--build-id=none")


@dataclass(frozen=True)
class Platform:
    """A platform of wheels.

    Parameters
    ----------
    name : str
        Its tag, as in manylinux_2_28_x86_64.
    machine : str
        x86_64 or aarch64.
    libc : str
        As Zig names it: "gnu.2.28" or "musl".
    """

    name: str
    machine: str
    libc: str

    @property
    def gcc(self) -> str:
        """The command of a GCC for that machine."""
        here = platform.machine() == self.machine
        return "gcc" if here else f"{self.machine}-linux-gnu-gcc"

    @property
    def compiler(self) -> list[str]:
        """The command that compiles."""
        if self.libc != "musl":
            return [self.gcc]
        include = Path(ziglang.__file__).parent / "lib" / "libc" / "include"
        own = subprocess.run(
            [self.gcc, "-print-file-name=include"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()
        folders = [
            own,
            include / f"{self.machine}-linux-musl",
            include / "generic-musl",
        ]
        return [self.gcc, "-nostdinc", *(f"-isystem{folder}" for folder in folders)]

    @property
    def linker(self) -> list[str]:
        """The command that links a shared library."""
        zig = [sys.executable, "-m", "ziglang", "cc"]
        # Zig calls musl libc.so, which no musl system has; Python has loaded musl.
        without = ["-nostdlib"] if self.libc == "musl" else []
        return [*zig, "-target", f"{self.machine}-linux-{self.libc}", *LINK, *without]

    def variables(self, interpreter: Interpreter) -> dict[str, str]:
        """Environment variables of a build of setup.py for this platform."""
        libc = self.libc.partition(".")[0]
        suffix = f".cpython-3{interpreter.minor}{'t' * interpreter.free_threaded}"
        return {
            "CC": " ".join(self.compiler),
            "LDSHARED": " ".join(self.linker),
            "SETUPTOOLS_EXT_SUFFIX": f"{suffix}-{self.machine}-linux-{libc}.so",
            "_PYTHON_HOST_PLATFORM": f"linux-{self.machine}",
            "BPCORE_LIMITED_API": str(int(interpreter.abi == "abi3")),
            "BPCORE_WERROR": "1",
        }


def missing(target: Platform) -> str | None:
    """The command that a platform needs and this system lacks, or None."""
    return None if shutil.which(target.gcc) else target.gcc


PLATFORMS = {
    target.name: target
    for target in (
        Platform("manylinux_2_28_x86_64", "x86_64", "gnu.2.28"),
        Platform("musllinux_1_2_x86_64", "x86_64", "musl"),
        Platform("manylinux_2_28_aarch64", "aarch64", "gnu.2.28"),
    )
}
