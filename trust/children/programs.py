"""Python in a new process."""

import os
import subprocess
import sys
from pathlib import Path

#: The folder of the packages `trust` and `bench`.
ROOT = Path(__file__).parents[2]
#: The Python of this process.
THIS = (sys.executable,)


def python(*arguments, command=THIS, variables=None, **options):
    """Run Python in `ROOT`; returns the ended process, with its output as text.

    Parameters
    ----------
    arguments : str
        Of Python: "-c" and a program, or "-m", a module and its arguments.
    command : sequence of str
        What starts Python.
    variables : dict, optional
        Variables of the environment, besides those of this process.
    options
        Of ``subprocess.run``.
    """
    return subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def failure(ended):
    """The status and the last lines of a process that ended badly; None if well."""
    if ended.returncode == 0:
        return None
    return f"status {ended.returncode}: {ended.stderr[-2000:]}"
