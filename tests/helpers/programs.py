"""Programs in a process of their own, with libraries loaded before the others."""

import sys

import pytest

from trust.children.programs import failure, python

needs_preloading = pytest.mark.skipif(
    sys.platform != "linux", reason="the library needs glibc"
)


def lines_of(program, environment):
    """The lines that a program prints; skips where `environment` is None."""
    if environment is None:
        pytest.skip("no C compiler")
    ended = python("-c", program, variables=environment)
    assert failure(ended) is None
    return ended.stdout.splitlines()
