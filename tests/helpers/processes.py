"""Runs of programs by mpiexec, skipped where mpi4py or mpiexec is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench import mpiexec

HERE = Path(__file__).parent
#: Whether every case runs on every number of processes (`make test-mpi`).
EVERYTHING = os.environ.get("BPCORE_TEST_MPI") == "all"


def launcher(count, *options, unseen=False):
    """The command that starts so many processes."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    if mpiexec.mpiexec() is None:
        pytest.skip("there is no mpiexec")
    return mpiexec.launcher(count, *options, unseen=unseen)


def run(count, program, *arguments, limit=100, unseen=False, options=()):
    """The finished run of a program of helpers, or of Python code, on processes."""
    code = [program] if program.startswith("-") else [str(HERE / program)]
    command = launcher(count, *options, unseen=unseen)
    return subprocess.run(
        [*command, sys.executable, *code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
        env=mpiexec.environment(),
    )
