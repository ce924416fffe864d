"""Programs in a process of their own, with libraries loaded before the others."""

import subprocess
import sys

import pytest

needs_preloading = pytest.mark.skipif(
    sys.platform != "linux", reason="the library needs glibc"
)


def lines_of(program, environment):
    """The lines that a program prints; skips where `environment` is None."""
    if environment is None:
        pytest.skip("no C compiler")
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
