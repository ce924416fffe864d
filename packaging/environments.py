"""bpcore and what its tests need, installed for one interpreter.

An interpreter with pip gets a virtual environment.  For others, as those of
`roots.py`, the pip of this process installs into a folder, by their tags.
"""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from interpreters import Interpreter

PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install"]


class NoWheel(Exception):
    """Why a requirement cannot be installed."""


@dataclass(frozen=True)
class Environment:
    """A command that starts Python, its folder of packages, and arguments of pip."""

    python: Path
    packages: Path
    pip: list[str]

    @property
    def variables(self) -> dict[str, str]:
        """Variables of processes that are started in it: none that change bpcore."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BPCORE_", "PYTHON"))
        }
        if self.pip[0] == str(self.python):
            return kept
        return kept | {"PYTHONPATH": str(self.packages)}

    def install(self, *arguments: str | Path) -> None:
        """Install wheels; nothing is built from source."""
        done = subprocess.run(
            [*self.pip, "--only-binary=:all:", *arguments],
            env=self.variables,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise NoWheel(done.stderr.strip())

    def install_bpcore(self, wheels: Path, report: Path) -> Path:
        """Install the wheel that pip chooses from a folder; returns that wheel."""
        self.install(
            "--no-index", "--no-deps", "--find-links", wheels, "--report", report,
            "bpcore",
        )  # fmt: skip
        (chosen,) = json.loads(report.read_text())["install"]
        wheel = wheels / Path(chosen["download_info"]["url"]).name
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                installed = self.packages / name
                if name.endswith(("/RECORD", "/")):
                    continue  # pip adds lines of its own
                if installed.read_bytes() != archive.read(name):
                    raise RuntimeError(f"{installed} is not that of {wheel.name}")
        return wheel


def environment(interpreter: Interpreter, folder: Path) -> Environment:
    """A new environment in a folder that does not exist yet."""
    if interpreter.installs:
        subprocess.run([interpreter.path, "-m", "venv", folder], check=True)
        python = folder / "bin" / "python"
        packages = folder / "lib" / f"python{interpreter.version}" / "site-packages"
        return Environment(python, packages, [str(python), *PIP])
    packages = folder / "site-packages"
    packages.mkdir(parents=True)
    abi = f"cp3{interpreter.minor}{'t' * interpreter.free_threaded}"
    tags = ["--implementation=cp", f"--python-version=3.{interpreter.minor}"]
    tags += [f"--abi={abi}", *(f"--platform={tag}" for tag in interpreter.platforms)]
    command = [sys.executable, *PIP, "--target", str(packages), *tags]
    return Environment(interpreter.path, packages, command)
