"""Runs of programs by mpiexec, skipped where mpi4py or mpiexec is missing."""

import os
import shutil
import subprocess
import sys
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


def run(count, program, *arguments, limit=100, options=()):
    """The finished run of a program of helpers, or of Python code, on processes."""
    code = [program] if program.startswith("-") else [str(HERE / program)]
    command = [mpiexec(), *options, "-n", str(count), sys.executable, *code, *arguments]
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
