"""The command that starts several processes by MPI: that of MPICH, or of Open MPI."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def mpiexec():
    """The mpiexec of this environment, or else of the system; None without one."""
    found = shutil.which("mpiexec", path=Path(sys.executable).parent)
    return found or shutil.which("mpiexec")


@cache
def is_open_mpi():
    """Whether mpiexec is that of Open MPI, whose options differ from MPICH's."""
    found = subprocess.run([mpiexec(), "--version"], capture_output=True, check=False)
    return b"Open MPI" in found.stdout


def launcher(count, *options, unseen=False):
    """The command that starts a program in so many processes, also more than cores.

    If `unseen`, mpiexec does not notice that one has been killed, and leaves the others
    alone.
    """
    start = ["--allow-run-as-root", "--oversubscribe"] if is_open_mpi() else []
    within = ["sh", "-c", '"$0" "$@" || sleep 100'] if unseen else []
    return [mpiexec(), *start, *options, "-n", str(count), *within]


def environment():
    """The environment for mpiexec: this process may itself be one of another's."""
    inner = ("PMI", "OMPI", "HYDRA")
    found = {name: v for name, v in os.environ.items() if not name.startswith(inner)}
    return found | {"PYTHONPATH": os.pathsep.join(sys.path)}
