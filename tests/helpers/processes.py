"""Runs of programs by mpiexec, skipped where mpi4py or mpiexec is missing."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
#: Whether every case runs on every number of processes (`make test-mpi`).
EVERYTHING = os.environ.get("BPCORE_TEST_MPI") == "all"


def mpiexec():
    """The mpiexec of this environment, or of the system."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    found = shutil.which("mpiexec", path=Path(sys.executable).parent)
    found = found or shutil.which("mpiexec")
    if found is None:
        pytest.skip("there is no mpiexec")
    return found


@cache
def is_open_mpi():
    """Whether mpiexec is that of Open MPI, whose options differ from MPICH's."""
    found = subprocess.run([mpiexec(), "--version"], capture_output=True, check=False)
    return b"Open MPI" in found.stdout


def launcher(leaves_others=False):
    """The command that starts processes, more than cores too.

    If it `leaves_others`, it does not end them itself after one has been lost.
    """
    if is_open_mpi():
        more = ["--continuous"] if leaves_others else []
        return [mpiexec(), "--allow-run-as-root", "--oversubscribe", *more]
    return [mpiexec(), *(["-disable-auto-cleanup"] if leaves_others else [])]


def run(count, program, *arguments, limit=100, leaves_others=False, options=()):
    """The finished run of a program of helpers, or of Python code, on processes."""
    code = [program] if program.startswith("-") else [str(HERE / program)]
    command = [*launcher(leaves_others), *options, "-n", str(count)]
    command += [sys.executable, *code, *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for name in [*environment]:  # this process may itself be one of mpiexec's
        if name.startswith(("PMI", "OMPI", "HYDRA")):
            del environment[name]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
        env=environment,
    )
