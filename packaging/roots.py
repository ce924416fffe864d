"""Interpreters of other Debian releases and processors, unpacked into a folder.

debootstrap finds the packages and downloads them; they are unpacked, and nothing of
them is installed.  A script starts the interpreter by the dynamic loader of that
root, or by qemu-user if the root is for another processor.  Tests that start
`sys.executable` start the script again.
"""

import os
import platform
import shutil
import subprocess
from pathlib import Path

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
LOADERS = {"amd64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}


class Unavailable(Exception):
    """Why a root cannot be made here."""


def interpreter(suite: str, architecture: str, cache: Path) -> Path:
    """The script that starts Python of a Debian release for an architecture."""
    root = cache / f"{suite}-{architecture}"
    script = root / "python"
    if not script.is_file():
        starter = command(root, architecture)
        unpack(suite, architecture, root)
        python = (root / "usr/bin/python3").resolve(strict=True)
        start = " ".join([f"PYTHONHOME={root}/usr", "exec", *starter, str(python)])
        script.write_text(f'#!/bin/sh\n{start} "$@"\n')
        script.chmod(0o755)
    return script


def command(root: Path, architecture: str) -> list[str]:
    """What starts a program of the root: it sees the script as its own name."""
    machine, script = MACHINES[architecture], root / "python"
    if machine == platform.machine():
        libraries = root / "usr" / "lib" / f"{machine}-linux-gnu"
        loader = [str(root / LOADERS[architecture]), "--library-path", str(libraries)]
        return [*loader, "--argv0", str(script)]
    for name in (f"qemu-{machine}", f"qemu-{machine}-static"):
        if shutil.which(name):
            return [name, "-L", str(root), "-0", str(script)]
    raise Unavailable(f"qemu-{machine} is not installed (Debian's qemu-user)")


def unpack(suite: str, architecture: str, root: Path) -> None:
    """Unpack Python and what it depends on."""
    if not shutil.which("debootstrap") or os.geteuid() != 0:
        raise Unavailable("needs debootstrap, and to be root")
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    log = root.with_suffix(".log")
    options = ["--foreign", "--variant=minbase", "--include=python3"]
    options += [f"--arch={architecture}"]
    with log.open("w") as output:
        done = subprocess.run(
            ["debootstrap", *options, suite, str(root)],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise Unavailable(f"debootstrap failed: see {log}")
    for package in sorted(root.glob("var/cache/apt/archives/*.deb")):
        subprocess.run(["dpkg", "-x", package, root], check=True)
        package.unlink()
